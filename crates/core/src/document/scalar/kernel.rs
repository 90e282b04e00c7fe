//! Words of the kernel: users, interfaces, capabilities, system calls.

use super::{Scalar, Wrong};
use crate::document::suggest::nearest;
use crate::model::CAPABILITIES;
use serde_json::{Value, json};

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
        Err(match nearest(&full, CAPABILITIES) {
            Some(name) => wrong.help(format!("did you mean `{name}`?")),
            None => {
                wrong.help("capabilities(7) lists them: `CAP_NET_BIND_SERVICE`, `CAP_NET_RAW`, ...")
            }
        })
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

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = (Capability::parse(&text), IfName::parse(&text));
        }
    }
}
