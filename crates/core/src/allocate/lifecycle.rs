//! The end of an allocation: released when its tenant goes, free when it was kept for the retention time.
//!
//! That time is counted while the host is up, and no time of day is compared: whoever sets the clock, or starts the host with
//! a wrong one, before the removal or after it, ends nothing early.

use super::Allocations;
use crate::model::{Millis, Name};

/// Marks what `tenant` has as released at `now` (seconds since the epoch); a tenant that is released
/// already keeps its first time.
pub fn release(allocations: &mut Allocations, tenant: &Name, now: u64) {
    if let Some(allocation) = allocations.tenants.get_mut(tenant)
        && allocation.released.is_none()
    {
        allocation.released = Some(now);
        allocation.kept = 0;
    }
}

/// The host was up for `seconds` more: so long has been kept what is released.
pub fn count(allocations: &mut Allocations, seconds: u64) {
    for allocation in allocations.tenants.values_mut() {
        if allocation.released.is_some() {
            allocation.kept = allocation.kept.saturating_add(seconds);
        }
    }
}

/// Forgets what was kept for `retention`, and returns the tenants whose numbers are free from now on.
pub fn expire(allocations: &mut Allocations, retention: Millis) -> Vec<Name> {
    let seconds = retention.0.div_ceil(1000);
    let tenants = allocations.tenants.iter();
    let expired: Vec<Name> = tenants
        .filter(|(_, allocation)| allocation.released.is_some() && allocation.kept >= seconds)
        .map(|(tenant, _)| tenant.clone())
        .collect();
    for tenant in &expired {
        allocations.tenants.remove(tenant);
    }
    expired
}
