//! Text of which only the length and the characters are checked.

use super::{Scalar, Wrong};
use crate::document::decode::{Cx, Written};
use crate::document::node::{Kind, Node};
use serde_json::{Value, json};

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

/// A value of an environment variable; numbers and booleans are taken as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EnvValue(pub(crate) String);

impl Written for EnvValue {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
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
