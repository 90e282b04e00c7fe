//! The version of git, asked once.

use super::error::GitError;
use std::sync::OnceLock;

/// A version of git: major and minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

/// The oldest git that has all options we use.
pub const MINIMUM: Version = Version(2, 30);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// Reads `git version 2.47.3`.
pub(super) fn parse(output: &str) -> Option<Version> {
    let mut numbers = output.trim().strip_prefix("git version ")?.split('.');
    let major = numbers.next()?.parse().ok()?;
    let minor = numbers
        .next()?
        .trim_end_matches(|c: char| !c.is_ascii_digit());
    Some(Version(major, minor.parse().ok()?))
}

/// Checks `output` of `git version` against [`MINIMUM`].
pub(super) fn accept(output: &str) -> Result<(), GitError> {
    let found = parse(output).ok_or_else(|| GitError::UnknownVersion(output.trim().to_owned()))?;
    if found < MINIMUM {
        return Err(GitError::Version { found });
    }
    Ok(())
}

/// Runs `ask` until it succeeds once in this process.
pub(super) fn once(ask: impl FnOnce() -> Result<(), GitError>) -> Result<(), GitError> {
    static ACCEPTED: OnceLock<()> = OnceLock::new();
    if ACCEPTED.get().is_none() {
        ask()?;
        ACCEPTED.get_or_init(|| ());
    }
    Ok(())
}
