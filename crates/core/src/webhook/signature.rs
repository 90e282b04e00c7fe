//! Who sent a delivery: the ways in which forges say it. The strongest that a delivery has is the one that counts; a weaker
//! one never rescues it.

use crate::digest::keyed;
use base64ct::{Base64, Encoding};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// Seconds that a signed time may be off.
const TOLERANCE: u64 = 300;
/// Before the key of a secret for the Standard Webhooks, in base64.
const PREFIX: &str = "whsec_";
/// Checked in place of a secret that is not there, so that it takes as long.
const NOBODY: &[u8] = b"nobody knows this target";

/// The value of a header, by its name in lower case; none when it was sent twice.
pub type Get<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

/// What a delivery says of who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// Standard Webhooks, as GitLab signs: HMAC of id, time and body.
    Standard {
        /// Of the delivery.
        id: String,
        /// As it was written: seconds since the epoch.
        time: String,
        /// Of the signatures, those of a known kind.
        signatures: Vec<Vec<u8>>,
    },
    /// GitHub, Gitea, Forgejo: HMAC of the body.
    Body(Vec<u8>),
    /// GitLab's older way: the secret itself.
    Token(Vec<u8>),
    /// Nothing, or nothing that can be right.
    Nothing,
}

impl Claim {
    /// The claim of a request with these headers that came at `now`, in seconds since the epoch.
    pub fn of(get: Get<'_>, now: u64) -> Self {
        if let Some(text) = get("webhook-signature") {
            return Self::standard(get, text, now).unwrap_or(Self::Nothing);
        }
        if let Some(text) = get("x-hub-signature-256") {
            let hex = text.strip_prefix("sha256=").and_then(unhex);
            return hex.map_or(Self::Nothing, Self::Body);
        }
        for name in ["x-forgejo-signature", "x-gitea-signature"] {
            if let Some(text) = get(name) {
                return unhex(text).map_or(Self::Nothing, Self::Body);
            }
        }
        match get("x-gitlab-token") {
            Some(token) => Self::Token(token.as_bytes().to_vec()),
            None => Self::Nothing,
        }
    }

    fn standard(get: Get<'_>, text: &str, now: u64) -> Option<Self> {
        let id = get("webhook-id")?;
        let time = get("webhook-timestamp")?;
        let at: u64 = time.parse().ok()?;
        let signatures = text.split(' ').filter_map(|one| {
            let signature = one.strip_prefix("v1,")?;
            Base64::decode_vec(signature).ok()
        });
        (now.abs_diff(at) <= TOLERANCE).then(|| Self::Standard {
            id: id.to_owned(),
            time: time.to_owned(),
            signatures: signatures.collect(),
        })
    }

    /// An id of the delivery that nobody else could have written.
    pub fn signed_id(&self) -> Option<&str> {
        match self {
            Self::Standard { id, .. } => Some(id),
            _ => None,
        }
    }
}

/// Checks a claim while the body comes.
#[derive(Debug)]
pub struct Checker<'c> {
    claim: &'c Claim,
    mac: Hmac<Sha256>,
    key: Vec<u8>,
    content: Sha256,
}

impl<'c> Checker<'c> {
    /// For what `secret` signs; without one it never holds.
    pub fn new(claim: &'c Claim, secret: Option<&[u8]>) -> Self {
        let secret = secret.unwrap_or(NOBODY);
        let key = match claim {
            Claim::Standard { .. } => standard_key(secret),
            _ => secret.to_vec(),
        };
        let mut mac = keyed(&key);
        if let Claim::Standard { id, time, .. } = claim {
            mac.update(format!("{id}.{time}.").as_bytes());
        }
        Self {
            claim,
            mac,
            key,
            content: Sha256::new(),
        }
    }

    /// The next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        self.mac.update(part);
        self.content.update(part);
    }

    /// Whether the claim holds, and the hash of the content. Comparisons take the same time wherever they differ.
    pub fn finish(self) -> (bool, String) {
        let content = Base64::encode_string(&self.content.finalize());
        let valid = match self.claim {
            Claim::Standard { signatures, .. } => {
                let mut valid = false;
                for signature in signatures {
                    valid |= self.mac.clone().verify_slice(signature).is_ok();
                }
                valid
            }
            Claim::Body(signature) => self.mac.verify_slice(signature).is_ok(),
            Claim::Token(token) => {
                let tag = |text: &[u8]| keyed(&self.key).chain_update(text);
                let expected = tag(&self.key).finalize().into_bytes();
                tag(token).verify_slice(&expected).is_ok()
            }
            Claim::Nothing => false,
        };
        (valid, content)
    }
}

/// A secret of the Standard Webhooks is a key in base64 behind a prefix; any other is taken as it is.
fn standard_key(secret: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(secret).ok();
    let key = text.and_then(|text| text.strip_prefix(PREFIX));
    let key = key.and_then(|key| Base64::decode_vec(key).ok());
    key.unwrap_or_else(|| secret.to_vec())
}

