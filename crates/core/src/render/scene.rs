//! Desired state and allocation side by side, for all renderers.

use super::names;
use crate::allocate::{InterfaceAllocation, NetworkAllocation, TenantAllocation};
use crate::desired::{DesiredTenant, DesiredWorkload};
use crate::digest::sha256;
use crate::finding::{Finding, Origin};
use crate::model::{Name, Network, NetworkDetails};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One tenant, ready to be written down.
pub(super) struct Scene<'a> {
    pub(super) tenant: &'a DesiredTenant,
    /// Host uid (and gid) of the tenant's root.
    pub(super) uid_base: u32,
    /// Conntrack zone: the tenant's number, which is below 65,536 as there are only so many ranges of uids.
    pub(super) zone: u32,
    /// Its networks.
    pub(super) bridges: Vec<Bridge<'a>>,
    pub(super) workloads: Vec<Placed<'a>>,
    /// The interface of the network namespace that workloads share.
    pub(super) namespace: Option<Port<'a>>,
    /// `metadata.json`, the origin of what belongs to the tenant as a whole.
    pub(super) origin: Origin,
}

/// A network that is a bridge of the host, or that the host routes without one.
pub(super) struct Bridge<'a> {
    pub(super) network: &'a Network,
    pub(super) allocated: &'a NetworkAllocation,
    /// The host's address in it.
    pub(super) gateway: Ipv4Addr,
    /// The links that the IP layer of the host sees its packets come from and go to.
    pub(super) links: Vec<&'a str>,
}

/// A workload with its names and ports.
pub(super) struct Placed<'a> {
    pub(super) desired: &'a DesiredWorkload,
    /// Name in machined.
    pub(super) machine: &'a str,
    /// Unit that runs it.
    pub(super) unit: String,
    /// Its interfaces, in the order of its attachments.
    pub(super) ports: Vec<Port<'a>>,
    /// Whether it is in the network namespace of its tenant, whose interface it has in place of one of its own.
    pub(super) shares: bool,
}

/// One network interface.
#[derive(Clone)]
pub(super) struct Port<'a> {
    /// The network.
    pub(super) network: &'a Name,
    /// Index in [`Scene::bridges`].
    pub(super) bridge: usize,
    /// Host end.
    pub(super) link: &'a str,
    /// Name inside.
    pub(super) name: String,
    /// Name that the inner end has on the host before a booted container takes it.
    pub(super) peer: String,
    pub(super) mac: &'a str,
    pub(super) address: Ipv4Addr,
    /// Address in the network's IPv6 subnet, as SLAAC makes it from the MAC address.
    pub(super) ipv6: Option<Ipv6Addr>,
    /// Link-local address, made the same way.
    pub(super) link_local: Ipv6Addr,
    /// Megabits a second, each way, and where that is written.
    pub(super) bandwidth: Option<(u64, &'a Origin)>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        tenant: &'a DesiredTenant,
        allocation: &'a TenantAllocation,
    ) -> Result<Self, Vec<Finding>> {
        let mut findings = Vec::new();
        let mut bridges: Vec<Bridge<'a>> = tenant
            .networks
            .iter()
            .filter_map(|network| {
                Bridge::new(network, allocation)
                    .map_err(|finding| findings.push(finding))
                    .ok()
            })
            .collect();
        let workloads: Vec<Placed<'a>> = tenant
            .workloads
            .iter()
            .filter_map(|desired| {
                Placed::new(desired, allocation, &bridges)
                    .map_err(|finding| findings.push(finding))
                    .ok()
            })
            .collect();
        let namespace = namespace(&bridges, &mut findings);
        if !findings.is_empty() {
            return Err(findings);
        }
        for port in every(&workloads, namespace.as_ref()) {
            let bridge = &mut bridges[port.bridge];
            if bridge.allocated.private {
                bridge.links.push(port.link);
            }
        }
        Ok(Self {
            namespace,
            tenant,
            uid_base: allocation.uid_base,
            zone: allocation.number,
            bridges,
            workloads,
            origin: Origin::file("metadata.json"),
        })
    }

    /// Every port of the tenant.
    pub(super) fn ports(&self) -> impl Iterator<Item = &Port<'a>> {
        every(&self.workloads, self.namespace.as_ref())
    }

    /// The ports that are on bridges, where frames pass between them.
    pub(super) fn bridged_ports(&self) -> impl Iterator<Item = &Port<'a>> {
        self.ports()
            .filter(|port| !self.bridges[port.bridge].allocated.private)
    }

    /// The workload of a name.
    pub(super) fn workload(&self, name: &Name) -> Option<&Placed<'a>> {
        self.workloads
            .iter()
            .find(|workload| workload.desired.name == *name)
    }
}

