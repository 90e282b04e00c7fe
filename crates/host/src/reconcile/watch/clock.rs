//! When the window of a generation began: `/run/bitbuilder/window/<id>.json`.
//!
//! On the clock of [`Host::uptime`], which no setting of the time of day moves. The file is gone after a restart of the
//! host, and so is what ran: the window then begins again.

use crate::atomic;
use crate::host::{Host, HostError};
use bitbuilder_core::model::{Millis, Name};
use bitbuilder_core::window::Window;
use serde::{Deserialize, Serialize};

/// A window that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    /// Format version, 1.
    format: u64,
    generation: u64,
    #[serde(rename = "try")]
    attempt: u64,
    /// [`Host::uptime`] at its beginning.
    at: u64,
    /// Length of the window for which the manager was asked to start the judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    armed: Option<u64>,
}

/// The unit that judges a tenant.
pub fn judge_unit(id: &Name) -> String {
    format!("tenant-rollback@{id}.service")
}

/// `window` begins now.
pub(in crate::reconcile) fn begin(
    host: &dyn Host,
    id: &Name,
    window: &Window,
) -> Result<(), HostError> {
    let begun = Begun {
        format: atomic::FORMAT,
        generation: window.generation,
        attempt: window.attempt,
        at: host.uptime(),
        armed: None,
    };
    atomic::write_json(&host.root().window(id), &begun)
}

/// There is no window any more.
pub(crate) fn end(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    if read(host, id).is_some() {
        host.forget_later(&judge_unit(id))?;
        atomic::remove(&host.root().window(id))?;
    }
    Ok(())
}

/// Whether `window` began since the host was started.
pub(super) fn has_begun(host: &dyn Host, id: &Name, window: &Window) -> bool {
    read(host, id).is_some_and(|begun| {
        begun.generation == window.generation && begun.attempt == window.attempt
    })
}

/// Whether the time of the window is over.
pub(super) fn is_due(host: &dyn Host, id: &Name, length: Millis) -> bool {
    end_of(host, id, length).is_some_and(|end| host.uptime() >= end)
}

/// When the window is over, on the clock of [`Host::uptime`]; `None` when it has not begun since the host was started.
pub(crate) fn end_of(host: &dyn Host, id: &Name, length: Millis) -> Option<u64> {
    read(host, id).map(|begun| begun.at.saturating_add(length.0))
}

/// Has the judge started at the end of the window, and some times before: what fails for good is seen earlier, and most
/// of it soon.
pub(in crate::reconcile) fn arm(
    host: &dyn Host,
    id: &Name,
    length: Millis,
) -> Result<(), HostError> {
    /// The manager may be early by as much as it is late.
    const SLACK: u64 = 200;
    let Some(begun) = read(host, id) else {
        return Ok(());
    };
    let now = host.uptime();
    let end = begun.at.saturating_add(length.0);
    if begun.armed == Some(length.0) && now < end {
        return Ok(());
    }
    let at = |part: u64| {
        begun
            .at
            .saturating_add(length.0 / part)
            .saturating_add(SLACK)
    };
    let delays: Vec<u64> = [8, 4, 2, 1]
        .into_iter()
        .map(at)
        .filter(|at| *at > now)
        .map(|at| at - now)
        .collect();
    host.start_later(&judge_unit(id), &delays)?;
    let begun = Begun {
        armed: Some(length.0),
        ..begun
    };
    atomic::write_json(&host.root().window(id), &begun)
}

/// A file that is damaged is as good as none: the window begins again.
fn read(host: &dyn Host, id: &Name) -> Option<Begun> {
    atomic::read_json(&host.root().window(id)).ok().flatten()
}
