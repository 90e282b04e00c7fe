//! What the host remembers of a tenant between passes: `/var/lib/tenants/<id>/state.json`.

use crate::atomic;
use crate::events::{HistoryEntry, HistoryEvent};
use crate::generations;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::drift::Item;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Millis, Name};
use bitbuilder_core::sync::backoff;
use bitbuilder_core::window::Window;
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
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Highest generation number that was ever given.
    #[serde(default)]
    pub highest: u64,
    /// Hash of what was last compiled: while it is the same, nothing needs to be compiled again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Commit that the operator rolled back from: it stays out until another one arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined: Option<String>,
    /// With which inputs it stays out, when it was what came with the commit that failed: another policy may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quarantined_inputs: Option<String>,
    /// The current generation is being tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Generations that were Healthy, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub good: Vec<u64>,
    /// The current generation is on trial.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Commit of another reference that was tried last: it is not tried again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tried: Option<String>,
    /// A roll-back that was begun and is not at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returning: Option<Return>,
    /// The current generation does not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degradation>,
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
    /// What differs from the current generation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// What happened, oldest first.
    #[serde(default)]
    pub history: Vec<HistoryEntry>,
}

impl Default for TenantState {
    fn default() -> Self {
        Self {
            format: atomic::FORMAT,
            deployed: None,
            signer: None,
            highest: 0,
            inputs: None,
            quarantined: None,
            quarantined_inputs: None,
            window: None,
            good: Vec::new(),
            trial: None,
            tried: None,
            returning: None,
            degraded: None,
            refused: None,
            suspended: None,
            fetch_failure: None,
            findings: Vec::new(),
            drift: None,
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

/// A roll-back on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// The generation that is left.
    pub from: u64,
    /// The one that becomes current again.
    pub to: u64,
    /// Why, when the host does it; `None` is an operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A generation on trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number.
    pub generation: u64,
    /// The generation that returns unless it is confirmed.
    pub confirmed: u64,
    /// Its commit.
    pub commit: String,
    /// The reference that was asked for; `None` is the tenant's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Hash of what it was compiled from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<String>,
    /// Who signed its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

/// A generation that does not work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Degradation {
    /// Its number.
    pub generation: u64,
    /// Seconds since the epoch.
    pub since: u64,
    /// Why.
    pub reason: String,
    /// Its tries are over, and there is nothing to go back to: it is kept as it is for somebody to look.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
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

/// What differs from the current generation, as the last pass saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// The differences, sorted.
    pub items: Vec<Item>,
    /// How often a pass tried to put just these right.
    #[serde(default)]
    pub tries: u32,
}

impl Drift {
    /// The first difference, and how many more there are.
    pub fn summary(&self) -> Option<String> {
        summary(self.items.iter())
    }
}

/// The first of `items`, and how many more there are.
pub(crate) fn summary<'i>(mut items: impl Iterator<Item = &'i Item>) -> Option<String> {
    let first = items.next()?.sentence();
    Some(match items.count() {
        0 => first,
        more => format!("{first} and {more} more"),
    })
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
        let newest = generations::read_manifest(root, id, highest)?;
        let commit = newest.commit;
        let left = generations::current(root, id)?.is_some_and(|current| current < highest);
        Ok(Self {
            highest,
            quarantined: left.then(|| commit.clone()),
            deployed: Some(commit),
            signer: newest.signer,
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
            && self.trial.is_none()
            && self.returning.is_none()
            && self.degraded.is_none()
            && self.drift.is_none()
    }

    /// Notes that `generation` was Healthy.
    pub(super) fn note_good(&mut self, generation: u64) {
        /// The current one, and the one to go back to.
        const KEPT: usize = 2;
        self.good.retain(|number| *number != generation);
        self.good.push(generation);
        let excess = self.good.len().saturating_sub(KEPT);
        self.good.drain(..excess);
    }

    /// Whether `generation` had its tries and is left as it is.
    pub(super) fn is_left(&self, generation: u64) -> bool {
        let degraded = self.degraded.as_ref();
        degraded.is_some_and(|degraded| degraded.left && degraded.generation == generation)
    }

    /// Whether somebody should look at the tenant without being asked: something is being tried, or does not work.
    pub(super) fn wants_attention(&self) -> bool {
        self.window.is_some()
            || self.trial.is_some()
            || self.returning.is_some()
            || self.degraded.is_some()
    }

    /// Adds to the history; the oldest entries go.
    pub fn record(&mut self, time: u64, event: HistoryEvent) {
        self.history.push(HistoryEntry { time, event });
        let excess = self.history.len().saturating_sub(HISTORY);
        self.history.drain(..excess);
    }
}
