//! Numbers of tunnels: UDP ports of WireGuard, network identifiers of VXLAN.

use super::taken::Taken;
use super::{TenantAllocation, Uplink};
use crate::finding::{Finding, Origin};
use crate::model::{Auto, Network, NetworkDetails, Pools, Protocol, Subnet4, WireguardPeer};
use std::net::{IpAddr, Ipv6Addr};

/// A number that one network of the host has.
struct Number<T> {
    /// What it is, for people.
    what: &'static str,
    /// The pool's name in the policy.
    pool: &'static str,
    first: T,
    last: T,
}

/// The UDP port of `network`: what is written, else what it has, else the first that is free.
pub(super) fn port(
    network: &Network,
    wanted: Auto<u16>,
    own: Option<u16>,
    pools: &Pools,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Result<u16, Box<Finding>> {
    let (first, last) = pools.wireguard;
    let number = Number {
        what: "UDP port",
        pool: "wireguard",
        first,
        last,
    };
    let port_of = |uplink: &Uplink| match uplink {
        Uplink::Wireguard { port, .. } => Some(*port),
        _ => None,
    };
    let mine = others(network, allocation, port_of);
    let udp = |port: u16| (Protocol::Udp, port);
    let holder = holder(
        |port| taken.tunnels.contains(&port) || taken.ports.contains(&udp(port)),
        |port| mine.contains(&port) || allocation.ports.contains(&udp(port)),
    );
    choose(network, &number, wanted, own, first..=last, holder)
}

/// The network identifier of `network`, in the same way.
pub(super) fn vni(
    network: &Network,
    wanted: Auto<u32>,
    own: Option<u32>,
    pools: &Pools,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Result<u32, Box<Finding>> {
    let (first, last) = pools.vni;
    let number = Number {
        what: "VNI",
        pool: "vni",
        first,
        last,
    };
    let vni_of = |uplink: &Uplink| match uplink {
        Uplink::Vxlan { vni, .. } => Some(*vni),
        _ => None,
    };
    let mine = others(network, allocation, vni_of);
    let holder = holder(|vni| taken.vnis.contains(&vni), |vni| mine.contains(&vni));
    choose(network, &number, wanted, own, first..=last, holder)
}

/// What the other networks of the tenant have, also those that are not declared any more.
fn others<T>(
    network: &Network,
    allocation: &TenantAllocation,
    number: impl Fn(&Uplink) -> Option<T>,
) -> Vec<T> {
    let others = allocation.networks.iter();
    let others = others.filter(|(name, _)| **name != network.name);
    let uplinks = others.filter_map(|(_, other)| other.uplink.as_ref());
    uplinks.filter_map(number).collect()
}

/// Who has a number, for people.
fn holder<T: Copy>(
    theirs: impl Fn(T) -> bool,
    mine: impl Fn(T) -> bool,
) -> impl Fn(T) -> Option<&'static str> {
    move |number| {
        if theirs(number) {
            return Some("another tenant of this host");
        }
        mine(number).then_some("this tenant already")
    }
}

fn choose<T: Copy + PartialOrd + std::fmt::Display>(
    network: &Network,
    number: &Number<T>,
    wanted: Auto<T>,
    own: Option<T>,
    mut pool: impl Iterator<Item = T>,
    holder: impl Fn(T) -> Option<&'static str>,
) -> Result<T, Box<Finding>> {
    let Number {
        what,
        pool: name,
        first,
        last,
    } = number;
    let refuse = |rule, message: String, help: String| {
        let finding = Finding::error(network.origin.clone(), rule, message);
        Err(Box::new(finding.help(help)))
    };
    let within = |value: &T| (*first..=*last).contains(value);
    let network = &network.name;
    match (wanted, own) {
        (Auto::Value(wanted), _) if !within(&wanted) => {
            let message =
                format!("{what} {wanted} of network `{network}` is outside the host's pool");
            let help = format!("write `auto`, or a number from {first} to {last}");
            refuse("number-outside-pool", message, help)
        }
        (Auto::Value(wanted), _) => match holder(wanted) {
            None => Ok(wanted),
            Some(holder) => {
                let message = format!(
                    "{what} {wanted}, which network `{network}` asks for, is that of {holder}"
                );
                refuse(
                    "number-taken",
                    message,
                    "write `auto`, or another number".to_owned(),
                )
            }
        },
        // What a network has it keeps, wherever the pool is now.
        (Auto::Auto, Some(own)) if holder(own).is_none() => Ok(own),
        (Auto::Auto, _) => match pool.find(|value| holder(*value).is_none()) {
            Some(value) => Ok(value),
            None => {
                let message = format!("no {what} is left on this host for network `{network}`");
                let help = format!("the operator can widen `pools.{name}` in .gitops/config.yaml");
                refuse("pool-exhausted", message, help)
            }
        },
    }
}

/// What is behind a peer cannot be in the network itself.
pub(super) fn behind(
    network: &Network,
    subnet: Subnet4,
    ipv6: Option<Ipv6Addr>,
) -> Result<(), Box<Finding>> {
    let NetworkDetails::Wireguard { peers, .. } = &network.details else {
        return Ok(());
    };
    let inside = |allowed: &str| match allowed.split_once('/') {
        // A default route is everything else.
        Some((_, "0")) | None => false,
        Some((address, prefix)) => {
            let prefix = prefix.parse().unwrap_or(0);
            let four = address.parse().map(|address| Subnet4 { address, prefix });
            let six = address.parse::<Ipv6Addr>();
            four.is_ok_and(|four| four.overlaps(&subnet))
                || six.is_ok_and(|six| ipv6.is_some_and(|own| shares(six, own, prefix.min(64))))
        }
    };
    for peer in peers {
        if let Some(allowed) = peer.allowed_ips.iter().find(|allowed| inside(allowed)) {
            let message = format!(
                "{allowed} of peer `{}` overlaps {subnet}, which network `{}` itself has on this host",
                peer.name, network.name
            );
            let help = "write what is behind the peer; both ends have subnets of their own";
            let finding = Finding::error(peer.origin.clone(), "peer-overlap", message);
            return Err(Box::new(finding.help(help)));
        }
    }
    Ok(())
}

/// Other ends are not in the network that leads to them.
pub(super) fn reachable(
    network: &Network,
    subnet: Subnet4,
    ipv6: Option<Ipv6Addr>,
) -> Result<(), Box<Finding>> {
    let inside = |address: &IpAddr| match address.to_canonical() {
        IpAddr::V4(address) => subnet.contains(address),
        IpAddr::V6(address) => ipv6.is_some_and(|own| shares(address, own, 64)),
    };
    let refuse = |origin: &Origin, what: String, key: &str| {
        let message = format!(
            "{what} is within {subnet}, the subnet of network `{}` itself",
            network.name
        );
        let help = format!("write in `{key}` an address that the host reaches without it");
        let finding = Finding::error(origin.clone(), "gateway-unreachable", message);
        Err(Box::new(finding.help(help)))
    };
    match &network.details {
        NetworkDetails::Wireguard { peers, .. } => {
            let there = |peer: &&WireguardPeer| peer.address().is_some_and(|at| inside(&at));
            peers.iter().find(there).map_or(Ok(()), |peer| {
                let what = format!("the endpoint of peer `{}`", peer.name);
                refuse(&peer.origin, what, "endpoint")
            })
        }
        NetworkDetails::Vxlan { remotes, .. } => {
            let mut there = remotes.iter().filter(|remote| inside(remote));
            there.next().map_or(Ok(()), |remote| {
                refuse(&network.origin, format!("remote `{remote}`"), "remotes")
            })
        }
        _ => Ok(()),
    }
}

/// Whether two addresses have the first `prefix` bits in common.
fn shares(one: Ipv6Addr, other: Ipv6Addr, prefix: u8) -> bool {
    let differ = u128::from(one) ^ u128::from(other);
    differ.leading_zeros() >= u32::from(prefix)
}
