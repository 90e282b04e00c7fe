//! Sizes of packets in tunnels, and what is below them.

use super::Input;
use crate::finding::Finding;
use crate::model::{Auto, MTU_IPV6, Name, Network, NetworkDetails, holds};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Bytes of the largest packet between hosts, unless a document says otherwise.
const OUTSIDE: u16 = 1500;
/// What WireGuard adds: IPv6, UDP, its own header and tag.
const WIREGUARD: u16 = 80;
/// What VXLAN adds: its own header, UDP and Ethernet; IPv4 or IPv6.
const VXLAN4: u16 = 50;
const VXLAN6: u16 = 70;

/// Computes the sizes that are not written, and refuses parents that no tunnel can have.
pub(super) fn settle(input: &Input<'_>, networks: &mut Vec<Network>, findings: &mut Vec<Finding>) {
    let mut below = BTreeMap::new();
    for network in networks.iter_mut() {
        if let NetworkDetails::Wireguard { mtu, peers, .. } = &mut network.details {
            let carried = peers.iter().flat_map(|peer| &peer.allowed_ips).cloned();
            let tunnel = Tunnel {
                size: *mtu.get_or_insert(OUTSIDE - WIREGUARD),
                carried: carried.collect(),
            };
            below.insert(network.name.clone(), tunnel);
        }
    }
    findings.extend(networks.iter().filter_map(of_each_host));
    networks.retain_mut(|network| match vxlan(input, network, &below) {
        Ok(()) => true,
        Err(finding) => {
            findings.push(*finding);
            false
        }
    });
}

/// A network of mode wireguard, as what is above it sees it.
struct Tunnel {
    /// Bytes of its largest packet.
    size: u16,
    /// Networks behind its peers.
    carried: Vec<String>,
}

impl Tunnel {
    /// Whether packets to `address` go to a peer. Where there are none yet, nobody knows.
    fn leads_to(&self, address: &IpAddr) -> bool {
        let mut carried = self.carried.iter();
        self.carried.is_empty() || carried.any(|network| holds(network, *address))
    }
}

/// A warning about a segment whose hosts would each choose what they must have in common.
fn of_each_host(network: &Network) -> Option<Finding> {
    let NetworkDetails::Vxlan { vni, .. } = &network.details else {
        return None;
    };
    let open = [
        (
            "subnet",
            "subnet: 10.64.30.0/24",
            network.subnet == Auto::Auto,
        ),
        ("vni", "vni: 70001", *vni == Auto::Auto),
    ];
    let (keys, examples): (Vec<&str>, Vec<&str>) = open
        .into_iter()
        .filter_map(|(key, example, open)| open.then_some((key, example)))
        .unzip();
    if keys.is_empty() {
        return None;
    }
    let message = format!(
        "each host of the segment `{}` chooses its {} by itself",
        network.name,
        keys.join(" and its ")
    );
    let help = format!(
        "write the same on all of them, as `{}`",
        examples.join(", ")
    );
    Some(Finding::warning(network.origin.clone(), "segment-differs", message).help(help))
}

/// The segment `network`, when it is one; `below` are the tenant's WireGuard networks.
fn vxlan(
    input: &Input<'_>,
    network: &mut Network,
    below: &BTreeMap<Name, Tunnel>,
) -> Result<(), Box<Finding>> {
    let (origin, name, ipv6) = (&network.origin, &network.name, network.ipv6.is_some());
    let NetworkDetails::Vxlan {
        group,
        remotes,
        parent,
        mtu,
        ..
    } = &mut network.details
    else {
        return Ok(());
    };
    let refuse = |rule: &str, message: String, help: String| {
        let finding = Finding::error(origin.clone(), rule, message);
        Err(Box::new(finding.help(help)))
    };
    let tunnel = parent
        .as_ref()
        .and_then(|parent| below.get(&Name::new(parent).ok()?));
    let trunks = &input.policy.pools.trunks;
    if let Some(parent) = parent
        .as_ref()
        .filter(|parent| tunnel.is_none() && !trunks.contains(parent))
    {
        let known: Vec<&str> = below
            .keys()
            .map(Name::as_str)
            .chain(trunks.iter().map(String::as_str))
            .collect();
        let message = format!(
            "`parent: {parent}` of network `{name}` is neither a network of mode wireguard of this tenant nor a trunk of this host"
        );
        let help = match known.as_slice() {
            [] => "leave it out; the operator can allow links in `pools.trunks`".to_owned(),
            known => format!("write one of {}", known.join(", ")),
        };
        return refuse("unknown-parent", message, help);
    }
    if group.is_some() && (parent.is_none() || tunnel.is_some()) {
        let message =
            format!("the group of network `{name}` needs a `parent` that carries multicast");
        return refuse(
            "vxlan-ends",
            message,
            "write a trunk of this host, or use `remotes`".to_owned(),
        );
    }
    let lost = |remote: &&IpAddr| tunnel.is_some_and(|tunnel| !tunnel.leads_to(remote));
    if let Some(remote) = remotes.iter().find(lost) {
        let message =
            format!("remote `{remote}` of network `{name}` is behind no peer of its parent");
        let help =
            "write an address of what a peer's `allowedIPs` hold: the other host's in that network";
        return refuse("gateway-unreachable", message, help.to_owned());
    }
    let far = group.iter().chain(remotes.iter()).next();
    let overhead = if far.is_some_and(IpAddr::is_ipv6) {
        VXLAN6
    } else {
        VXLAN4
    };
    let room = tunnel.map_or(OUTSIDE, |tunnel| tunnel.size) - overhead;
    let size = *mtu.get_or_insert(room);
    if tunnel.is_some() && size > room {
        let message = format!(
            "`mtu: {size}` of network `{name}` does not fit through its parent, which carries {room}"
        );
        return refuse(
            "mtu-too-large",
            message,
            format!("write {room} or less, or leave it out"),
        );
    }
    if ipv6 && size < MTU_IPV6 {
        let message = format!("network `{name}` carries {size} bytes at once: too few for IPv6");
        let help =
            format!("write a larger `mtu` for its parent, or `ipv6: off`; IPv6 needs {MTU_IPV6}");
        return refuse("mtu-too-small", message, help);
    }
    Ok(())
}
