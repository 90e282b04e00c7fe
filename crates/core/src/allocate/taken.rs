//! What the other tenants have, indexed for look-ups.

use super::{Allocations, TenantAllocation, Uplink};
use crate::model::{Name, Protocol, Subnet4};
use std::borrow::Borrow;
use std::collections::BTreeSet;

/// Everything that one tenant must not get because another has it.
#[derive(Debug, Default)]
pub(super) struct Taken<'a> {
    pub(super) numbers: Sorted<u32>,
    pub(super) links: Sorted<&'a str>,
    pub(super) machines: Sorted<&'a str>,
    pub(super) macs: Sorted<&'a str>,
    pub(super) subnets: Vec<Subnet4>,
    /// Upper 64 bits of the IPv6 networks.
    pub(super) ipv6: Sorted<u64>,
    /// The same of networks in routing domains of their own.
    pub(super) apart: (Vec<Subnet4>, BTreeSet<u64>),
    pub(super) ports: BTreeSet<(Protocol, u16)>,
    /// Trunk links and VLAN ids.
    pub(super) vlans: BTreeSet<(&'a str, u16)>,
    /// UDP ports of WireGuard.
    pub(super) tunnels: BTreeSet<u16>,
    /// Network identifiers of VXLAN.
    pub(super) vnis: BTreeSet<u32>,
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
        taken.numbers.sort();
        taken.ipv6.sort();
        for names in [&mut taken.links, &mut taken.machines, &mut taken.macs] {
            names.sort();
        }
        taken
    }

    fn add(&mut self, allocation: &'a TenantAllocation) {
        self.numbers.0.push(allocation.number);
        self.ports.extend(&allocation.ports);
        for network in allocation.networks.values() {
            self.links.0.extend(network.links());
            self.tables
                .extend(network.vrf.as_ref().map(|vrf| vrf.table));
            match &network.uplink {
                Some(Uplink::Vlan { parent, id, .. }) => {
                    self.vlans.insert((parent, *id));
                }
                Some(Uplink::Wireguard { port, .. }) => {
                    self.tunnels.insert(*port);
                }
                Some(Uplink::Vxlan { vni, .. }) => {
                    self.vnis.insert(*vni);
                }
                None => {}
            }
            let ipv6 = network.ipv6.map(upper_half);
            if network.vrf.is_some() {
                self.apart.0.push(network.subnet);
                self.apart.1.extend(ipv6);
            } else {
                self.subnets.push(network.subnet);
                self.ipv6.0.extend(ipv6);
            }
        }
        let shared = allocation.shared().map(|one| one.mac.as_str());
        self.macs.0.extend(shared);
        for machine in allocation.machines.values() {
            self.machines.0.push(&machine.machine);
            for interface in machine.interfaces.values() {
                self.links.0.push(&interface.link);
                self.macs.0.push(&interface.mac);
            }
        }
    }
}

/// A set that is made once for every tenant: to sort what is nearly in order takes less than to hash it.
#[derive(Debug)]
pub(super) struct Sorted<T>(Vec<T>);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Sorted<T> {
    fn sort(&mut self) {
        self.0.sort();
    }

    pub(super) fn contains<Q: Ord + ?Sized>(&self, value: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        let found = self.0.binary_search_by(|own| own.borrow().cmp(value));
        found.is_ok()
    }
}

/// The 64 bits of `address` that name its /64.
pub(super) fn upper_half(address: std::net::Ipv6Addr) -> u64 {
    (u128::from(address) >> 64) as u64
}
