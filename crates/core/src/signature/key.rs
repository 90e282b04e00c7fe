//! Public keys as one line of text has them: `ssh-ed25519 AAAA... comment`.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Algorithms whose signatures are verified.
const VERIFIED: [&str; 5] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A public key of OpenSSH, as far as it has to be known to find it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// `ssh-ed25519`.
    pub algorithm: String,
    /// `SHA256:` and 43 characters, as `ssh-keygen -l` prints it.
    pub fingerprint: String,
}

impl Key {
    /// The key of `algorithm` whose blob is `base64`.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence that begins with the key.
    pub fn read(algorithm: &str, base64: &str) -> Result<Self, &'static str> {
        let blob = decode_base64(base64.as_bytes()).ok_or("is not base64")?;
        let named = blob.split_first_chunk::<4>().and_then(|(length, rest)| {
            rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)
        });
        if named != Some(algorithm.as_bytes()) {
            return Err("is damaged: its content is of another kind");
        }
        Ok(Self {
            algorithm: algorithm.to_owned(),
            fingerprint: fingerprint(&blob),
        })
    }

    /// Whether signatures of such keys are verified here.
    pub fn is_verified(&self) -> bool {
        VERIFIED.contains(&self.algorithm.as_str())
    }
}

/// Whether a word is the name of a key's algorithm, known or not.
pub(super) fn is_algorithm(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// The name under which OpenSSH shows the key with this blob.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    let mut text = "SHA256:".to_owned();
    for chunk in Sha256::digest(blob).chunks(3) {
        let bytes = chunk.iter().enumerate();
        let bits = bytes.fold(0_u32, |bits, (at, byte)| {
            bits | u32::from(*byte) << (16 - 8 * at)
        });
        let digits = (0..=chunk.len()).map(|at| bits >> (18 - 6 * at) & 63);
        text.extend(digits.map(|digit| char::from(ALPHABET[digit as usize])));
    }
    text
}

/// The bytes that `text` stands for; `None` when it is not base64 with its padding.
pub fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_suffix(b"==").or_else(|| text.strip_suffix(b"="));
    let digits = digits.unwrap_or(text);
    let whole = text.len().is_multiple_of(4) && digits.len() % 4 != 1;
    if !whole || text.len() - digits.len() != (4 - digits.len() % 4) % 4 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.chunks(4) {
        let mut bits = 0_u32;
        for (at, digit) in chunk.iter().enumerate() {
            bits |= value(*digit)? << (18 - 6 * at);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..chunk.len()]);
    }
    Some(bytes)
}

fn value(digit: u8) -> Option<u32> {
    Some(u32::from(match digit {
        b'A'..=b'Z' => digit - b'A',
        b'a'..=b'z' => digit - b'a' + 26,
        b'0'..=b'9' => digit - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64() {
        for (text, bytes) in [
            ("", "".as_bytes()),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg==", b"foob"),
        ] {
            assert_eq!(
                decode_base64(text.as_bytes()).as_deref(),
                Some(bytes),
                "{text}"
            );
        }
        for text in [
            "Z", "Zg", "Zg=", "Zm8", "Zm8==", "=", "====", "Zm9v=", "Z===", "Zm 9v", "Zm9-",
        ] {
            assert_eq!(decode_base64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_key_is_known_by_what_ssh_keygen_prints() {
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIN8x9gTCQ7AYtuuP3b8dtAVcSlGIPgmNpUnv0MAwHIwb";
        let key = Key::read("ssh-ed25519", blob).unwrap();
        assert_eq!(key.fingerprint, FINGERPRINT);
        assert!(key.is_verified());
        assert!(Key::read("ssh-rsa", blob).is_err());
        assert!(Key::read("ssh-ed25519", &blob[1..]).is_err());
        assert!(Key::read("ssh-ed25519", "").is_err());
        assert!(Key::read("ssh-ed25519", "//////8A").is_err());
    }

    const FINGERPRINT: &str = "SHA256:Ns8ZmZh+TJ2dqpHW274f59aMCPdcoeLxzcPbKwOyqpM";
}
