//! Deliveries of forges: signed, not signed, again, too large, too slow, too many.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, status, wait_healthy};
use serde_json::json;

const URL: &str = "http://127.0.0.1:8088";
/// What the forge of `shop` signs with, and what all others do.
const SHOP: &str = "secret-of-shop";
const ALL: &str = "secret-of-all";

/// Starts a request and never ends it; says what it is told at last.
const SLOW: &str = "import socket
s = socket.create_connection(('127.0.0.1', 8088))
s.sendall(b'POST /shop HTTP/1.1\\r\\nContent-Length: 5\\r\\n\\r\\nabc')
print(s.recv(4096).decode())";

/// A host that receives deliveries for `shop`, `blog` and the system repository, and makes no pass by itself.
fn receiver(name: &str) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    let system = Repository::new();
    for (name, secret) in [("shop", SHOP), ("all", ALL)] {
        let encrypt =
            format!("printf %s {secret} | systemd-creds encrypt --name={name}-secret - -");
        system.write(&format!("access/{name}-secret"), &host.sh(&encrypt));
    }
    let url = |id: &str| format!("file:///var/lib/bitbuilder/git/{id}.git");
    let registry = json!({ "tenants": [
        { "id": "shop", "repository": url("shop"), "webhook": { "encrypted": "access/shop-secret" } },
        { "id": "blog", "repository": url("blog") },
    ] });
    system.write("tenants/registry.json", &registry.to_string());
    system.write(
        ".gitops/config.yaml",
        "sync: { interval: 1h }\nwebhooks: { port: 8088, secret: { encrypted: access/all-secret } }\n",
    );
    host.push_ok("system", system.path());
    host.wait_active("bitbuilder-webhook.socket");
    host.sh("systemctl stop bitbuilder-sync.timer");
    host
}

/// Posts `body` with `headers`; `SIGNATURE` in them is that of `secret`. The status code.
fn post(host: &TestHost, path: &str, secret: &str, body: &str, headers: &[&str]) -> String {
    let headers: String = headers
        .iter()
        .map(|header| format!(" -H \"{header}\""))
        .collect();
    let headers = headers.replace("SIGNATURE", "$signature");
    host.sh(&format!(
        "signature=$(printf %s '{body}' | openssl dgst -sha256 -hmac '{secret}' | sed 's/.*= //'); \
         curl -s -o /root/answer -w '%{{http_code}}' --data-binary '{body}' {headers} {URL}{path}"
    ))
}

const GITHUB: &[&str] = &[
    "X-Hub-Signature-256: sha256=SIGNATURE",
    "X-GitHub-Delivery: 72d3162e-cc78-11e3",
];

/// A commit in the embedded repository of `id` that no hook has seen.
fn slip_in(host: &TestHost, id: &str) -> String {
    let git = format!("/var/lib/bitbuilder/git/{id}.git");
    let commit = host.sh(&format!(
        "rm -rf /root/slip; git clone -q {git} /root/slip; cd /root/slip; date +%N >README.md; git add -A; \
         git -c user.name=t -c user.email=t@example.org commit -qm change; \
         git -C {git} fetch -q /root/slip main:main; git rev-parse HEAD"
    ));
    commit.trim().to_owned()
}

fn wait_commit(host: &TestHost, id: &str, commit: &str) {
    host.wait_for(&format!("{id} is at {commit}"), || {
        status(host, id)["commit"] == commit
    });
}

/// No process is there for whoever may come.
fn wait_nobody(host: &TestHost) {
    host.wait_sh("! systemctl list-units --no-legend 'bitbuilder-webhook@*' | grep .; systemctl is-active bitbuilder-webhook.socket");
}

