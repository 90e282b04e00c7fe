//! Numbers, names and addresses of a tenant: made once, recorded, disjoint, never reused before their time.

mod assign;
mod lifecycle;
mod machines;
pub(crate) mod names;
mod namespace;
mod networks;
mod partners;
mod taken;
#[cfg(test)]
mod tests;
mod tunnel;
mod unmet;
mod uplink;

pub use assign::{allocate, assign};
pub use lifecycle::{count, expire, release};
pub use partners::{Partner, alone, partners};
pub use unmet::unmet;
pub use uplink::{Uplink, Vrf};

use crate::model::{Name, Protocol, Subnet4};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Every allocation of the host: `/var/lib/bitbuilder/allocations.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// Format version, 1.
    pub format: u32,
    /// By tenant, removed ones included until their retention time has passed.
    pub tenants: BTreeMap<Name, TenantAllocation>,
    /// Up to when [`TenantAllocation::kept`] is counted, in milliseconds of a clock that nobody sets and that begins anew
    /// when the host is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<u64>,
}

impl Default for Allocations {
    fn default() -> Self {
        Self {
            format: 1,
            tenants: BTreeMap::new(),
            counted: None,
        }
    }
}

/// What one tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantAllocation {
    /// Tenant number, from 1.
    pub number: u32,
    /// First host uid (and gid) of its user-namespace range of 65,536.
    pub uid_base: u32,
    /// By network name.
    pub networks: BTreeMap<Name, NetworkAllocation>,
    /// By workload name.
    pub machines: BTreeMap<Name, MachineAllocation>,
    /// Ports of the host that it publishes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ports: BTreeSet<(Protocol, u16)>,
    /// Peerings that it declares: the other tenant, and its own network.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub peerings: BTreeSet<(Name, Name)>,
    /// Seconds since the epoch at which the tenant was removed; `None` while it is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<u64>,
    /// Seconds that the host has been up since then: what the retention time is compared with.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub kept: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl TenantAllocation {
    /// Interfaces of `workload` by network, those included that it shares with others.
    pub fn interfaces_of(
        &self,
        workload: &Name,
    ) -> impl Iterator<Item = (&Name, &InterfaceAllocation)> {
        let own = self.machines.get(workload).into_iter();
        let own = own.flat_map(|machine| &machine.interfaces);
        let shared = self.networks.iter().filter_map(move |(name, network)| {
            let namespace = network.namespace.as_ref()?;
            let member = namespace.members.contains(workload);
            member.then_some((name, &namespace.interface))
        });
        own.chain(shared)
    }

    /// The interfaces that workloads share.
    pub fn shared(&self) -> impl Iterator<Item = &InterfaceAllocation> {
        let networks = self.networks.values();
        let namespaces = networks.filter_map(|network| network.namespace.as_ref());
        namespaces.map(|namespace| &namespace.interface)
    }

    /// The tenant is registered (again); whether it was removed.
    pub fn restore(&mut self) -> bool {
        self.kept = 0;
        self.released.take().is_some()
    }

    /// Links by which the host sees packets of the machines of `network` come: its bridge, or that of each machine.
    pub fn links_inside(&self, network: &Name) -> Vec<&str> {
        match self.networks.get(network) {
            Some(own) if own.private => {
                let machines = self.machines.values();
                let interfaces = machines.filter_map(|machine| machine.interfaces.get(network));
                interfaces
                    .map(|interface| interface.link.as_str())
                    .collect()
            }
            Some(own) => vec![own.link.as_str()],
            None => Vec::new(),
        }
    }
}

/// What one network has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkAllocation {
    /// Bridge (or other link) of the host, at most 15 bytes, unique on the host.
    pub link: String,
    /// IPv4 subnet; the host has its first address.
    pub subnet: Subnet4,
    /// IPv6 /64; the host has `::1` of it.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it has no bridge: the host routes between the links of its machines.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private: bool,
    /// What takes its packets out of this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uplink: Option<Uplink>,
    /// The routing domain that it is in, when it is not the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vrf: Option<Vrf>,
    /// The network namespace that its workloads share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
}

/// What a network namespace has: one interface for all who are in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Its interface.
    #[serde(flatten)]
    pub interface: InterfaceAllocation,
    /// The workloads in it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub members: BTreeSet<Name>,
}

impl NetworkAllocation {
    /// Address of the host on this network: the first one that is no router's.
    pub fn gateway(&self) -> Option<Ipv4Addr> {
        let first = self.subnet.nth(1);
        match self.foreign_router() {
            Some(router) if Some(router) == first => self.subnet.nth(2),
            _ => first,
        }
    }

    /// The router of this network when it is not the host.
    pub fn foreign_router(&self) -> Option<Ipv4Addr> {
        match self.uplink {
            Some(Uplink::Vlan { router, .. }) => router,
            _ => None,
        }
    }

    /// The link that the host routes packets into which are for the other ends.
    pub fn tunnel(&self) -> Option<&str> {
        let uplink = self.uplink.as_ref();
        uplink.filter(|uplink| !uplink.is_port()).map(Uplink::link)
    }

    /// Routing table of its tunnel.
    pub fn table(&self) -> Option<u32> {
        self.uplink.as_ref().and_then(Uplink::table)
    }

    /// Names of the links of the host that make up this network, its bridge first.
    pub fn links(&self) -> impl Iterator<Item = &str> {
        let uplink = self.uplink.as_ref().map(Uplink::link);
        let vrf = self.vrf.as_ref().map(|vrf| vrf.link.as_str());
        let namespace = self.namespace.as_ref().map(|one| &one.interface);
        let namespace = namespace.map(|interface| interface.link.as_str());
        [Some(self.link.as_str()), uplink, vrf, namespace]
            .into_iter()
            .flatten()
    }
}

/// What one workload has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineAllocation {
    /// Name in machined, at most 63 bytes, unique on the host.
    pub machine: String,
    /// By network name.
    pub interfaces: BTreeMap<Name, InterfaceAllocation>,
}

/// One network interface of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceAllocation {
    /// Host end of the link, at most 15 bytes, unique on the host.
    pub link: String,
    /// IPv4 address, unique in the network.
    pub address: Ipv4Addr,
    /// MAC address, lower-case hex with colons, unique on the host.
    pub mac: String,
}
