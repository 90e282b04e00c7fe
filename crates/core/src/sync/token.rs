//! What opens an https remote, as git reads it.

use std::fmt::Write;

/// `secret` (`user:token`, or a token alone) as git-credential-store(1) keeps it: for the host and port of `url` and no
/// other, so that a redirection elsewhere does not get it. `None` when `url` is not https or `secret` is no line of text.
pub fn line(url: &str, secret: &[u8]) -> Option<String> {
    let secret = std::str::from_utf8(secret).ok()?.trim();
    let authority = url.strip_prefix("https://")?.split('/').next()?;
    let (in_url, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (user, token) = match secret.split_once(':') {
        Some((user, token)) => (user, token),
        // Forges that know tokens take any name with them.
        None => (in_url.unwrap_or("git"), secret),
    };
    let usable = !token.is_empty() && !user.is_empty() && !secret.contains(char::is_control);
    usable.then(|| format!("https://{}:{}@{host}\n", encoded(user), encoded(token)))
}

/// With everything escaped that has a meaning in a URL.
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_is_kept_for_its_host_alone() {
        for (url, secret, expected) in [
            (
                "https://git.example/a.git",
                "bot:s3cr&t/\n",
                "https://bot:s3cr%26t%2F@git.example\n",
            ),
            (
                "https://git.example:8443/a",
                "token",
                "https://git:token@git.example:8443\n",
            ),
            (
                "https://me@git.example/a",
                "token",
                "https://me:token@git.example\n",
            ),
            (
                "https://git.example/a",
                "u:a:b",
                "https://u:a%3Ab@git.example\n",
            ),
        ] {
            assert_eq!(line(url, secret.as_bytes()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn what_is_no_token_is_none() {
        for secret in ["", "\n", "a\nb", ":token", "user:", "a\u{0}b"] {
            let line = line("https://git.example/a", secret.as_bytes());
            assert_eq!(line, None, "{secret:?}");
        }
        assert_eq!(line("ssh://git.example/a", b"token"), None);
        assert_eq!(line("https://git.example/a", &[0xff]), None);
    }

    proptest! {
        #[test]
        fn a_secret_adds_neither_a_line_nor_a_host(secret: Vec<u8>) {
            if let Some(line) = line("https://git.example/a", &secret) {
                let rest = line.strip_prefix("https://").unwrap();
                let (secret, host) = rest.split_once('@').unwrap();
                prop_assert_eq!(host, "git.example\n");
                let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%:".contains(&byte);
                prop_assert!(secret.bytes().all(plain), "{}", secret);
                prop_assert_eq!(secret.matches(':').count(), 1);
            }
        }
    }
}
