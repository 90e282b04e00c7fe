//! What can go wrong with the trail.

use crate::host::HostError;
use crate::source::SourceError;
use std::path::PathBuf;

/// A failure of the audit trail.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The repository failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The key cannot be used.
    #[error("the audit key {}: {reason}", path.display())]
    Key {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no trail.
    #[error("{} has no audit trail", .0.display())]
    None(PathBuf),
    /// A record is not what was written, or not where it was written.
    #[error("the audit trail is broken at record {number} (commit {commit}): {reason}")]
    Broken {
        /// Its place, as far as it is known: 1 is the first.
        number: u64,
        /// Its commit.
        commit: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The auditor knows of a record that the trail does not have.
    #[error(
        "the audit trail does not have the record {head}, which was its head once: records were removed or written again"
    )]
    Cut {
        /// The commit that the auditor kept.
        head: String,
    },
}
