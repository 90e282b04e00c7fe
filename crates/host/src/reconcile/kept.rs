//! How long the data of tenants that left has been kept: counted on the clock of [`Host::uptime`], which no setting of the time
//! of day moves.
//!
//! `allocations.json` has the sum and up to when it is counted, so that a kill loses nothing and counts nothing twice. That
//! clock begins anew when the host is started: then `/run/bitbuilder/counted` is gone, and counting goes on from the first
//! pass. What was not written down by then is kept longer, never shorter.

use super::PassError;
use crate::atomic;
use crate::host::Host;
use crate::paths::HostRoot;
use bitbuilder_core::allocate::{self, Allocations};
use bitbuilder_core::model::Millis;

/// How often it is written down at least, milliseconds: what a restart of the host costs.
const EVERY: u64 = 3_600_000;

/// Whether what is counted is of this start of the host.
fn is_counting(root: &HostRoot) -> bool {
    root.counted().exists()
}

fn is_needed(allocations: &Allocations) -> bool {
    let mut tenants = allocations.tenants.values();
    tenants.any(|allocation| allocation.released.is_some())
}

/// Seconds for which the host has been up since it was counted last.
pub(super) fn uncounted(host: &dyn Host, allocations: &Allocations) -> u64 {
    let counted = allocations.counted.filter(|_| is_counting(host.root()));
    counted.map_or(0, |at| host.uptime().saturating_sub(at) / 1000)
}

/// Counts up to now.
pub(super) fn count(host: &dyn Host, allocations: &mut Allocations) {
    let seconds = uncounted(host, allocations);
    allocate::count(allocations, seconds);
    let counted = allocations.counted.filter(|_| is_counting(host.root()));
    // Parts of a second count the next time.
    let counted = counted.map(|at| at.saturating_add(1000 * seconds));
    let now = host.uptime();
    allocations.counted = Some(counted.map_or(now, |at| at.min(now)));
}

/// Writes the allocations. Where nobody left, nothing is counted.
pub(super) fn write(host: &dyn Host, allocations: &mut Allocations) -> Result<(), PassError> {
    let needed = is_needed(allocations);
    allocations.counted = allocations.counted.filter(|_| needed);
    let path = host.root().allocations();
    let content = atomic::json(&path, allocations)?;
    atomic::write(&path, &content, 0o644)?;
    if !needed {
        atomic::remove(&host.root().counted())?;
    }
    Ok(())
}

/// What was counted, and is written, is of this start of the host.
pub(super) fn mark(host: &dyn Host, allocations: &Allocations) -> Result<(), PassError> {
    if is_needed(allocations) {
        atomic::write(&host.root().counted(), b"", 0o644)?;
    }
    Ok(())
}

/// When it has to be counted again, on the clock of [`Host::uptime`]; `None` where nobody left.
pub(super) fn next(allocations: &Allocations, retention: Millis) -> Option<u64> {
    let left = allocations.tenants.values();
    let left = left.filter(|allocation| allocation.released.is_some());
    let left = left.map(|allocation| retention.0.saturating_sub(1000 * allocation.kept));
    let wait = left.min()?.min(EVERY);
    Some(allocations.counted.unwrap_or_default().saturating_add(wait))
}
