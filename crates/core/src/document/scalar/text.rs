//! Text with a rule: names, paths, URLs, references, keys.

use super::{Scalar, Wrong};
use crate::model::CAPABILITIES;
use crate::model::Name;
use serde_json::{Value, json};

/// The pattern of [`Name`] in a schema.
pub(crate) const NAME_PATTERN: &str = "^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$";

impl Scalar for Name {
    const EXPECTED: &'static str = "a name";
    const RULE: &'static str = "name";

    fn parse(text: &str) -> Result<Self, Wrong> {
        Self::new(text).map_err(|error| {
            let wrong = Wrong::new(error.to_string());
            match name_from(text) {
                Some(name) => wrong.help(format!("write `{name}`")),
                None => wrong,
            }
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": NAME_PATTERN })
    }
}

/// The name that is nearest to `text`, if one is.
pub(crate) fn name_from(text: &str) -> Option<String> {
    let folded: String = text
        .chars()
        .take(64)
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let trimmed = folded.trim_matches('-');
    let cut = trimmed.get(..32).unwrap_or(trimmed).trim_matches('-');
    (!cut.is_empty()).then(|| cut.to_owned())
}

/// One line of text without control characters, at most 1024 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line(pub(crate) String);

impl Scalar for Line {
    const EXPECTED: &'static str = "text";
    const RULE: &'static str = "text";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.chars().any(is_unsafe) {
            return Err(Wrong::new("control characters are not allowed here"));
        }
        if text.chars().count() > 1024 {
            return Err(Wrong::new("longer than 1024 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 1024 })
    }
}

/// Text of several lines, at most 4096 characters, no control characters but line ends and tabs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prose(pub(crate) String);

impl Scalar for Prose {
    const EXPECTED: &'static str = "text";
    const RULE: &'static str = "text";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.chars().any(|c| is_unsafe(c) && c != '\n' && c != '\t') {
            return Err(Wrong::new("control characters are not allowed here"));
        }
        if text.chars().count() > 4096 {
            return Err(Wrong::new("longer than 4096 characters"));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({ "type": "string", "maxLength": 4096 })
    }
}

/// Whether `c` could change what a terminal or a log shows: controls and bidirectional overrides.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}')
}

/// An argument of a command: anything but NUL, at most 128 KiB (the kernel's limit).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument(pub(crate) String);

impl Scalar for Argument {
    const EXPECTED: &'static str = "text";
    const RULE: &'static str = "argument";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.contains('\0') {
            return Err(Wrong::new("an argument cannot hold a NUL character"));
        }
        if text.len() >= 128 * 1024 {
            return Err(Wrong::new("an argument is shorter than 128 KiB"));
        }
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Value {
        json!({ "type": "string" })
    }
}

/// An absolute, normalised path inside a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AbsolutePath(pub(crate) String);

impl Scalar for AbsolutePath {
    const EXPECTED: &'static str = "an absolute path such as `/srv/data`";
    const RULE: &'static str = "path";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.chars().any(is_unsafe) || text.len() > 1024 {
            return Err(Wrong::new(
                "control characters or more than 1024 bytes in a path",
            ));
        }
        if !text.starts_with('/') {
            return Err(Wrong::new(format!("`{text}` is not absolute"))
                .help(format!("write `/{}`", text.trim_start_matches("./"))));
        }
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        if parts.contains(&"..") {
            return Err(
                Wrong::new(format!("`{text}` holds `..`")).help("write the path without `..`")
            );
        }
        let normal = format!("/{}", parts.join("/"));
        if normal != text {
            return Err(Wrong::new(format!("`{text}` is not in its shortest form"))
                .help(format!("write `{normal}`")));
        }
        Ok(Self(normal))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^/", "maxLength": 1024 })
    }
}

/// A path of a file in the repository, as written: relative to its root or to the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RepoPath(pub(crate) String);

