//! What Git is told: where a repository is, and what to read of it.

use super::{Scalar, Wrong, is_unsafe};
use serde_json::{Value, json};

/// Where a Git repository is: `file://`, `https://`, `ssh://` or `user@host:path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitUrl(pub(crate) String);

impl Scalar for GitUrl {
    const EXPECTED: &'static str = "the URL of a Git repository";
    const RULE: &'static str = "repository-url";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const ALLOWED: &str =
            "write `https://host/path`, `ssh://user@host/path`, `user@host:path` or `file:///path`";
        let wrong = |message: String| Err(Wrong::new(message).help(ALLOWED));
        if text.is_empty() || text.len() > 2048 {
            return wrong("an address has 1 to 2048 bytes".into());
        }
        if text.chars().any(|c| is_unsafe(c) || c.is_whitespace()) {
            return wrong("spaces and control characters are not allowed in an address".into());
        }
        if text.starts_with('-') {
            return wrong(
                "an address cannot begin with `-`, Git would take it for an option".into(),
            );
        }
        if let Some((helper, _)) = text.split_once("::")
            && helper
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+.-_".contains(&b))
        {
            return wrong(
                "remote helpers (`helper::address`) run programs and are not allowed".into(),
            );
        }
        match text.split_once("://") {
            Some(("https" | "ssh", rest)) => {
                let host = rest.split('/').next().unwrap_or_default();
                let host = host.rsplit('@').next().unwrap_or_default();
                let fits = !host.is_empty() && !host.starts_with('-') && !rest.starts_with('-');
                if !fits || !rest.contains('/') {
                    return wrong(format!("`{text}` names no host and path"));
                }
                if text.starts_with("https")
                    && rest
                        .split('/')
                        .next()
                        .is_some_and(|a| a.contains(':') && a.contains('@'))
                {
                    return Err(Wrong::new("the address holds a password").help(
                        "keep secrets out of the repository: use a credential helper or ssh",
                    ));
                }
                Ok(Self(text.to_owned()))
            }
            Some(("file", rest)) if rest.starts_with('/') && rest.len() > 1 => {
                Ok(Self(text.to_owned()))
            }
            Some(("file", _)) => wrong("a file address is `file://` and an absolute path".into()),
            Some((scheme, _)) => wrong(format!("`{scheme}` is not an allowed transport")),
            None => match scp_like(text) {
                true => Ok(Self(text.to_owned())),
                false => wrong(format!("`{text}` has no transport")),
            },
        }
    }

    fn schema() -> Value {
        json!({
            "type": "string",
            "pattern": "^(https://|ssh://|file:///|[A-Za-z0-9._][A-Za-z0-9._-]*@[A-Za-z0-9.][A-Za-z0-9.-]*:[^:]).*$",
        })
    }
}

/// `git@host:path`, the way to write ssh that Git took over from scp.
fn scp_like(text: &str) -> bool {
    let word = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let Some((host, path)) = text.split_once(':') else {
        return false;
    };
    let Some((user, host)) = host.split_once('@') else {
        return false;
    };
    word(user) && word(host) && !path.is_empty() && !path.starts_with('-')
}

/// A branch, tag or commit: git-check-ref-format(1)'s rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitRef(pub(crate) String);

impl Scalar for GitRef {
    const EXPECTED: &'static str = "a branch, tag or commit";
    const RULE: &'static str = "git-ref";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let bad_character = |c: char| is_unsafe(c) || " ~^:?*[\\".contains(c);
        let bad_part = |part: &str| {
            part.is_empty()
                || part.starts_with(['.', '-'])
                || part.ends_with(".lock")
                || part.ends_with('.')
        };
        let fits = !text.is_empty()
            && text.len() <= 255
            && !text.contains(bad_character)
            && !text.contains("..")
            && !text.contains("@{")
            && text != "@"
            && !text.split('/').any(bad_part);
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::new(format!("`{text}` is no branch, tag or commit"))
            .help("write a name such as `main`, `v1.2` or a full commit id"))
    }

    fn schema() -> Value {
        json!({ "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[^-. ~^:?*\\[\\\\][^ ~^:?*\\[\\\\]*$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn repository_urls() {
        for text in [
            "https://git.example/shop.git",
            "ssh://git@host:22/a/b",
            "git@host.example:a/b.git",
            "file:///srv/git/a.git",
            "ssh://git@[::1]/a",
        ] {
            assert_eq!(GitUrl::parse(text), Ok(GitUrl(text.into())), "{text}");
        }
        for text in [
            "",
            "-oProxyCommand=x",
            "ext::sh -c x",
            "ext::sh",
            "http://host/a",
            "git://host/a",
            "file://relative",
            "/srv/git",
            "host",
            "ssh://-oProxyCommand=x/a",
            "https:///a",
            "git@-host:a",
            "https://user:secret@host/a",
            "git@host:-a",
            "a\u{1b}[0m@h:p",
            "https://host",
            "ssh://x@-host/a",
        ] {
            assert!(GitUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn references() {
        for text in ["main", "release/1.2", "v1", "refs/heads/main", "a@b"] {
            assert!(GitRef::parse(text).is_ok(), "{text}");
        }
        for text in [
            "", "-x", "a..b", "a b", "a/", "/a", "a.lock", ".a", "a/.b", "@", "a@{1}", "a~1", "x\n",
        ] {
            assert!(GitRef::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (GitUrl::parse(&text), GitRef::parse(&text));
        }
    }
}
