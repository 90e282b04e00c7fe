//! What a network has beyond its bridge: a way out of this host, a routing domain of its own.

use super::taken::Taken;
use super::tunnel;
use super::{NetworkAllocation, TenantAllocation, names};
use crate::finding::Finding;
use crate::model::{Name, Network, NetworkDetails, NetworkMode, Pools};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// First routing table of tenants' VRFs: nobody counts up to it by hand.
const FIRST_TABLE: u32 = 48_059_000;
/// Routing tables of tunnels follow their ports from here on.
const TUNNEL_TABLE: u32 = 48_200_000;

/// A link of the host that takes packets of a network out of this host, and back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Uplink {
    /// A VLAN of a trunk link, a port of the bridge.
    Vlan {
        /// Its name, at most 15 bytes, unique on the host.
        link: String,
        /// The trunk link.
        parent: String,
        /// VLAN id, unique on the trunk.
        id: u16,
        /// Router of the VLAN; `None` when the host is the router.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        router: Option<Ipv4Addr>,
    },
    /// A WireGuard link, into which the host routes.
    Wireguard {
        /// Its name, at most 15 bytes, unique on the host.
        link: String,
        /// UDP port that it listens on, unique on the host.
        port: u16,
    },
    /// A VXLAN segment, a port of the bridge.
    Vxlan {
        /// Its name, at most 15 bytes, unique on the host.
        link: String,
        /// VXLAN network identifier, unique on the host.
        vni: u32,
    },
}

impl Uplink {
    /// Its name.
    pub fn link(&self) -> &str {
        match self {
            Self::Vlan { link, .. } | Self::Wireguard { link, .. } | Self::Vxlan { link, .. } => {
                link
            }
        }
    }

    /// The routing table that only what comes from this network is looked up in: what is behind its peers is nobody else's
    /// business.
    pub fn table(&self) -> Option<u32> {
        match self {
            Self::Wireguard { port, .. } => Some(TUNNEL_TABLE + u32::from(*port)),
            _ => None,
        }
    }

    /// Whether it is a port of the bridge: what it brings has passed no packet rules of this host.
    pub fn is_port(&self) -> bool {
        match self {
            Self::Vlan { .. } | Self::Vxlan { .. } => true,
            Self::Wireguard { .. } => false,
        }
    }
}

/// A routing domain of its own, into which the bridge is put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vrf {
    /// Its name, at most 15 bytes, unique on the host.
    pub link: String,
    /// Its routing table, unique on the host.
    pub table: u32,
}

/// The uplink of `network`: what it had keeps its name.
pub(super) fn uplink(
    network: &Network,
    tenant: &Name,
    own: Option<&NetworkAllocation>,
    pools: &Pools,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Result<Option<Uplink>, Box<Finding>> {
    let own = own.and_then(|own| own.uplink.as_ref());
    let name = |prefix| link(prefix, tenant, &network.name, taken, allocation);
    Ok(match &network.details {
        NetworkDetails::Vlan { id, parent, router } => {
            free_vlan(network, *id, parent, taken, allocation)?;
            let kept = match own {
                Some(Uplink::Vlan { link, .. }) => Some(link.clone()),
                _ => None,
            };
            Some(Uplink::Vlan {
                link: kept.unwrap_or_else(|| name("vl")),
                parent: parent.clone(),
                id: *id,
                router: *router,
            })
        }
        NetworkDetails::Wireguard { listen_port, .. } => {
            let (kept, port) = match own {
                Some(Uplink::Wireguard { link, port }) => (Some(link.clone()), Some(*port)),
                _ => (None, None),
            };
            Some(Uplink::Wireguard {
                port: tunnel::port(network, *listen_port, port, pools, taken, allocation)?,
                link: kept.unwrap_or_else(|| name("wg")),
            })
        }
        NetworkDetails::Vxlan { vni, .. } => {
            let (kept, had) = match own {
                Some(Uplink::Vxlan { link, vni }) => (Some(link.clone()), Some(*vni)),
                _ => (None, None),
            };
            Some(Uplink::Vxlan {
                vni: tunnel::vni(network, *vni, had, pools, taken, allocation)?,
                link: kept.unwrap_or_else(|| name("vx")),
            })
        }
        NetworkDetails::Plain => None,
    })
}

/// The routing domain of `network`, when it is of that mode.
pub(super) fn vrf(
    network: &Network,
    tenant: &Name,
    own: Option<&NetworkAllocation>,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Option<Vrf> {
    if network.mode != NetworkMode::Vrf {
        return None;
    }
    let own = own.and_then(|own| own.vrf.clone());
    own.or_else(|| {
        let of_tenant = || {
            let networks = allocation.networks.values();
            networks.filter_map(|network| network.vrf.as_ref())
        };
        let free = |table: &u32| {
            !taken.tables.contains(table) && !of_tenant().any(|vrf| vrf.table == *table)
        };
        Some(Vrf {
            link: link("vrf", tenant, &network.name, taken, allocation),
            table: (FIRST_TABLE..).find(free)?,
        })
    })
}

fn free_vlan(
    network: &Network,
    id: u16,
    parent: &str,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Result<(), Box<Finding>> {
    let others = allocation
        .networks
        .iter()
        .filter(|(name, _)| **name != network.name);
    let own = others.filter_map(|(name, network)| match &network.uplink {
        Some(Uplink::Vlan { id, parent, .. }) => Some((name, (parent.as_str(), *id))),
        _ => None,
    });
    let mut own = own.filter(|(_, vlan)| *vlan == (parent, id));
    let holder = if taken.vlans.contains(&(parent, id)) {
        "another tenant of this host".to_owned()
    } else if let Some((name, _)) = own.next() {
        format!("network `{name}` of this tenant")
    } else {
        return Ok(());
    };
    let message = format!(
        "VLAN {id} of `{parent}`, which network `{}` asks for, is that of {holder}",
        network.name
    );
    let finding = Finding::error(network.origin.clone(), "vlan-taken", message);
    let help = "write another `id`, one that the operator of the trunk gives you".to_owned();
    Err(Box::new(finding.help(help)))
}

/// `<prefix>-<tenant>` for the default network, `<prefix>-<tenant>-<network>` for others, or a prefix and a hash.
pub(super) fn link(
    prefix: &str,
    tenant: &Name,
    network: &Name,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> String {
    let own = |link: &str| {
        let networks = allocation.networks.values();
        let interfaces = allocation.machines.values();
        let mut interfaces = interfaces.flat_map(|machine| machine.interfaces.values());
        networks
            .flat_map(NetworkAllocation::links)
            .any(|name| name == link)
            || interfaces.any(|interface| interface.link == link)
    };
    names::device(prefix, tenant, network, |name| {
        !taken.links.contains(name) && !own(name)
    })
}