#[test]
fn a_delivery_that_is_signed_makes_a_pass_once() {
    let host = receiver("webhook");
    let tenant = Repository::tenant("shop");
    let serve = command(
        "exec busybox httpd -f -p 80",
        "health: { tcp: 80, interval: 1s }\n",
    );
    tenant.write("containers/web/config.yaml", &serve);
    host.push_ok("shop", tenant.path());
    wait_healthy(&host, "shop");

    let commit = slip_in(&host, "shop");
    for (code, path, secret, headers) in [
        ("401", "/shop", "another secret", GITHUB),
        ("401", "/shop", ALL, GITHUB),
        ("401", "/blog", SHOP, GITHUB),
        ("401", "/", SHOP, GITHUB),
        ("401", "/no-such-tenant", SHOP, GITHUB),
        ("401", "/shop", SHOP, &[]),
    ] {
        assert_eq!(
            post(&host, path, secret, "{}", headers),
            code,
            "{path} {secret} {headers:?}"
        );
        assert_eq!(
            host.read_file("/root/answer"),
            "not signed by anybody known here\n"
        );
    }
    assert_eq!(
        host.sh(&format!(
            "curl -s -o /dev/null -w '%{{http_code}}' {URL}/shop"
        )),
        "405"
    );
    let large = format!(
        "head -c 9000000 /dev/zero | curl -s -o /dev/null -w '%{{http_code}}' --data-binary @- {URL}/shop"
    );
    assert_eq!(host.sh(&large), "413");
    assert_ne!(
        status(&host, "shop")["commit"],
        json!(commit),
        "nobody who is known has asked"
    );

    assert_eq!(post(&host, "/shop", SHOP, "{}", GITHUB), "202");
    wait_commit(&host, "shop", &commit);
    // Again, and under another name.
    assert_eq!(post(&host, "/shop", SHOP, "{}", GITHUB), "409");
    let gitea: &[&str] = &["X-Gitea-Signature: SIGNATURE", "X-Gitea-Delivery: other"];
    assert_eq!(post(&host, "/shop", SHOP, "{}", gitea), "409");

    let commit = slip_in(&host, "shop");
    assert_eq!(post(&host, "/shop", SHOP, "[1]", gitea), "202");
    wait_commit(&host, "shop", &commit);
    let gitlab = format!("X-Gitlab-Token: {SHOP}");
    assert_eq!(post(&host, "/shop", "", "[2]", &[&gitlab]), "202");
    // The system repository: whoever has the secret of all.
    assert_eq!(post(&host, "/", ALL, "[3]", GITHUB), "202");

    // What was accepted is remembered over a crash; the socket comes back with the boot.
    host.crash();
    host.boot();
    host.wait_active("bitbuilder-webhook.socket");
    assert_eq!(post(&host, "/shop", SHOP, "{}", GITHUB), "409");
    wait_nobody(&host);
    let said = host.journal(&["-t", "webhook", "-o", "cat"]);
    for expected in [
        "accepted a delivery for shop",
        "replay of a delivery for shop",
        "wrong signature, or no such target",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
    let exposure =
        host.sh("systemd-analyze security --no-pager bitbuilder-webhook@x.service | tail -1");
    let level: f64 = exposure
        .split_whitespace()
        .find_map(|word| word.parse().ok())
        .unwrap();
    assert!(level <= 2.0, "{exposure}");
}

#[test]
fn who_is_slow_or_comes_too_often_harms_nobody_else() {
    let host = receiver("webhook-flood");
    host.write_file("/root/slow.py", SLOW);
    host.sh("systemd-run --quiet --unit=slow --remain-after-exit python3 /root/slow.py");
    // A bounded flood, eight at a time: each is answered, and the socket stays.
    let flood = host.sh(&format!(
        "seq 150 | xargs -P 8 -I N curl -s -o /dev/null -w '%{{http_code}}\\n' -H 'X-Hub-Signature-256: sha256=00' -d N {URL}/shop | \
         sort | uniq -c"
    ));
    assert_eq!(flood.split_whitespace().collect::<Vec<_>>(), ["150", "401"]);
    host.sh("systemctl is-active bitbuilder-webhook.socket");
    // Who has the secret is limited, too; others are not concerned.
    let codes = host.sh(&format!(
        "printf '%s' 'signature=$(printf %s $1 | openssl dgst -sha256 -hmac {SHOP} | sed \"s/.*= //\"); \
         curl -s -o /dev/null -w \"%{{http_code}}\\n\" -H \"X-Gitea-Signature: $signature\" -d $1 {URL}/shop' >/root/signed; \
         seq 31 | xargs -P 8 -n 1 sh /root/signed | sort | uniq -c"
    ));
    let codes: Vec<&str> = codes.split_whitespace().collect();
    assert_eq!(codes, ["30", "202", "1", "429"]);
    assert_eq!(post(&host, "/blog", ALL, "{}", GITHUB), "202");
    host.wait_sh("journalctl -u slow -o cat | grep -q '408 Request Timeout'");
    wait_nobody(&host);
}
