//! Names in a tree: which are refused, and how any bytes become text without loss.

use std::fmt::Write;

/// Longest file name that Linux file systems keep, in bytes.
const NAME_MAX: usize = 255;

/// An entry's name: text that is safe to show, and why it is refused.
pub(super) struct CheckedName {
    /// The name; escaped when it is not plain text.
    pub(super) text: String,
    /// What is wrong with it.
    pub(super) problem: Option<&'static str>,
    /// Whether it cannot stand for a file at all, so that nothing below it is read.
    pub(super) skip: bool,
}

/// Checks one component of a path.
pub(super) fn check(name: &[u8]) -> CheckedName {
    let (text, plain) = text(name);
    let unusable = match name {
        b"" => Some("the name is empty"),
        b"." | b".." => Some("the name points to a directory, not to a file"),
        _ if name.eq_ignore_ascii_case(b".git") => Some("the name is reserved by Git"),
        _ if name.contains(&b'/') => Some("the name contains a slash"),
        _ if name.len() > NAME_MAX => Some("the name is longer than 255 bytes"),
        _ => None,
    };
    CheckedName {
        text,
        problem: unusable.or((!plain).then_some("the name is not UTF-8 or has control characters")),
        skip: unusable.is_some(),
    }
}

/// `bytes` as text, and whether they are UTF-8 without control characters. If not, then `\` is doubled and each
/// offending byte becomes `\xNN`.
pub(super) fn text(bytes: &[u8]) -> (String, bool) {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => (text.to_owned(), true),
        _ => (escape(bytes), false),
    }
}

fn escape(bytes: &[u8]) -> String {
    let mut escaped = String::new();
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => escaped.push_str("\\\\"),
                c if c.is_control() => {
                    let mut buffer = [0; 4];
                    escape_bytes(&mut escaped, c.encode_utf8(&mut buffer).as_bytes());
                }
                c => escaped.push(c),
            }
        }
        escape_bytes(&mut escaped, chunk.invalid());
    }
    escaped
}

fn escape_bytes(escaped: &mut String, bytes: &[u8]) {
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(escaped, "\\x{byte:02x}");
    }
}

/// `directory/name`, or `name` in the root.
pub(super) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