impl Scalar for RepoPath {
    const EXPECTED: &'static str = "the path of a file in the repository";
    const RULE: &'static str = "path";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const INSIDE: &str = "name a file of this repository, as in `scripts/check.sh`";
        if text.is_empty() || text.chars().any(is_unsafe) || text.len() > 1024 {
            return Err(Wrong::new("not a usable path").help(INSIDE));
        }
        if text.starts_with('/') {
            return Err(Wrong::new(format!("`{text}` is a path of the host")).help(INSIDE));
        }
        if text.split('/').any(|part| part == "..") {
            return Err(Wrong::new(format!("`{text}` may leave the repository")).help(INSIDE));
        }
        let parts: Vec<&str> = text
            .split('/')
            .filter(|part| !part.is_empty() && *part != ".")
            .collect();
        Ok(Self(parts.join("/")))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[^/]", "maxLength": 1024 })
    }
}

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

/// A SHA-256 in hex.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sha256(pub(crate) String);

impl Scalar for Sha256 {
    const EXPECTED: &'static str = "a SHA-256 of 64 hex digits";
    const RULE: &'static str = "digest";
    const NUMBER: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(Wrong::new("not a SHA-256: it has 64 hex digits")
            .help("write the first column of what `sha256sum FILE` prints"))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F]{64}$" })
    }
}

/// A user or group of a workload: a name or a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserSpec(pub(crate) String);

impl Scalar for UserSpec {
    const EXPECTED: &'static str = "a user name or number";
    const RULE: &'static str = "user";
    const NUMBER: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        let number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let fits = if number {
            text.parse::<u32>().is_ok_and(|id| id < 65_536)
        } else {
            (1..=31).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
                && !text.starts_with(['-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
        };
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::new(format!("`{text}` is no user of a workload"))
            .help("write a name of up to 31 letters, digits, `_` and `-`, or a number below 65536"))
    }

    fn schema() -> Value {
        json!({ "type": ["string", "integer"], "pattern": "^([A-Za-z_][A-Za-z0-9_-]{0,30}|[0-9]{1,5})$", "minimum": 0, "maximum": 65535 })
    }
}

/// A value of an environment variable; numbers and booleans are taken as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvValue(pub(crate) String);

impl crate::document::decode::Written for EnvValue {
    fn read(
        node: &crate::document::node::Node,
        cx: &mut crate::document::decode::Cx<'_>,
    ) -> Option<Self> {
        use crate::document::node::Kind;
        let text = match &node.kind {
            Kind::Text(text) | Kind::Number(text) => text.clone(),
            Kind::Bool(flag) => flag.to_string(),
            Kind::Null => {
                let help = Some("write \"\" for an empty value".to_owned());
                cx.wrong_type(node, "text", help);
                return None;
            }
            _ => {
                cx.wrong_type(node, "text", None);
                return None;
            }
        };
        if text.contains(['\0', '\n', '\r']) {
            let message = format!("`{}` holds a line end or NUL", cx.key());
            let help =
                "an environment value is one line; put longer text in a file or a credential"
                    .to_owned();
            cx.error_help(node.span, "environment", message, help);
            return None;
        }
        if text.len() > 32 * 1024 {
            cx.error(
                node.span,
                "environment",
                format!("`{}` is longer than 32 KiB", cx.key()),
            );
            return None;
        }
        Some(Self(text))
    }

    fn schema() -> Value {
        json!({ "type": ["string", "number", "boolean"] })
    }
}

/// Name of a network interface: at most 15 bytes, the kernel's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IfName(pub(crate) String);

impl Scalar for IfName {
    const EXPECTED: &'static str = "the name of a network interface";
    const RULE: &'static str = "interface-name";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.len() > 15 {
            let cut: String = text.chars().take(15).collect();
            let cut = cut.trim_end_matches('-');
            return Err(Wrong::new(format!(
                "`{text}` has {} bytes, the name of an interface has at most 15",
                text.len()
            ))
            .help(format!("write a shorter one, as `{cut}`")));
        }
        let fits = !text.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
            && !text.starts_with(['-', '.'])
            && !matches!(text, "all" | "default" | "lo")
            && !text.bytes().all(|b| b.is_ascii_digit());
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Wrong::new(format!("`{text}` cannot be the name of an interface"))
                .help("use letters, digits, `-`, `_` and `.`, as in `eth0`"),
        )
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$" })
    }
}

