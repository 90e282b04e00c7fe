//! Paths, of a workload and of the repository.

use super::{Scalar, Wrong, is_unsafe};
use serde_json::{Value, json};

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (RepoPath::parse(&text), AbsolutePath::parse(&text));
        }
    }
}
