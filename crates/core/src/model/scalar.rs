//! Validated scalars that many documents share.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A name of a tenant, machine, container, network, volume or user:
/// `[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A text that is no [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a name: use 1 to 32 of a-z, 0-9 and `-`, beginning and ending with a letter or digit"
)]
pub struct InvalidName(pub String);

impl Name {
    /// Checks `text` against the rule for names.
    ///
    /// # Errors
    /// [`InvalidName`] when a character, the length or an outer dash breaks it.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidName> {
        let text = text.into();
        let fits = (1..=32).contains(&text.len())
            && text
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !text.starts_with('-')
            && !text.ends_with('-');
        if fits {
            Ok(Self(text))
        } else {
            Err(InvalidName(text))
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number of bytes, written as `512M`, `4G`, `1.5T` with binary multiples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Processor time in thousandths of a core: `0.5` is 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MilliCores(pub u64);

/// A duration in milliseconds, written as systemd.time(7) writes time spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// What a workload or tenant wants of the host; `None` means: what its container grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resources {
    /// Processor time.
    pub cpu: Option<MilliCores>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Disk space.
    pub storage: Option<Bytes>,
    /// Number of tasks (processes and threads).
    pub tasks: Option<u64>,
}