/// A Linux capability, capabilities(7), as `CAP_...`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capability(pub(crate) String);

impl Scalar for Capability {
    const EXPECTED: &'static str = "a capability such as `CAP_NET_RAW`";
    const RULE: &'static str = "capability";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if CAPABILITIES.contains(&text) {
            return Ok(Self(text.to_owned()));
        }
        let wrong = Wrong::new(format!("`{text}` is not a capability of the kernel"));
        let upper = text.get(..64).unwrap_or(text).to_ascii_uppercase();
        let full = if upper.starts_with("CAP_") {
            upper
        } else {
            format!("CAP_{upper}")
        };
        Err(
            match crate::document::suggest::nearest(&full, CAPABILITIES) {
                Some(name) => wrong.help(format!("did you mean `{name}`?")),
                None => wrong
                    .help("capabilities(7) lists them: `CAP_NET_BIND_SERVICE`, `CAP_NET_RAW`, ..."),
            },
        )
    }

    fn schema() -> Value {
        json!({ "enum": CAPABILITIES.as_slice() })
    }
}

/// A system call or a group of them (`@mount`), systemd.exec(5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SystemCall(pub(crate) String);

impl Scalar for SystemCall {
    const EXPECTED: &'static str = "a system call such as `keyctl` or a group such as `@mount`";
    const RULE: &'static str = "system-call";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let name = text.strip_prefix('@').unwrap_or(text);
        let fits = (1..=64).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Wrong::new(format!("`{text}` is not the name of a system call"))
                .help("`systemd-analyze syscall-filter` lists groups and names"),
        )
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^@?[a-z0-9_-]{1,64}$" })
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

    #[test]
    fn paths() {
        let help = |text: &str| AbsolutePath::parse(text).unwrap_err().help;
        assert!(AbsolutePath::parse("/srv/data").is_ok());
        assert_eq!(help("srv").as_deref(), Some("write `/srv`"));
        assert_eq!(help("/srv//data/").as_deref(), Some("write `/srv/data`"));
        assert!(help("/srv/../etc").is_some());
        assert_eq!(RepoPath::parse("./a//b"), Ok(RepoPath("a/b".into())));
        for text in ["/etc/passwd", "../x", "a/../b", "", "a\nb"] {
            assert!(RepoPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn words_of_the_kernel() {
        let help = |text: &str| Capability::parse(text).unwrap_err().help.unwrap();
        assert_eq!(help("net_raw"), "did you mean `CAP_NET_RAW`?");
        assert_eq!(help("CAP_NET_ADMN"), "did you mean `CAP_NET_ADMIN`?");
        assert!(IfName::parse("br-tenant001").is_ok());
        assert!(
            IfName::parse("br-a-very-long-name")
                .unwrap_err()
                .help
                .is_some()
        );
        for text in ["", "lo", "-a", "a/b", "12", "a b"] {
            assert!(IfName::parse(text).is_err(), "{text}");
        }
        for text in ["root", "0", "www-data", "1000"] {
            assert!(UserSpec::parse(text).is_ok(), "{text}");
        }
        for text in ["", "65536", "a:b", "-x", "1abc"] {
            assert!(UserSpec::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_is_proposed() {
        assert_eq!(name_from("My Shop_1").as_deref(), Some("my-shop-1"));
        assert_eq!(name_from("---"), None);
    }

    proptest! {
        #[test]
        fn a_proposed_name_is_a_name(text in "\\PC{0,50}") {
            if let Some(name) = name_from(&text) {
                prop_assert!(Name::new(name).is_ok());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (GitUrl::parse(&text), GitRef::parse(&text), RepoPath::parse(&text));
            let _ = (AbsolutePath::parse(&text), Capability::parse(&text), IfName::parse(&text));
        }
    }
}
