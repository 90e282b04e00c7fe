//! What is on the disk for as long as there is a trial: the link to the confirmed generation, and the mark of this start of
//! the host.

use crate::atomic;
use crate::host::{Host, HostError};
use bitbuilder_core::model::{Millis, Name};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// `/run/bitbuilder/trial/<id>.json`: this start of the host has made the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Format version, 1.
    format: u64,
    /// The generation on trial.
    generation: u64,
    /// When it is over, on the clock of [`Host::uptime`].
    until: u64,
}

/// Puts down that `generation` is on trial for `length`, and that `confirmed` is where to go back to.
pub(super) fn write(
    host: &dyn Host,
    id: &Name,
    (generation, confirmed): (u64, u64),
    length: Millis,
) -> Result<(), HostError> {
    let target = Path::new("../../tenants").join(id.as_str());
    let target = target.join("generations").join(confirmed.to_string());
    atomic::write_link(&host.root().trial(id), &target)?;
    let mark = Mark {
        format: atomic::FORMAT,
        generation,
        until: host.uptime().saturating_add(length.0),
    };
    atomic::write_json(&host.root().trial_mark(id), &mark)
}

/// When the trial of `id` is over, on the clock of [`Host::uptime`]; `None` when there is none.
pub(crate) fn until(host: &dyn Host, id: &Name) -> Option<u64> {
    let mark: Option<Mark> = atomic::read_json(&host.root().trial_mark(id)).ok()?;
    Some(mark?.until)
}

/// Tenants of which something is on trial, or was when the host went down.
pub(super) fn on_trial(host: &dyn Host) -> Result<Vec<Name>, HostError> {
    let directory = host.root().trials();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(HostError::file(&directory))?;
        ids.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| Name::new(name).ok()),
        );
    }
    Ok(ids)
}
