//! `network/topology.yaml`: networks, published ports, peerings.

use super::checks::{is_station, private4, unique_local};
use super::decode::{At, Cx, Table, written};
use super::facts::Facts;
use super::scalar::{IfName, Int, OrOff, Port, Subnet6};
use super::source::Span;
use super::value;
use super::wireguard::{PeerDoc, peers};
use crate::model::{
    Auto, MTU_IPV6, Name, Network, NetworkDetails, NetworkMode, Peering, Protocol, Publish,
    Subnet4, Topology,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Words of firewall rules; a network or workload of that name could not be told from them.
pub(crate) const RESERVED: [&str; 3] = ["any", "outside", "host"];

written! {
    /// `network/topology.yaml`: networks of the tenant, published ports and peerings.
    struct TopologyDoc {
        /// Networks by name; without any there is `default`, of metadata's mode.
        optional "networks" networks: Table<NetworkDoc>,
        /// Ports of the host that lead to a workload; only what the registry allows.
        optional "publish" publish: Vec<PublishDoc>,
        /// Networks shared with other tenants; works when both sides declare it.
        optional "peering" peering: Vec<PeeringDoc>,
    }
}

written! {
    /// A network.
    struct NetworkDoc {
        /// How it carries packets; isolated-bridge by default.
        optional "mode" mode: NetworkMode,
        /// IPv4 network; auto by default.
        optional "subnet" subnet: Auto<Subnet4>,
        /// IPv6 network (/64), auto or off; auto by default.
        optional "ipv6" ipv6: OrOff<Auto<Subnet6>>,
        /// Whether the host answers DHCP; true by default.
        optional "dhcp" dhcp: bool,
        /// Whether machines resolve each other's names; true by default.
        optional "dns" dns: bool,
        /// Whether machines reach the outside; false by default.
        optional "nat" nat: bool,
        /// wireguard: UDP port; auto by default.
        optional "listenPort" listen_port: Auto<Port>,
        /// wireguard: peers.
        optional "peers" peers: Vec<PeerDoc>,
        /// vxlan: network identifier; auto by default.
        optional "vni" vni: Auto<Int<1, 16_777_215>>,
        /// vxlan: multicast group of the other ends.
        optional "group" group: IpAddr,
        /// vxlan: addresses of the other ends.
        optional "remotes" remotes: Vec<At<IpAddr>>,
        /// vlan: its id.
        optional "id" id: Int<1, 4094>,
        /// vlan: address of its router in `subnet`; the host is the router by default.
        optional "gateway" gateway: IpAddr,
        /// vlan, vxlan: link of the host below it; vxlan: or a network of mode wireguard.
        optional "parent" parent: IfName,
        /// wireguard, vxlan: bytes of the largest packet; computed by default.
        optional "mtu" mtu: Int<576, 9200>,
    }
}

written! {
    /// A published port.
    struct PublishDoc {
        /// Port of the host.
        required "port" port: Port,
        /// Transport; tcp by default.
        optional "protocol" protocol: Protocol,
        /// Container or machine that answers.
        required "to" to: Name,
        /// Port of the workload; the same port by default.
        optional "toPort" to_port: Port,
    }
}

written! {
    /// A network that is shared with another tenant.
    struct PeeringDoc {
        /// The other tenant.
        required "tenant" tenant: Name,
        /// The network of this tenant.
        required "network" network: Name,
    }
}

/// The topology that `doc` says.
pub(crate) fn topology(doc: TopologyDoc, facts: &mut Facts<'_>, cx: &mut Cx<'_>) -> Topology {
    let mut topology = Topology::default();
    let mut subnets = BTreeMap::new();
    for (name, doc) in doc.networks.into_iter().flat_map(|table| table.value.0) {
        if let Some(At {
            value: Auto::Value(subnet),
            span,
        }) = &doc.subnet
        {
            overlap(*subnet, *span, &name.value, &mut subnets, cx);
        }
        topology.networks.extend(network(&name, doc, facts, cx));
    }
    facts.learn(&topology);
    let mut seen = BTreeMap::new();
    for doc in doc.publish.into_iter().flat_map(|list| list.value) {
        topology.publish.extend(publish(doc, &mut seen, facts, cx));
    }
    let mut seen = BTreeSet::new();
    for doc in doc.peering.into_iter().flat_map(|list| list.value) {
        topology.peering.extend(peering(doc, &mut seen, facts, cx));
    }
    topology
}

fn overlap(
    subnet: Subnet4,
    span: Span,
    name: &str,
    subnets: &mut BTreeMap<Ipv4Addr, (Subnet4, String)>,
    cx: &mut Cx<'_>,
) {
    // Those that are kept do not overlap: only the neighbours can.
    let before = subnets.range(..=subnet.address).next_back();
    let after = subnets.range(subnet.address..).next();
    let neighbours = before.into_iter().chain(after);
    let clash = neighbours
        .map(|(_, entry)| entry)
        .find(|(other, _)| other.overlaps(&subnet));
    let free = clash.is_none();
    if let Some((other, owner)) = clash {
        let message = format!("`{subnet}` overlaps `{other}` of network `{owner}`");
        cx.error_help(
            span,
            "subnet-overlap",
            message,
            "choose another subnet, or write `auto`".to_owned(),
        );
    }
    private4(subnet, span, cx);
    if !(8..=29).contains(&subnet.prefix) {
        let message = format!(
            "a subnet of a tenant has a prefix length of 8 to 29, not {}",
            subnet.prefix
        );
        cx.error_help(
            span,
            "subnet-size",
            message,
            "write a /24 unless you need another size".to_owned(),
        );
    }
    if free {
        subnets.insert(subnet.address, (subnet, name.to_owned()));
    }
}

fn network(
    name: &At<String>,
    doc: NetworkDoc,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Network> {
    let origin = cx.origin(name.span);
    let checked = super::key_name(name, cx);
    if RESERVED.contains(&name.value.as_str()) {
        let message = format!("`{}` has a meaning in firewall rules", name.value);
        cx.error_help(
            name.span,
            "reserved-name",
            message,
            "choose another name".to_owned(),
        );
    }
    let mode = doc
        .mode
        .as_ref()
        .map_or(NetworkMode::IsolatedBridge, |mode| mode.value);
    foreign_keys(&doc, mode, cx);
    let ipv6 = ipv6(&doc, cx);
    let subnet = doc
        .subnet
        .as_ref()
        .map_or(Auto::Auto, |subnet| subnet.value);
    let (dhcp, dns, nat) = (doc.dhcp.clone(), doc.dns.clone(), doc.nat.clone());
    let mtu = mtu(&doc, ipv6.is_some(), cx);
    let details = details(doc, mode, mtu, name, facts, cx)?;
    Some(Network {
        origin,
        name: checked?,
        mode,
        subnet,
        ipv6,
        dhcp: value(dhcp, true),
        dns: value(dns, true),
        nat: value(nat, false),
        bridge: None,
        details,
    })
}

/// Keys of another mode, which would be ignored in silence.
fn foreign_keys(doc: &NetworkDoc, mode: NetworkMode, cx: &mut Cx<'_>) {
    use NetworkMode::{Vlan, Vxlan, Wireguard};
    let keys = [
        (
            "listenPort",
            doc.listen_port.as_ref().map(|at| at.span),
            [Wireguard, Wireguard],
        ),
        (
            "peers",
            doc.peers.as_ref().map(|at| at.span),
            [Wireguard, Wireguard],
        ),
        ("vni", doc.vni.as_ref().map(|at| at.span), [Vxlan, Vxlan]),
        (
            "group",
            doc.group.as_ref().map(|at| at.span),
            [Vxlan, Vxlan],
        ),
        (
            "remotes",
            doc.remotes.as_ref().map(|at| at.span),
            [Vxlan, Vxlan],
        ),
        ("id", doc.id.as_ref().map(|at| at.span), [Vlan, Vlan]),
        (
            "gateway",
            doc.gateway.as_ref().map(|at| at.span),
            [Vlan, Vlan],
        ),
        (
            "parent",
            doc.parent.as_ref().map(|at| at.span),
            [Vlan, Vxlan],
        ),
        (
            "mtu",
            doc.mtu.as_ref().map(|at| at.span),
            [Wireguard, Vxlan],
        ),
    ];
    for (key, span, modes) in keys {
        let Some(span) = span else { continue };
        if !modes.contains(&mode) {
            let message = format!("`{key}` means nothing to a network of mode {mode}");
            let help = format!("remove it, or write `mode: {}`", modes[0]);
            cx.error_help(span, "foreign-key", message, help);
        }
    }
}

fn ipv6(doc: &NetworkDoc, cx: &mut Cx<'_>) -> Option<Auto<Ipv6Addr>> {
    let Some(At {
        value: written,
        span,
    }) = &doc.ipv6
    else {
        return Some(Auto::Auto);
    };
    match written {
        OrOff::Off => None,
        OrOff::Value(Auto::Auto) => Some(Auto::Auto),
        OrOff::Value(Auto::Value(Subnet6(address, prefix))) => {
            unique_local(*address, *span, cx);
            if *prefix != 64 {
                let message = format!("an IPv6 network of a tenant is a /64, not a /{prefix}");
                cx.error_help(
                    *span,
                    "subnet-size",
                    message,
                    format!("write `{address}/64`"),
                );
            }
            Some(Auto::Value(*address))
        }
    }
}

/// The written size; IPv6 does not work below 1280 bytes, RFC 8200.
fn mtu(doc: &NetworkDoc, ipv6: bool, cx: &mut Cx<'_>) -> Option<u16> {
    let At { value, span } = doc.mtu.as_ref()?;
    if ipv6 && value.0 < u64::from(MTU_IPV6) {
        let message = format!("`mtu: {}` is too small for IPv6", value.0);
        let help = format!("write {MTU_IPV6} or more, or `ipv6: off`");
        cx.error_help(*span, "mtu-too-small", message, help);
    }
    u16::try_from(value.0).ok()
}

fn details(
    doc: NetworkDoc,
    mode: NetworkMode,
    mtu: Option<u16>,
    name: &At<String>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<NetworkDetails> {
    let clean = doc.clean;
    let parent = doc.parent.map(|link| link.value.0);
    Some(match mode {
        NetworkMode::Wireguard => NetworkDetails::Wireguard {
            listen_port: match doc.listen_port.map(|port| port.value) {
                Some(Auto::Value(port)) => Auto::Value(port.port()),
                _ => Auto::Auto,
            },
            peers: peers(doc.peers.map(|list| list.value), facts, cx),
            mtu,
        },
        NetworkMode::Vxlan => {
            far_ends(doc.group.as_ref(), doc.remotes.as_ref(), name, cx);
            NetworkDetails::Vxlan {
                vni: match doc.vni.map(|vni| vni.value) {
                    Some(Auto::Value(vni)) => Auto::Value(u32::try_from(vni.0).unwrap_or(1)),
                    _ => Auto::Auto,
                },
                group: doc.group.map(|group| group.value),
                remotes: doc
                    .remotes
                    .into_iter()
                    .flat_map(|l| l.value)
                    .map(|ip| ip.value)
                    .collect(),
                parent,
                mtu,
            }
        }
        NetworkMode::Vlan => {
            let router = router(doc.gateway.as_ref(), doc.subnet.as_ref(), cx);
            let id = doc.id.map(|id| u16::try_from(id.value.0).unwrap_or(1));
            let (Some(id), Some(parent)) = (id, parent) else {
                if !clean {
                    return None;
                }
                let message = format!(
                    "network `{}` of mode vlan needs `id` and `parent`",
                    name.value
                );
                let help = "add `id: 1000` and `parent: LINK`, a trunk link of the host".to_owned();
                cx.error_help(name.span, "missing-key", message, help);
                return None;
            };
            NetworkDetails::Vlan { id, parent, router }
        }
        _ => NetworkDetails::Plain,
    })
}

/// The router of a VLAN: a machine can only reach one of its own subnet.
fn router(
    gateway: Option<&At<IpAddr>>,
    subnet: Option<&At<Auto<Subnet4>>>,
    cx: &mut Cx<'_>,
) -> Option<Ipv4Addr> {
    let gateway = gateway?;
    let subnet = match subnet.map(|subnet| subnet.value) {
        Some(Auto::Value(subnet)) => subnet,
        _ => {
            let message = "a `gateway` needs the `subnet` that it is in";
            let help = "add `subnet: 10.64.7.0/24`, that of the VLAN".to_owned();
            cx.error_help(gateway.span, "missing-key", message, help);
            return None;
        }
    };
    match gateway.value {
        IpAddr::V4(address) if is_host_of(subnet, address) => Some(address),
        address => {
            let message = format!("gateway `{address}` is no address of a router in `{subnet}`");
            let example = subnet.nth(1).unwrap_or(subnet.address);
            let help = format!("write an address of that subnet, as {example}");
            cx.error_help(gateway.span, "gateway-unreachable", message, help);
            None
        }
    }
}

/// Whether `address` is in `subnet` and neither its own nor its broadcast address.
fn is_host_of(subnet: Subnet4, address: Ipv4Addr) -> bool {
    let next = u32::from(address).checked_add(1).map(Ipv4Addr::from);
    subnet.contains(address)
        && address != subnet.address
        && next.is_some_and(|next| subnet.contains(next))
}

/// Where a VXLAN leads to: a multicast group or a list of remotes.
fn far_ends(
    group: Option<&At<IpAddr>>,
    remotes: Option<&At<Vec<At<IpAddr>>>>,
    name: &At<String>,
    cx: &mut Cx<'_>,
) {
    if let Some(group) = group.filter(|group| !group.value.is_multicast()) {
        let message = format!("`{}` is not a multicast address", group.value);
        let help = "write one from 239.0.0.0/8 or ff05::/16, or use `remotes`".to_owned();
        cx.error_help(group.span, "multicast", message, help);
    }
    let help = "write `group: 239.1.1.1` or `remotes: [192.0.2.1]`".to_owned();
    match (group, remotes) {
        (Some(_), Some(remotes)) => {
            let message = "a VXLAN has a `group` or `remotes`, not both";
            cx.error_help(
                remotes.span,
                "vxlan-ends",
                message,
                "keep one of the two".to_owned(),
            );
        }
        (None, None) => {
            let message = format!("network `{}` of mode vxlan leads nowhere", name.value);
            cx.error_help(name.span, "vxlan-ends", message, help);
        }
        (None, Some(remotes)) if remotes.value.is_empty() => {
            cx.error_help(
                remotes.span,
                "vxlan-ends",
                "the list of remotes is empty",
                help,
            );
        }
        _ => {}
    }
    stations(remotes, cx);
}

/// Each of the other ends is one station, and all of them speak the same protocol.
fn stations(remotes: Option<&At<Vec<At<IpAddr>>>>, cx: &mut Cx<'_>) {
    let remotes = remotes.map_or(&[][..], |list| &list.value);
    for (index, At { value, span }) in remotes.iter().enumerate() {
        let problem = if !is_station(*value) {
            "is not the address of another host"
        } else if remotes[..index].iter().any(|other| other.value == *value) {
            "is there already"
        } else if value.is_ipv4() != remotes[0].value.is_ipv4() {
            "is of another protocol than the first one"
        } else {
            continue;
        };
        let help = "write the addresses of the other hosts, each once, all IPv4 or all IPv6";
        let message = format!("`{value}` {problem}");
        cx.error_help(*span, "vxlan-ends", message, help.to_owned());
    }
}

fn publish(
    doc: PublishDoc,
    seen: &mut BTreeMap<(Protocol, u64), u32>,
    facts: &Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Publish> {
    let origin = cx.origin(doc.span);
    let protocol = doc
        .protocol
        .as_ref()
        .map_or(Protocol::Tcp, |word| word.value);
    if let Some(port) = &doc.port {
        let line = cx.origin(port.span).line;
        let first = *seen.entry((protocol, port.value.0)).or_insert(line);
        if first != line {
            let message = format!(
                "{protocol}/{} is published twice, first in line {first}",
                port.value.0
            );
            cx.error_help(
                port.span,
                "duplicate-port",
                message,
                "choose another port".to_owned(),
            );
        }
    }
    let known = doc.to.as_ref().is_some_and(|to| facts.workload(to, cx));
    let port = doc.port?.value.port();
    Some(Publish {
        origin,
        port,
        protocol,
        to: doc.to.filter(|_| known)?.value,
        to_port: doc.to_port.map_or(port, |port| port.value.port()),
    })
}

fn peering(
    doc: PeeringDoc,
    seen: &mut BTreeSet<(Name, Name)>,
    facts: &Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Peering> {
    let origin = cx.origin(doc.span);
    let network = doc.network.filter(|network| facts.network(network, cx));
    let (tenant, network) = (doc.tenant?, network?);
    if !seen.insert((tenant.value.clone(), network.value.clone())) {
        let message = format!("the peering with `{}` is declared twice", tenant.value);
        cx.error_help(
            tenant.span,
            "duplicate",
            message,
            "keep one of the two".to_owned(),
        );
    }
    Some(Peering {
        origin,
        tenant: tenant.value,
        network: network.value,
    })
}
