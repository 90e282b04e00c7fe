//! What the host remembers of a tenant between passes: `/var/lib/tenants/<id>/state.json`.

use crate::atomic;
use crate::events::{HistoryEntry, HistoryEvent};
use crate::generations;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Millis, Name};
use bitbuilder_core::sync::backoff;
use serde::{Deserialize, Serialize};

/// Entries of a history that are kept.
const HISTORY: usize = 200;

/// Memory of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantState {
    /// Format version, 1.
    pub format: u64,
    /// Commit that was last deployed: only its descendants are accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed: Option<String>,
    /// Highest generation number that was ever given.
    #[serde(default)]
    pub highest: u64,
    /// Hash of what was last compiled: while it is the same, nothing needs to be compiled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Commit that the operator rolled back from: it stays out until another one arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// The newest commit is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Passes leave the tenant alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// The remote cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_failure: Option<FetchFailure>,
    /// Findings of the deployed commit that do not stop it: `vm not available on this host`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What happened, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
}

impl Default for TenantState {
    fn default() -> Self {
        Self {
            format: atomic::FORMAT,
            deployed: None,
            highest: 0,
            inputs: None,
            quarantined: None,
            refused: None,
            suspended: None,
            fetch_failure: None,
            findings: Vec::new(),
            history: Vec::new(),
        }
    }
}

/// Why a commit is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The commit.
    pub commit: String,
    /// Seconds since the epoch.
    pub since: u64,
    /// In one sentence.
    pub reason: String,
    /// What is wrong with its documents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// Since when and why passes leave a tenant alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Seconds since the epoch.
    pub since: u64,
    /// What the operator said.
    pub reason: String,
}

/// A remote that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchFailure {
    /// Seconds since the epoch of the first failure in a row.
    pub since: u64,
    /// Failures in a row.
    pub count: u64,
    /// The last error.
    pub error: String,
    /// Regular passes leave the remote alone until then: seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

impl FetchFailure {
    /// Whether a remote that is asked every `interval` may be asked again.
    pub(super) fn is_due(&self, now: u64, interval: Millis) -> bool {
        backoff::is_due(now, self.retry_after, interval)
    }
}

impl TenantState {
    /// The memory of `id`; when it is lost, as much of it as its generations tell.
    ///
    /// # Errors
    /// When the file or a generation is unreadable or of an unknown format.
    pub fn read(root: &HostRoot, id: &Name) -> Result<Self, HostError> {
        match atomic::read_json(&root.tenant_state(id))? {
            Some(state) => Ok(state),
            None => Self::remembered(root, id),
        }
    }

    /// What the newest generation was compiled from stays the mark, and stays out when an older one is current.
    fn remembered(root: &HostRoot, id: &Name) -> Result<Self, HostError> {
        let Some(&highest) = generations::list(root, id)?.last() else {
            return Ok(Self::default());
        };
        let commit = generations::read_manifest(root, id, highest)?.commit;
        let left = generations::current(root, id)?.is_some_and(|current| current < highest);
        Ok(Self {
            highest,
            quarantined: left.then(|| commit.clone()),
            deployed: Some(commit),
            ..Self::default()
        })
    }

    /// Writes it whole.
    ///
    /// # Errors
    /// When a file operation fails.
    pub fn write(&self, root: &HostRoot, id: &Name) -> Result<(), HostError> {
        atomic::write_json(&root.tenant_state(id), self)
    }

    /// Whether a pass would find nothing to say as long as no commit arrives.
    pub(super) fn is_at_rest(&self) -> bool {
        self.deployed.is_some()
            && self.quarantined.is_none()
            && self.refused.is_none()
            && self.suspended.is_none()
            && self.fetch_failure.is_none()
    }

    /// Adds to the history; the oldest entries go.
    pub fn record(&mut self, time: u64, event: HistoryEvent) {
        self.history.push(HistoryEntry { time, event });
        let excess = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..excess);
    }
}
