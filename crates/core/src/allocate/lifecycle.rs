//! The end of an allocation: released when its tenant goes, free when the retention time has passed.

use super::Allocations;
use crate::model::{Millis, Name};

/// Marks what `tenant` has as released at `now` (seconds since the epoch); a tenant that is released
/// already keeps its first time.
pub fn release(allocations: &mut Allocations, tenant: &Name, now: u64) {
    if let Some(allocation) = allocations.tenants.get_mut(tenant) {
        allocation.released.get_or_insert(now);
    }
}

/// Forgets what was released at least `retention` before `now` (seconds since the epoch), and returns
/// the tenants whose numbers are free from now on.
pub fn expire(allocations: &mut Allocations, now: u64, retention: Millis) -> Vec<Name> {
    let kept = retention.0.div_ceil(1000);
    let over = |released: Option<u64>| {
        released.is_some_and(|released| released.saturating_add(kept) <= now)
    };
    let expired: Vec<Name> = allocations
        .tenants
        .iter()
        .filter(|(_, allocation)| over(allocation.released))
        .map(|(tenant, _)| tenant.clone())
        .collect();
    for tenant in &expired {
        allocations.tenants.remove(tenant);
    }
    expired
}
