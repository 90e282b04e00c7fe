//! Who is no machine of this host and still in a network of it: peers behind a tunnel, stations of a segment.

use super::{Place, Rules, TraceError};
use crate::allocate::{Allocations, NetworkAllocation, Uplink};
use crate::model::{Name, holds};
use crate::unitfile::read::assignments;
use serde::Serialize;
use std::net::IpAddr;

/// Somebody elsewhere who belongs to a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Far {
    /// Whose network it is.
    pub tenant: Name,
    /// The network.
    pub network: Name,
    /// The peer that it is behind; `None` in a segment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The link that the host routes its packets by: the tunnel, or the segment's bridge.
    pub bridge: String,
    /// The link that its packets come by.
    pub link: String,
    /// Its address.
    pub address: IpAddr,
}

/// A tunnel of a generation.
#[derive(Debug)]
pub(super) struct Tunnel {
    pub(super) link: String,
    /// Networks behind its peers, each with the peer.
    carried: Vec<(String, String)>,
}

impl Tunnel {
    /// The tunnel that a file of networkd's makes, systemd.netdev(5).
    pub(super) fn read(tenant: &Name, text: &str) -> Result<Self, TraceError> {
        let damaged = || TraceError::Damaged(tenant.clone());
        let (mut link, mut peer) = (None, String::new());
        let mut carried = Vec::new();
        for one in assignments(text).map_err(|_| damaged())? {
            match one.key {
                "Name" => link = Some(one.value.to_owned()),
                "X-BitBuilder-Peer" => one.value.clone_into(&mut peer),
                "AllowedIPs" => carried.push((one.value.to_owned(), peer.clone())),
                _ => {}
            }
        }
        let link = link.ok_or_else(damaged)?;
        Ok(Self { link, carried })
    }

    /// The peer that packets to `address` go to, and the prefix length of its network: that of the longest one.
    fn peer(&self, address: IpAddr) -> Option<(&str, u8)> {
        let length = |network: &str| {
            let prefix = network.rsplit_once('/').map(|(_, prefix)| prefix.parse());
            prefix.and_then(Result::ok).unwrap_or(0)
        };
        let fits = self
            .carried
            .iter()
            .filter(|(network, _)| holds(network, address));
        fits.map(|(network, peer)| (peer.as_str(), length(network)))
            .max_by_key(|(_, length)| *length)
    }
}

/// Those who have `address` behind tunnels, one of each network, as each has routes of its own. Who has it because
/// everything is behind it only counts where `everything` is asked about.
pub(super) fn behind<'a>(
    rules: &'a Rules,
    allocations: &'a Allocations,
    address: IpAddr,
    everything: bool,
) -> impl Iterator<Item = Place> + 'a {
    networks(allocations).filter_map(move |(tenant, network, own)| {
        let link = own.tunnel()?;
        let tunnel = rules.tunnels.iter().find(|tunnel| tunnel.link == link)?;
        let (peer, length) = tunnel.peer(address)?;
        (length > 0 || everything).then(|| {
            Place::Far(Far {
                tenant: tenant.clone(),
                network: network.clone(),
                peer: Some(peer.to_owned()),
                bridge: link.to_owned(),
                link: link.to_owned(),
                address,
            })
        })
    })
}

/// The station of a segment that has `address`, which no machine of this host has.
pub(super) fn station(
    tenant: &Name,
    network: &Name,
    own: &NetworkAllocation,
    rules: &Rules,
    address: IpAddr,
) -> Option<Place> {
    let uplink = own.uplink.as_ref().filter(|uplink| uplink.is_port());
    let link = uplink.map(Uplink::link)?;
    rules.knows_uplink(link).then(|| {
        Place::Far(Far {
            tenant: tenant.clone(),
            network: network.clone(),
            peer: None,
            bridge: own.link.clone(),
            link: link.to_owned(),
            address,
        })
    })
}

/// Where a packet to `to` really goes: a network may lead by itself to what others reach by the host.
pub(super) fn led(rules: &Rules, allocations: &Allocations, from: &Place, to: Place) -> Place {
    let Some((tenant, network)) = from.network() else {
        return to;
    };
    if matches!(to, Place::Host { .. }) || to.network() == from.network() {
        return to;
    }
    let here = |place: &Place| place.network() == Some((tenant, network));
    if let Some(peer) = behind(rules, allocations, to.address(), true).find(here) {
        return peer;
    }
    let own = allocations.tenants.get(tenant);
    let own = own.and_then(|own| own.networks.get(network));
    let own = own.filter(|own| own.foreign_router().is_some());
    own.and_then(|own| station(tenant, network, own, rules, to.address()))
        .unwrap_or(to)
}

/// All networks, with their tenants.
pub(super) fn networks(
    allocations: &Allocations,
) -> impl Iterator<Item = (&Name, &Name, &NetworkAllocation)> {
    allocations.tenants.iter().flat_map(|(tenant, one)| {
        let networks = one.networks.iter();
        networks.map(move |(name, network)| (tenant, name, network))
    })
}