/// Lower- or upper-case hexadecimal digits.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let bytes = text.as_bytes();
    let pairs = bytes.chunks_exact(2);
    if bytes.is_empty() || !pairs.remainder().is_empty() {
        return None;
    }
    pairs
        .map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: u64 = 1_800_000_000;
    const BODY: &[u8] = b"{\"ref\":\"refs/heads/main\"}";

    /// The claim of these headers.
    fn claim(headers: &[(&str, &str)]) -> Claim {
        let get = |wanted: &str| {
            let mut values = headers.iter().filter(|(name, _)| *name == wanted);
            values.next().map(|(_, value)| *value)
        };
        Claim::of(&get, NOW)
    }

    fn holds(claim: &Claim, secret: Option<&[u8]>, body: &[u8]) -> bool {
        let mut checker = Checker::new(claim, secret);
        body.chunks(7).for_each(|part| checker.update(part));
        checker.finish().0
    }

    fn mac(key: &[u8], content: &[u8]) -> Vec<u8> {
        keyed(key)
            .chain_update(content)
            .finalize()
            .into_bytes()
            .to_vec()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The example of GitHub's documentation.
    #[test]
    fn github_signs_as_it_says() {
        let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let claim = claim(&[("x-hub-signature-256", signature)]);
        let secret = b"It's a Secret to Everybody";
        assert!(holds(&claim, Some(secret), b"Hello, World!"));
        assert!(!holds(&claim, Some(secret), b"Hello, World?"));
        assert!(!holds(&claim, None, b"Hello, World!"));
    }

    #[test]
    fn headers_that_are_no_signature_claim_nothing() {
        let own = hex(&mac(b"secret", BODY));
        let cases: [&[(&str, &str)]; 9] = [
            &[],
            &[("x-hub-signature-256", &own)],
            &[("x-hub-signature-256", "sha256=")],
            &[("x-hub-signature-256", "sha256=0")],
            &[("x-hub-signature-256", "sha256=\u{20ac}0")],
            &[("x-gitea-signature", "g0")],
            &[("x-hub-signature", &own)],
            &[("webhook-signature", "v1,AAAA"), ("webhook-id", "a")],
            &[
                ("webhook-signature", "v1,AAAA"),
                ("x-gitlab-token", "secret"),
            ],
        ];
        for headers in cases {
            assert_eq!(claim(headers), Claim::Nothing, "{headers:?}");
            assert!(!holds(&claim(headers), Some(b"secret"), BODY));
        }
    }

    #[test]
    fn a_signed_time_is_of_now() {
        for (off, is_near) in [(0, true), (TOLERANCE, true), (TOLERANCE + 1, false)] {
            for time in [NOW - off, NOW + off].map(|time| time.to_string()) {
                let content = [b"a.", time.as_bytes(), b".", BODY].concat();
                let signature = Base64::encode_string(&mac(b"secret", &content));
                let claim = claim(&[
                    ("webhook-id", "a"),
                    ("webhook-timestamp", &time),
                    ("webhook-signature", &format!("v1a,AAAA v1,{signature}")),
                ]);
                assert_eq!(holds(&claim, Some(b"secret"), BODY), is_near, "{time}");
            }
        }
    }

    proptest! {
        #[test]
        fn only_who_has_the_secret_signs(secret: Vec<u8>, other: Vec<u8>, body: Vec<u8>, at: usize, bit in 0_u8..8) {
            let mut signature = mac(&secret, &body);
            let signed = |signature: &[u8]| claim(&[("x-forgejo-signature", &hex(signature))]);
            prop_assert!(holds(&signed(&signature), Some(&secret), &body));
            // HMAC fills up short keys with zeros.
            let same = |key: &[u8]| key.iter().rev().skip_while(|byte| **byte == 0).copied().collect::<Vec<_>>();
            if same(&secret) != same(&other) && secret.len() <= 64 && other.len() <= 64 {
                prop_assert!(!holds(&signed(&signature), Some(&other), &body));
            }
            let at = at % signature.len();
            signature[at] ^= 1_u8 << bit;
            prop_assert!(!holds(&signed(&signature), Some(&secret), &body));
            prop_assert!(!holds(&signed(&signature[..at]), Some(&secret), &body));
        }

        #[test]
        fn a_token_is_compared_whole(secret in "[a-z]{1,40}", token in "[a-z]{1,40}") {
            let claim = claim(&[("x-gitlab-token", &token)]);
            prop_assert_eq!(holds(&claim, Some(secret.as_bytes()), BODY), secret == token);
        }

        #[test]
        fn no_header_panics(name in 0..6_usize, value: String) {
            const NAMES: [&str; 6] = ["webhook-signature", "x-hub-signature-256", "x-forgejo-signature",
                "x-gitea-signature", "x-gitlab-token", "webhook-timestamp"];
            let claim = claim(&[("webhook-id", &value), ("webhook-timestamp", "1800000000"), (NAMES[name], &value)]);
            prop_assert!(!holds(&claim, None, BODY));
        }
    }
}
