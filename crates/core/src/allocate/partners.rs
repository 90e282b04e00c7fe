//! Peerings that both sides declare.

use super::{Allocations, TenantAllocation};
use crate::desired::DesiredTenant;
use crate::finding::Finding;
use crate::model::Name;
use std::collections::BTreeSet;

/// A tenant with which a network is shared, both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// The other tenant.
    pub tenant: Name,
    /// The network of this one.
    pub network: Name,
    /// Links by which packets of the other's networks come that it shares with this one.
    pub links: BTreeSet<String>,
}

/// Who of `current` declares what `own`, the allocation of `id`, declares too. Whoever left has nothing to share.
pub fn partners(current: &Allocations, id: &Name, own: Option<&TenantAllocation>) -> Vec<Partner> {
    let declared = own.into_iter().flat_map(|own| &own.peerings);
    let shared = |(tenant, network): &(Name, Name)| {
        let other = current.tenants.get(tenant)?;
        let answered = other.peerings.iter();
        let mut answered = answered
            .filter(|(partner, _)| partner == id && other.released.is_none())
            .filter(|(_, network)| other.networks.contains_key(network))
            .peekable();
        answered.peek()?;
        let links = answered.flat_map(|(_, network)| other.links_inside(network));
        (tenant != id).then(|| Partner {
            tenant: tenant.clone(),
            network: network.clone(),
            links: links.map(str::to_owned).collect(),
        })
    };
    declared.filter_map(shared).collect()
}

/// Warnings about peerings of `tenant` that nobody answers.
pub fn alone(tenant: &DesiredTenant, partners: &[Partner]) -> Vec<Finding> {
    let answered = |peering: &&crate::model::Peering| {
        partners
            .iter()
            .any(|one| one.tenant == peering.tenant && one.network == peering.network)
    };
    let alone = tenant.peering.iter().filter(|peering| !answered(peering));
    alone
        .map(|peering| {
            let message = format!(
                "nothing is shared with tenant `{}` yet: it does not declare this peering",
                peering.tenant
            );
            Finding::warning(peering.origin.clone(), "peering-without-partner", message).help(format!(
                "it declares `peering: [{{ tenant: {}, network: ... }}]`, and the next pass opens both sides",
                tenant.id
            ))
        })
        .collect()
}
