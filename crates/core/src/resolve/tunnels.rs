//! Sizes of packets in tunnels, and what is below them.

use super::Input;
use crate::finding::Finding;
use crate::model::{MTU_IPV6, Name, Network, NetworkDetails};
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
        if let NetworkDetails::Wireguard { mtu, .. } = &mut network.details {
            below.insert(
                network.name.clone(),
                *mtu.get_or_insert(OUTSIDE - WIREGUARD),
            );
        }
    }
    networks.retain_mut(|network| match vxlan(input, network, &below) {
        Ok(()) => true,
        Err(finding) => {
            findings.push(*finding);
            false
        }
    });
}

/// The segment `network`, when it is one; `below` are the tenant's WireGuard networks and their sizes.
fn vxlan(
    input: &Input<'_>,
    network: &mut Network,
    below: &BTreeMap<Name, u16>,
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
    let far = group.iter().chain(remotes.iter()).next();
    let overhead = if far.is_some_and(IpAddr::is_ipv6) {
        VXLAN6
    } else {
        VXLAN4
    };
    let room = tunnel.copied().unwrap_or(OUTSIDE) - overhead;
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
