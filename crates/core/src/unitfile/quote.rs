//! Quoting of words and command lines, systemd.syntax(7) and systemd.service(5) "Command lines".

use std::fmt::Write as _;

/// A word that is split off, unquoted and expanded for specifiers.
pub(super) fn word(text: &str) -> Result<String, &'static str> {
    quoted(text, false)
}

/// An argument of a command line: as [`word`], and `$` would be a variable.
pub(super) fn argument(text: &str) -> Result<String, &'static str> {
    quoted(text, true)
}

/// The program of a command line: no variables are expanded in it, so `$` cannot be escaped.
pub(super) fn program(text: &str) -> Result<String, &'static str> {
    let plain = !text.is_empty() && text.bytes().all(|b| b != b'%' && is_plain(b));
    if plain && !text.starts_with(['-', '@', ':', '+', '!', '|']) {
        Ok(text.to_owned())
    } else {
        Err("a program is a plain path or name")
    }
}

fn quoted(text: &str, variables: bool) -> Result<String, &'static str> {
    if text.contains('\0') {
        return Err("NUL cannot be written");
    }
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(text.replace('%', "%%"));
    }
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("%%"),
            '$' if variables => out.push_str("$$"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte)
}
