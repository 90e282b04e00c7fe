use super::http::Refusal;
use super::memory::Memory;
use super::secrets::Secrets;
use super::{Answer, Receiver};
use base64ct::{Base64, Encoding};
use bitbuilder_core::model::Name;
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use sha2::Sha256;
use std::fs;
use std::io::{self, Read, Write};
use tempfile::TempDir;

const NOW: u64 = 1_800_000_000;
const SECRET: &str = "a secret of the forge";
const BODY: &str = r#"{"ref":"refs/heads/main"}"#;

/// A receiver with a secret for `shop` and one for all others.
struct Bench {
    directory: TempDir,
    receiver: Receiver,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (credentials, requests) = (directory.path().join("c"), directory.path().join("r"));
        fs::create_dir(&credentials).unwrap();
        fs::create_dir(&requests).unwrap();
        let memory = directory.path().join("m");
        fs::create_dir(&memory).unwrap();
        fs::write(credentials.join("forge-key"), format!("{SECRET}\n")).unwrap();
        fs::write(credentials.join("bitbuilder.webhook"), "of the host").unwrap();
        let receiver = Receiver {
            secrets: Secrets::from(&credentials, "shop\tforge-key\nlost\tnot-there\n").unwrap(),
            memory: Memory::open(&memory),
            requests,
            now: NOW,
        };
        Self {
            directory,
            receiver,
        }
    }

    fn send(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n",
            body.len()
        );
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        self.raw(format!("{text}\r\n{body}").as_bytes())
    }

    fn raw(&self, bytes: &[u8]) -> Answer {
        self.receiver.receive(&mut Wire::new(bytes))
    }

    /// What was asked for: name and content.
    fn requests(&self) -> Vec<(String, String)> {
        let mut requests: Vec<_> = fs::read_dir(self.directory.path().join("r"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap().to_owned();
                (name, fs::read_to_string(path).unwrap())
            })
            .collect();
        requests.sort();
        requests
    }
}

/// A connection that gives a few bytes at a time.
struct Wire<'b> {
    input: &'b [u8],
    output: Vec<u8>,
}

impl<'b> Wire<'b> {
    fn new(input: &'b [u8]) -> Self {
        Self {
            input,
            output: Vec::new(),
        }
    }
}

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(700);
        self.input.read(&mut buffer[..room])
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn hmac(key: &[u8], content: &str) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.chain_update(content).finalize().into_bytes().to_vec()
}

