//! Lists of keys that may not sign any more, whatever another list says.

use super::key::{Key, is_algorithm};
use super::line::lines;
use crate::finding::Finding;
use std::collections::BTreeSet;

/// The fingerprints of the list `text` of `file`. A line is a public key, its fingerprint (`SHA256:...`), or the
/// fingerprint of an OpenPGP certificate; words after it are a comment.
pub fn revoked_signers(file: &str, text: &str, findings: &mut Vec<Finding>) -> BTreeSet<String> {
    let mut revoked = BTreeSet::new();
    for mut line in lines(file, text) {
        let word = line.word().unwrap_or_default();
        let found = if is_algorithm(word.text) {
            let base64 = line.word().unwrap_or_default();
            Key::read(word.text, base64.text)
                .ok()
                .map(|key| key.fingerprint)
        } else {
            fingerprint(word.text).or_else(|| {
                // gpg prints them in groups of four.
                let all = format!("{}{}", word.text, line.rest().text);
                fingerprint(&all.split_whitespace().collect::<String>())
            })
        };
        match found {
            Some(found) => drop(revoked.insert(found)),
            None => {
                let help = "write a public key, `SHA256:...`, or the fingerprint of an OpenPGP certificate";
                findings.push(line.error(word, "this names no key").help(help));
            }
        }
    }
    revoked
}

/// `text` in the form in which fingerprints are compared, if it is one.
pub(super) fn fingerprint(text: &str) -> Option<String> {
    if let Some(digest) = text.strip_prefix("SHA256:") {
        let fits = digest.len() == 43
            && digest
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/');
        return fits.then(|| text.to_owned());
    }
    let hex = text.strip_prefix("0x").unwrap_or(text);
    let fits = matches!(hex.len(), 40 | 64) && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    fits.then(|| hex.to_ascii_lowercase())
}
