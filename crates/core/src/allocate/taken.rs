//! What the other tenants have, indexed for look-ups.

use super::{Allocations, TenantAllocation, Uplink};
use crate::model::{Name, Protocol, Subnet4};
use std::collections::{BTreeSet, HashSet};

/// Everything that one tenant must not get because another has it.
#[derive(Debug, Default)]
pub(super) struct Taken<'a> {
    pub(super) numbers: HashSet<u32>,
    pub(super) links: HashSet<&'a str>,
    pub(super) machines: HashSet<&'a str>,
    pub(super) macs: HashSet<&'a str>,
    pub(super) subnets: Vec<Subnet4>,
    /// Upper 64 bits of the IPv6 networks.
    pub(super) ipv6: BTreeSet<u64>,
    pub(super) ports: BTreeSet<(Protocol, u16)>,
    /// Trunk links and VLAN ids.
    pub(super) vlans: BTreeSet<(&'a str, u16)>,
    /// Routing tables.
    pub(super) tables: BTreeSet<u32>,
}

impl<'a> Taken<'a> {
    /// What every tenant of `current` but `tenant` has; released ones count until they expire.
    pub(super) fn by_others(current: &'a Allocations, tenant: &Name) -> Self {
        let mut taken = Self::default();
        for (id, allocation) in &current.tenants {
            if id != tenant {
                taken.add(allocation);
            }
        }
        taken
    }

    fn add(&mut self, allocation: &'a TenantAllocation) {
        self.numbers.insert(allocation.number);
        self.ports.extend(&allocation.ports);
        for network in allocation.networks.values() {
            self.links.extend(network.links());
            self.tables
                .extend(network.vrf.as_ref().map(|vrf| vrf.table));
            if let Some(Uplink::Vlan { parent, id, .. }) = &network.uplink {
                self.vlans.insert((parent, *id));
            }
            self.subnets.push(network.subnet);
            self.ipv6.extend(network.ipv6.map(upper_half));
        }
        for machine in allocation.machines.values() {
            self.machines.insert(&machine.machine);
            for interface in machine.interfaces.values() {
                self.links.insert(&interface.link);
                self.macs.insert(&interface.mac);
            }
        }
    }
}

/// The 64 bits of `address` that name its /64.
pub(super) fn upper_half(address: std::net::Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}
