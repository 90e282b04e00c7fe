//! What happened on the host, one JSON object per line, oldest first: `/var/lib/bitbuilder/events.jsonl`.

use crate::host::HostError;
use crate::paths::HostRoot;
use crate::reconcile::HistoryEvent;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the epoch.
    pub time: u64,
    /// The tenant; `None` is the system repository.
    pub tenant: Option<Name>,
    /// What happened.
    #[serde(flatten)]
    pub event: HistoryEvent,
}

/// Adds a line. The file is bounded: the older half goes when it grows over 4 MiB.
///
/// # Errors
/// When a file operation fails.
pub fn append(root: &HostRoot, record: &Record) -> Result<(), HostError> {
    let _ = (root, record);
    todo!()
}

/// All lines; one that is damaged (a crash in the middle of a write) is passed over.
///
/// # Errors
/// When the file is unreadable.
pub fn read(root: &HostRoot) -> Result<Vec<Record>, HostError> {
    let _ = root;
    todo!()
}
