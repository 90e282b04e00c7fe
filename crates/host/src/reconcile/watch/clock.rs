//! When the window of a generation began: `/run/bitbuilder/window/<id>.json`.
//!
//! On the clock of [`Host::uptime`], which no setting of the time of day moves. The file is gone after a restart of the
//! host, and so is what ran: the window then begins again.

use crate::atomic;
use crate::host::{Host, HostError};
use crate::reconcile::trial;
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
    };
    atomic::write_json(&host.root().window(id), &begun)
}

/// There is no window any more.
pub(crate) fn end(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    atomic::remove(&host.root().window(id))?;
    arm(host, id, Millis(0))
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

/// Has the judge started when the window or the trial is over, and some times before the end of the window: what fails
/// for good is seen earlier, and most of it soon. Nothing is asked for twice.
pub(in crate::reconcile) fn arm(
    host: &dyn Host,
    id: &Name,
    length: Millis,
) -> Result<(), HostError> {
    let path = host.root().armed(id);
    let armed: Option<Armed> = atomic::read_json(&path).ok().flatten();
    let armed = armed.map_or_else(Vec::new, |armed| armed.at);
    let now = host.uptime();
    let mut at = times(host, id, length);
    at.retain(|at| *at > now);
    if armed.iter().filter(|at| **at > now).eq(&at) && !(at.is_empty() && path.exists()) {
        return Ok(());
    }
    if at.is_empty() {
        host.forget_later(&judge_unit(id))?;
        return atomic::remove(&path).map(drop);
    }
    let delays: Vec<u64> = at.iter().map(|at| at - now).collect();
    host.start_later(&judge_unit(id), &delays)?;
    let format = atomic::FORMAT;
    atomic::write_json(&path, &Armed { format, at })
}

/// What the manager was asked for: `/run/bitbuilder/armed/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Armed {
    /// Format version, 1.
    format: u64,
    /// On the clock of [`Host::uptime`].
    at: Vec<u64>,
}

/// When there may be something to decide.
fn times(host: &dyn Host, id: &Name, length: Millis) -> Vec<u64> {
    /// The manager may be early by as much as it is late.
    const SLACK: u64 = 200;
    let part = |begun: u64, part: u64| begun.saturating_add(length.0 / part).saturating_add(SLACK);
    let window = read(host, id).map(|begun| [8, 4, 2, 1].map(|n| part(begun.at, n)));
    let trial = trial::until(host, id).map(|until| until.saturating_add(SLACK));
    let mut at: Vec<u64> = window.into_iter().flatten().chain(trial).collect();
    at.sort_unstable();
    at.dedup();
    at
}

/// A file that is damaged is as good as none: the window begins again.
fn read(host: &dyn Host, id: &Name) -> Option<Begun> {
    atomic::read_json(&host.root().window(id)).ok().flatten()
}