fn hex(secret: &str, body: &str) -> String {
    hmac(secret.as_bytes(), body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn accepted(id: &str) -> Answer {
    Answer::Accepted {
        target: Name::new(id).unwrap(),
    }
}

/// Headers of a delivery as GitLab signs them.
fn standard(key: &[u8], id: &str, time: u64, body: &str) -> [(&'static str, String); 3] {
    let signature = Base64::encode_string(&hmac(key, &format!("{id}.{time}.{body}")));
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", time.to_string()),
        ("webhook-signature", format!("v2,AAAA v1,{signature}")),
    ]
}

fn borrowed<'a>(headers: &'a [(&'static str, String); 3]) -> [(&'a str, &'a str); 3] {
    headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()))
}

/// The example of GitHub's documentation.
#[test]
fn github_signs_as_it_says() {
    let signature = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    assert_eq!(
        hex("It's a Secret to Everybody", "Hello, World!"),
        signature
    );
}

#[test]
fn deliveries_of_every_forge_are_accepted() {
    let id = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
    let github = format!("sha256={}", hex(SECRET, BODY));
    let plain = hex(SECRET, BODY);
    let gitlab = standard(SECRET.as_bytes(), id, NOW - 10, BODY);
    let deliveries: [&[(&str, &str)]; 5] = [
        &[("X-Hub-Signature-256", &github), ("X-GitHub-Delivery", id)],
        &[("X-Gitea-Signature", &plain), ("X-Gitea-Delivery", id)],
        &[("X-Forgejo-Signature", &plain), ("X-Forgejo-Delivery", id)],
        &[("X-Gitlab-Token", SECRET), ("X-Gitlab-Event-UUID", id)],
        &borrowed(&gitlab),
    ];
    for headers in deliveries {
        let bench = Bench::new();
        assert_eq!(
            bench.send("/shop", headers, BODY),
            accepted("shop"),
            "{headers:?}"
        );
        let request = ("shop".to_owned(), format!("webhook:{id}"));
        assert_eq!(bench.requests(), [request], "{headers:?}");
    }
}

#[test]
fn a_key_of_the_standard_webhooks_is_decoded() {
    let bench = Bench::new();
    let key = b"0123456789abcdef";
    let secret = format!("whsec_{}", Base64::encode_string(key));
    let credentials = bench.directory.path().join("c");
    fs::write(credentials.join("forge-key"), secret).unwrap();
    let receiver = Receiver {
        secrets: Secrets::from(&credentials, "shop\tforge-key\n").unwrap(),
        ..bench.receiver
    };
    let bench = Bench { receiver, ..bench };
    let headers = standard(key, "msg_1", NOW, BODY);
    assert_eq!(
        bench.send("/shop", &borrowed(&headers), BODY),
        accepted("shop")
    );
}

#[test]
fn a_signed_time_is_close_to_now_and_what_is_signed_is_all_of_it() {
    let key = SECRET.as_bytes();
    let bench = Bench::new();
    for time in [NOW - 301, NOW + 301, 0] {
        let headers = standard(key, "msg_1", time, BODY);
        assert_eq!(
            bench.send("/shop", &borrowed(&headers), BODY),
            Answer::Unknown,
            "{time}"
        );
    }
    let mut headers = standard(key, "msg_1", NOW, BODY);
    headers[0].1 = "msg_2".to_owned();
    assert_eq!(
        bench.send("/shop", &borrowed(&headers), BODY),
        Answer::Unknown
    );
    headers = standard(key, "msg_1", NOW, BODY);
    headers[1].1 = (NOW - 1).to_string();
    assert_eq!(
        bench.send("/shop", &borrowed(&headers), BODY),
        Answer::Unknown
    );
    assert_eq!(bench.requests(), []);
}

#[test]
fn who_has_no_secret_learns_nothing() {
    let bench = Bench::new();
    let signed = |secret: &str| format!("sha256={}", hex(secret, BODY));
    let wrong = signed("another secret");
    let own = signed(SECRET);
    let cases: [(&str, &[(&str, &str)]); 14] = [
        ("/shop", &[("X-Hub-Signature-256", &wrong)]),
        ("/shop", &[]),
        // One who has a secret of its own has no other.
        ("/shop", &[("X-Hub-Signature-256", &signed("of the host"))]),
        // And it is for no other.
        ("/blog", &[("X-Hub-Signature-256", &own)]),
        ("/", &[("X-Hub-Signature-256", &own)]),
        ("/no-such-tenant", &[("X-Hub-Signature-256", &wrong)]),
        ("/No/Tenant?x", &[("X-Hub-Signature-256", &own)]),
        ("/shop", &[("X-Hub-Signature-256", &own[..60])]),
        ("/shop", &[("X-Hub-Signature-256", "sha256=")]),
        ("/shop", &[("X-Hub-Signature", &own)]),
        ("/shop", &[("X-Gitea-Signature", &own)]),
        ("/shop", &[("X-Gitlab-Token", "")]),
        // A strong one that is wrong is not rescued by a weak one that is right.
        (
            "/shop",
            &[("X-Hub-Signature-256", &wrong), ("X-Gitlab-Token", SECRET)],
        ),
        // Of two, nobody knows which one counts.
        (
            "/shop",
            &[("X-Hub-Signature-256", &own), ("X-Hub-Signature-256", &own)],
        ),
    ];
    let mut responses = Vec::new();
    for (path, headers) in cases {
        let answer = bench.send(path, headers, BODY);
        assert_eq!(answer, Answer::Unknown, "{path} {headers:?}");
        responses.push(answer.response());
    }
    responses.dedup();
    assert_eq!(responses.len(), 1, "{responses:?}");
    assert_eq!(bench.requests(), []);
}

#[test]
fn the_secret_of_the_host_is_for_all_without_their_own() {
    let bench = Bench::new();
    let signature = hex("of the host", BODY);
    let send = |path| bench.send(path, &[("X-Gitea-Signature", signature.as_str())], BODY);
    assert_eq!(send("/"), accepted("system"));
    assert_eq!(
        send("/system"),
        Answer::Replayed {
            target: Name::new("system").unwrap()
        }
    );
    assert_eq!(send("/blog"), accepted("blog"));
    assert_eq!(send("/lost"), accepted("lost"));
    assert_eq!(bench.requests().len(), 3);
}

#[test]
fn a_replay_is_refused_whatever_it_calls_itself() {
    let bench = Bench::new();
    let signature = hex(SECRET, BODY);
    let send = |delivery: &str, body: &str, signature: &str| {
        let headers = [
            ("X-Gitea-Signature", signature),
            ("X-Gitea-Delivery", delivery),
        ];
        bench.send("/shop", &headers, body)
    };
    let replayed = Answer::Replayed {
        target: Name::new("shop").unwrap(),
    };
    assert_eq!(send("one", BODY, &signature), accepted("shop"));
    assert_eq!(send("one", BODY, &signature), replayed);
    assert_eq!(send("two", BODY, &signature), replayed);
    assert_eq!(send("three", "{}", &hex(SECRET, "{}")), accepted("shop"));
    // A signed id counts once, whatever else it is sent with.
    let first = standard(SECRET.as_bytes(), "msg_1", NOW, "a");
    let second = standard(SECRET.as_bytes(), "msg_1", NOW + 1, "b");
    assert_eq!(
        bench.send("/shop", &borrowed(&first), "a"),
        accepted("shop")
    );
    assert_eq!(bench.send("/shop", &borrowed(&second), "b"), replayed);
}

#[test]
fn deliveries_are_forgotten_after_a_day_and_limited_within_a_minute() {
    let mut bench = Bench::new();
    let send = |bench: &Bench, n: usize| {
        let body = n.to_string();
        bench.send(
            "/shop",
            &[("X-Gitea-Signature", &hex(SECRET, &body))],
            &body,
        )
    };
    for n in 0..30 {
        assert_eq!(send(&bench, n), accepted("shop"), "{n}");
    }
    let many = send(&bench, 30);
    assert_eq!(
        many,
        Answer::TooMany {
            target: Name::new("shop").unwrap()
        }
    );
    assert!(many.response().contains("Retry-After: 60\r\n"));
    // Others are not concerned.
    let other = [("X-Gitea-Signature", hex("of the host", "x"))];
    let other = other
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    assert_eq!(bench.send("/blog", &other, "x"), accepted("blog"));
    bench.receiver.now += 61;
    assert_eq!(send(&bench, 30), accepted("shop"));
    assert!(matches!(send(&bench, 0), Answer::Replayed { .. }));
    bench.receiver.now += 24 * 60 * 60;
    assert_eq!(send(&bench, 0), accepted("shop"));
    let kept = fs::read_to_string(bench.directory.path().join("m/seen")).unwrap();
    assert!(kept.lines().count() <= 3, "{kept}");
}

#[test]
fn ids_that_are_none_are_left_out() {
    let bench = Bench::new();
    let signature = hex(SECRET, BODY);
    let headers = [
        ("X-Gitea-Signature", signature.as_str()),
        ("X-Gitea-Delivery", "a b;c"),
    ];
    assert_eq!(bench.send("/shop", &headers, BODY), accepted("shop"));
    assert_eq!(
        bench.requests(),
        [("shop".to_owned(), "webhook".to_owned())]
    );
}

#[test]
fn requests_have_limits() {
    let bench = Bench::new();
    let malformed = |text: &str| match bench.raw(text.as_bytes()) {
        Answer::Malformed(refusal) => refusal,
        other => panic!("{text:.80}: {other:?}"),
    };
    let long = "a".repeat(20_000);
    let many = "a: b\r\n".repeat(65);
    for (text, refusal) in [
        ("GET /shop HTTP/1.1\r\nHost: x\r\n\r\n", Refusal::Method),
        ("POST /shop HTTP/1.1\r\nHost: x\r\n\r\n", Refusal::Length),
        (
            "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
            Refusal::Length,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            Refusal::Length,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            Refusal::Syntax,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 8388609\r\n\r\n",
            Refusal::TooLarge,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
            Refusal::TooLarge,
        ),
        (
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
            Refusal::Incomplete,
        ),
        ("POST / HTTP/1.1\r\nContent-Le", Refusal::Incomplete),
        ("", Refusal::Incomplete),
        ("hello\r\n\r\n", Refusal::Syntax),
        (
            &format!("POST /{long} HTTP/1.1\r\n\r\n"),
            Refusal::HeadTooLarge,
        ),
        (
            &format!("POST / HTTP/1.1\r\nX: {long}\r\n\r\n"),
            Refusal::HeadTooLarge,
        ),
        (
            &format!("POST / HTTP/1.1\r\n{many}\r\n"),
            Refusal::HeadTooLarge,
        ),
    ] {
        assert_eq!(malformed(text), refusal, "{text:.80}");
    }
}

#[test]
fn a_large_body_is_hashed_as_it_comes_and_what_follows_it_is_not_read() {
    let bench = Bench::new();
    let body = "x".repeat(1 << 20);
    let signature = hex(SECRET, &body);
    let mut text = format!(
        "POST /shop HTTP/1.1\r\nContent-Length: {}\r\nExpect: 100-continue\r\nX-Gitea-Signature: {signature}\r\n\r\n{body}",
        body.len()
    );
    text += "POST / HTTP/1.1\r\n\r\n";
    let mut wire = Wire::new(text.as_bytes());
    assert_eq!(bench.receiver.receive(&mut wire), accepted("shop"));
    assert_eq!(wire.output, b"HTTP/1.1 100 Continue\r\n\r\n");
}

proptest! {
    #[test]
    fn nothing_that_is_sent_is_accepted_or_panics(bytes: Vec<u8>) {
        let bench = Bench::new();
        let answer = bench.raw(&bytes);
        prop_assert!(matches!(answer, Answer::Malformed(_) | Answer::Unknown), "{:?}", answer);
    }

    #[test]
    fn a_changed_byte_of_body_or_signature_is_refused(at in 0_usize..64, change in 1_u8.., of_body: bool) {
        let bench = Bench::new();
        let (mut body, mut signature) = (BODY.as_bytes().to_vec(), hmac(SECRET.as_bytes(), BODY));
        let bytes = if of_body { &mut body } else { &mut signature };
        let at = at % bytes.len();
        bytes[at] ^= change;
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let head = format!(
            "POST /shop HTTP/1.1\r\nContent-Length: {}\r\nX-Forgejo-Signature: {signature}\r\n\r\n",
            body.len()
        );
        prop_assert_eq!(bench.raw(&[head.as_bytes(), &body].concat()), Answer::Unknown);
    }
}
