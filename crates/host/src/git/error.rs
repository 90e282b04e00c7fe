//! What can go wrong when git runs.

use super::version::{MINIMUM, Version};
use std::time::Duration;

/// A failure of the git command.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// It could not be started.
    #[error("cannot run git: {0}")]
    Spawn(#[source] std::io::Error),
    /// It is too old, or did not say how old it is.
    #[error("git {MINIMUM} or later is needed; this is {found}")]
    Version {
        /// What was found.
        found: Version,
    },
    /// It did not answer `git version` as expected.
    #[error("`git version` answered {0:?}")]
    UnknownVersion(String),
    /// It ended with an error.
    #[error("`{command}` failed ({status}): {message}")]
    Failed {
        /// The arguments, for people; without the fixed options.
        command: String,
        /// Exit status or signal.
        status: std::process::ExitStatus,
        /// The end of what it wrote to standard error.
        message: String,
    },
    /// It was killed because it took too long.
    #[error("`{command}` did not finish within {} s", limit.as_secs_f32())]
    TimeLimit {
        /// The arguments, for people.
        command: String,
        /// The limit.
        limit: Duration,
    },
    /// It was killed because it wrote too much.
    #[error("`{command}` wrote more than {limit} bytes")]
    OutputLimit {
        /// The arguments, for people.
        command: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// It was killed because a file grew too large: the pack of a fetch.
    #[error("`{command}` was stopped: it received more than {limit} bytes")]
    SizeLimit {
        /// The arguments, for people.
        command: String,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Waiting for it failed.
    #[error("cannot wait for git: {0}")]
    Wait(#[source] std::io::Error),
}
