//! Whether a host has what it needs, and whether what it keeps is whole.
//!
//! - [`machine()`]: programs, kernel, systemd, tools, disk: of the machine that this program runs on.
//! - [`state()`]: files of the host, real or simulated: templates, tenants and their generations.

mod machine;
mod state;

pub use machine::machine;
pub use state::state;

use serde::Serialize;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What it is about, in one or two words.
    pub name: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found, in one sentence without a full stop.
    pub message: String,
    /// What to do; when it is not well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it shall be.
    Ok,
    /// Tenants run, but not all that is written is enforced, or trouble is near.
    Warn,
    /// Tenants do not run, or what runs is not what is written.
    Fail,
}

impl Check {
    fn ok(name: &str, message: impl Into<String>) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::Ok,
            message: message.into(),
            advice: None,
        }
    }

    fn warn(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warn,
            advice: Some(advice.into()),
            ..Self::ok(name, message)
        }
    }

    fn fail(name: &str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Fail,
            ..Self::warn(name, message, advice)
        }
    }

    /// `found`, or a failure when it could not be looked at.
    fn of<E: std::fmt::Display>(name: &str, found: Result<Self, E>) -> Self {
        found.unwrap_or_else(|error| {
            Self::fail(
                name,
                error.to_string(),
                "`systemctl is-system-running` and `journalctl -b -p warning` say more",
            )
        })
    }
}
