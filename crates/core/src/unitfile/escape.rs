//! Names of units made from free text, as systemd-escape(1) makes them.

use std::fmt::Write as _;

/// `text` as part of a unit name: `systemd-escape TEXT`.
pub fn escape_unit_name(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if index == 0 => name.push_str("\\x2e"),
            b':' | b'_' | b'.' => name.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => name.push(byte.into()),
            _ => {
                // Writing to a String cannot fail.
                let _ = write!(name, "\\x{byte:02x}");
            }
        }
    }
    name
}

/// A path as part of a unit name: `systemd-escape --path PATH`. The path must be absolute and without `..`.
pub fn escape_path(path: &str) -> String {
    let parts: Vec<&str> = path
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    if parts.is_empty() {
        return "-".to_owned();
    }
    escape_unit_name(&parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Expected values are the output of systemd-escape 262.
    #[test]
    fn names_as_systemd_escape_makes_them() {
        assert_eq!(escape_unit_name("tenant-001"), "tenant\\x2d001");
        assert_eq!(escape_unit_name("a/b c"), "a-b\\x20c");
        assert_eq!(escape_unit_name(".x.y"), "\\x2ex.y");
        assert_eq!(escape_unit_name("Stra\u{df}e"), "Stra\\xc3\\x9fe");
    }

    #[test]
    fn paths_as_systemd_escape_makes_them() {
        assert_eq!(escape_path("/"), "-");
        assert_eq!(
            escape_path("/var//lib/tenants/my-shop/./layers/"),
            "var-lib-tenants-my\\x2dshop-layers"
        );
        assert_eq!(escape_path("/.hidden/x"), "\\x2ehidden-x");
    }
}
