//! Wishes that come too late: what is allocated once stays.

use super::TenantAllocation;
use crate::desired::DesiredTenant;
use crate::finding::Finding;

/// Notes about what `tenant` asks for and `allocation` decided otherwise, when it was made or because it is taken.
pub fn unmet(tenant: &DesiredTenant, allocation: &TenantAllocation) -> Vec<Finding> {
    let networks = tenant.networks.iter();
    let notes = networks.filter_map(|network| {
        let wanted = network.bridge.as_ref()?;
        let link = &allocation.networks.get(&network.name)?.link;
        let message = format!(
            "bridge `{wanted}` is not used: network `{}` has `{link}`, and keeps it as long as the tenant exists",
            network.name
        );
        (wanted != link).then(|| Finding::note(network.origin.clone(), "bridge-name", message))
    });
    notes.collect()
}