/// Every port once.
fn every<'s, 'a>(
    workloads: &'s [Placed<'a>],
    namespace: Option<&'s Port<'a>>,
) -> impl Iterator<Item = &'s Port<'a>> {
    let own = workloads.iter().filter(|workload| !workload.shares);
    own.flat_map(|workload| &workload.ports).chain(namespace)
}

fn namespace<'a>(bridges: &[Bridge<'a>], findings: &mut Vec<Finding>) -> Option<Port<'a>> {
    let mut shared = bridges
        .iter()
        .enumerate()
        .filter_map(|(at, bridge)| Some((at, bridge.allocated.namespace.as_ref()?)));
    let (at, namespace) = shared.next()?;
    let origin = &bridges[at].network.origin;
    Port::new(0, at, &bridges[at], &namespace.interface, origin)
        .map_err(|finding| findings.push(finding))
        .ok()
}

impl<'a> Bridge<'a> {
    fn new(network: &'a Network, allocation: &'a TenantAllocation) -> Result<Self, Finding> {
        let missing = || missing(&network.origin, "network", &network.name);
        let allocated = allocation.networks.get(&network.name).ok_or_else(missing)?;
        let gateway = allocated.gateway().ok_or_else(missing)?;
        // The kernel hands what a bridge in a VRF received to rules as coming from the VRF, vrf.rst of its documentation.
        let vrf = allocated.vrf.as_ref().map(|vrf| vrf.link.as_str());
        let bridge = [Some(allocated.link.as_str()), vrf].into_iter().flatten();
        Ok(Self {
            network,
            allocated,
            gateway,
            links: bridge
                .filter(|_| !allocated.private)
                .chain(allocated.tunnel())
                .collect(),
        })
    }
}

impl Bridge<'_> {
    /// The host's IPv6 address in it.
    pub(super) fn gateway6(&self) -> Option<Ipv6Addr> {
        self.allocated.ipv6.map(|prefix| join(prefix, 1))
    }

    /// The link that the host routes packets into which are for the other ends.
    pub(super) fn tunnel(&self) -> Option<&str> {
        self.allocated.tunnel()
    }

    /// Bytes of its largest packet, when that is not what Ethernet carries.
    pub(super) fn mtu(&self) -> Option<u16> {
        match self.network.details {
            NetworkDetails::Wireguard { mtu, .. } | NetworkDetails::Vxlan { mtu, .. } => mtu,
            _ => None,
        }
    }

    /// Networks behind its peers, by way of the host.
    pub(super) fn behind(&self) -> impl Iterator<Item = &str> {
        let peers = match &self.network.details {
            NetworkDetails::Wireguard { peers, .. } => peers.as_slice(),
            _ => &[],
        };
        peers
            .iter()
            .flat_map(|peer| peer.allowed_ips.iter().map(String::as_str))
    }

    /// Where machines send what is for other networks.
    pub(super) fn router(&self) -> Ipv4Addr {
        self.allocated.foreign_router().unwrap_or(self.gateway)
    }

    /// The same for IPv6: a foreign router tells them itself.
    pub(super) fn router6(&self) -> Option<Ipv6Addr> {
        let host = self.allocated.foreign_router().is_none();
        self.gateway6().filter(|_| host)
    }

    /// As [`Self::links`], as JSON for rules.
    pub(super) fn link_values(&self) -> Vec<serde_json::Value> {
        self.links.iter().map(|link| (*link).into()).collect()
    }

    /// The same without the way to its peers.
    pub(super) fn inside(&self) -> Vec<serde_json::Value> {
        let tunnel = self.tunnel();
        let links = self.links.iter().filter(|link| Some(**link) != tunnel);
        links.map(|link| (*link).into()).collect()
    }

    /// Whether the host answers DHCP in it: not where each machine is alone on its link.
    pub(super) fn has_dhcp(&self) -> bool {
        self.network.dhcp && !self.allocated.private
    }
}

