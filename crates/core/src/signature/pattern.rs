//! Pattern lists of OpenSSH, ssh_config(5) "PATTERNS".

use serde::{Deserialize, Serialize};

/// `alice@example.org,*@ops.example.org,!root@*`: one has to fit, and none with a `!`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patterns(pub String);

impl Patterns {
    /// Whether the list accepts `text`.
    pub fn accepts(&self, text: &str) -> bool {
        let mut accepted = false;
        for pattern in self.0.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if fits(pattern.as_bytes(), text.as_bytes()) => return false,
                Some(_) => {}
                None => accepted |= fits(pattern.as_bytes(), text.as_bytes()),
            }
        }
        accepted
    }

    /// Whether `text` is one of the patterns as it stands.
    pub(super) fn has(&self, text: &str) -> bool {
        self.0.split(',').any(|pattern| pattern == text)
    }
}

/// `*` is any text, `?` any one byte. The time is the product of both lengths, at most.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut next) = (0, 0);
    // Where the last `*` was, and how far its text reaches.
    let mut star: Option<(usize, usize)> = None;
    while next < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(byte) if *byte == b'?' || *byte == text[next] => {
                at += 1;
                next += 1;
            }
            _ => match &mut star {
                Some((position, reach)) => {
                    *reach += 1;
                    (at, next) = (*position + 1, *reach);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_accept_and_refuse() {
        for (patterns, text, accepted) in [
            ("git", "git", true),
            ("git", "file", false),
            ("git", "git2", false),
            ("file,git", "git", true),
            ("*", "", true),
            ("", "", true),
            ("?", "", false),
            ("*@example.org", "alice@example.org", true),
            ("*@example.org", "alice@example.org.evil", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "abcdef", false),
            ("*@example.org,!mallory@*", "mallory@example.org", false),
            ("!mallory@*", "alice@example.org", false),
            ("!a,a", "a", false),
        ] {
            let list = Patterns(patterns.to_owned());
            assert_eq!(list.accepts(text), accepted, "{patterns} {text}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_time() {
        let list = Patterns(format!("{}b", "a*".repeat(200)));
        assert!(!list.accepts(&"a".repeat(20_000)));
    }
}
