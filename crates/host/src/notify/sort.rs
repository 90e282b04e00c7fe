//! From what happened to a queue for each receiver.

use super::{directory, queue, receivers, spool};
use crate::atomic;
use crate::host::{Host, HostError};
use bitbuilder_core::notify::Memory;
use serde::{Deserialize, Serialize};

/// `/var/lib/bitbuilder/notify/memory.json`.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    format: u64,
    #[serde(flatten)]
    memory: Memory,
}

/// Sorts what happened since the last time, and has what waits delivered.
///
/// # Errors
/// When a file cannot be read or written, or the manager refuses. The next run begins with what this one had.
pub fn sort(host: &dyn Host) -> Result<(), HostError> {
    let root = host.root();
    let path = directory(root).join("memory.json");
    loop {
        let notices = spool::take(root)?;
        if notices.is_empty() {
            break;
        }
        let mut kept: Kept = atomic::read_json(&path)?.unwrap_or_default();
        kept.format = atomic::FORMAT;
        let receivers = receivers(root)?;
        for notice in &notices {
            let Some(notice) = kept.memory.admit(notice.clone()) else {
                continue;
            };
            let wanted = receivers.iter().filter(|one| one.wants(notice.kind));
            for receiver in wanted {
                queue::add(root, receiver, &notice)?;
            }
        }
        kept.memory.forget(host.now());
        atomic::write_json(&path, &kept)?;
        spool::done(root)?;
    }
    let units: Vec<String> = queue::names(root)?
        .into_iter()
        .map(|receiver| format!("bitbuilder-notify@{receiver}.service"))
        .collect();
    if units.is_empty() {
        return Ok(());
    }
    host.start_no_block(&units)
}