impl<'a> Placed<'a> {
    fn new(
        desired: &'a DesiredWorkload,
        allocation: &'a TenantAllocation,
        bridges: &[Bridge<'a>],
    ) -> Result<Self, Finding> {
        let machine = allocation
            .machines
            .get(&desired.name)
            .ok_or_else(|| missing(&desired.origin, "workload", &desired.name))?;
        let mut ports = Vec::new();
        let mut shares = false;
        for attachment in &desired.attachments {
            let bridge = bridges
                .iter()
                .position(|bridge| bridge.network.name == attachment.network);
            let Some(bridge) = bridge else { continue };
            let (at, bridge) = (bridge, &bridges[bridge]);
            let shared = bridge.allocated.namespace.as_ref();
            let interface = shared
                .map(|namespace| &namespace.interface)
                .or_else(|| machine.interfaces.get(&attachment.network))
                .ok_or_else(|| missing(&attachment.origin, "interface", &attachment.network))?;
            shares |= shared.is_some();
            let origin = &attachment.origin;
            let mut port = Port::new(ports.len(), at, bridge, interface, origin)?;
            port.bandwidth = attachment.bandwidth.map(|megabits| (megabits, origin));
            ports.push(port);
        }
        Ok(Self {
            shares,
            desired,
            machine: &machine.machine,
            unit: match desired.machine() {
                Some(_) => names::machine(&machine.machine),
                None => names::container(&machine.machine),
            },
            ports,
        })
    }
}

impl<'a> Port<'a> {
    /// The interface of a network, the `number`th of its machine.
    fn new(
        number: usize,
        at: usize,
        bridge: &Bridge<'a>,
        interface: &'a InterfaceAllocation,
        origin: &Origin,
    ) -> Result<Self, Finding> {
        let network = &bridge.network.name;
        let identifier = modified_eui64(&interface.mac)
            .ok_or_else(|| missing(origin, "MAC address", network))?;
        let ipv6 = bridge.allocated.ipv6;
        Ok(Self {
            network,
            bridge: at,
            link: &interface.link,
            name: format!("host{number}"),
            peer: peer(&interface.link),
            mac: &interface.mac,
            address: interface.address,
            ipv6: ipv6.map(|prefix| join(prefix, identifier)),
            link_local: join(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), identifier),
            bandwidth: None,
        })
    }
}

fn missing(origin: &Origin, what: &str, name: &Name) -> Finding {
    Finding::error(
        origin.clone(),
        "not-allocated",
        format!("{what} `{name}` has no allocation"),
    )
}

/// The inner end's name for the moment in which it is on the host: unique as far as a hash of 56 bits is.
fn peer(link: &str) -> String {
    format!("p{}", &sha256(link.as_bytes())[..14])
}

/// Interface identifier of an Ethernet address, RFC 4291 appendix A.
pub(crate) fn modified_eui64(mac: &str) -> Option<u64> {
    let mut octets = [0u8; 6];
    let mut parts = mac.split(':');
    for octet in &mut octets {
        *octet = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    let [a, b, c, d, e, f] = octets;
    let identifier = [a ^ 2, b, c, 0xff, 0xfe, d, e, f];
    parts
        .next()
        .is_none()
        .then(|| u64::from_be_bytes(identifier))
}

/// An address of a /64.
pub(crate) fn join(prefix: Ipv6Addr, identifier: u64) -> Ipv6Addr {
    let high = u128::from(prefix) & !u128::from(u64::MAX);
    Ipv6Addr::from(high | u128::from(identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Seen on a kernel: `ip link ... address 02:bb:00:00:01:02` gave `fe80::bb:ff:fe00:102`.
    #[test]
    fn interface_identifiers_are_the_kernels() {
        let identifier = modified_eui64("02:bb:00:00:01:02").unwrap();
        assert_eq!(
            join("fdbb:0:0:1::".parse().unwrap(), identifier).to_string(),
            "fdbb::1:bb:ff:fe00:102"
        );
        assert_eq!(modified_eui64("02:bb:00"), None);
        assert_eq!(modified_eui64("02:bb:00:00:01:02:03"), None);
    }

    #[test]
    fn a_peer_is_a_link_name() {
        assert_eq!(peer("v-shop-web").len(), 15);
        assert_ne!(peer("v-shop-web"), peer("v-shop-db"));
    }
}
