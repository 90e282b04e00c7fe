//! VXLAN: a segment that is a port of the bridge. networkd makes one on another link only where that link's own file asks
//! for it, so a batch of ip(8) makes all of them; what it does not say by itself is in its comment, so that a change of
//! anything makes the link anew.

use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use super::uplink;
use crate::model::{NetworkDetails, VXLAN_PORT};
use std::net::IpAddr;

pub(super) fn render(scene: &Scene<'_>, bridge: &Bridge<'_>, link: &str, vni: u32, set: &mut Set) {
    let NetworkDetails::Vxlan {
        group,
        remotes,
        parent,
        ..
    } = &bridge.network.details
    else {
        return;
    };
    let source = Source::live(&bridge.network.origin);
    let mut line = format!("link add name {link}");
    if let Some(mtu) = bridge.mtu() {
        line.push_str(&format!(" mtu {mtu}"));
    }
    line.push_str(&format!(" type vxlan id {vni} dstport {VXLAN_PORT} ttl 64"));
    match (group, remotes.first()) {
        (Some(group), _) => line.push_str(&format!(" group {group}")),
        (None, Some(remote)) => line.push_str(&format!(" remote {remote}")),
        (None, None) => {}
    }
    match (scene.below(bridge), parent) {
        (Some(below), _) => {
            if let Some(local) = remotes.first().and_then(|remote| below.own(*remote)) {
                line.push_str(&format!(" local {local}"));
            }
        }
        (None, Some(parent)) => line.push_str(&format!(" dev {parent}")),
        (None, None) => {}
    }
    let more = remotes.get(1..).unwrap_or_default();
    let ends: Vec<String> = more.iter().map(ToString::to_string).collect();
    let comment = match ends.as_slice() {
        [] => String::new(),
        ends => format!("# {}\n", ends.join(" ")),
    };
    let batch = format!("{comment}{line}\n");
    set.add(format!("uplinks/{link}"), batch.into_bytes(), 0o644, source);

    let mut file = uplink::port(bridge, link, set);
    for remote in more {
        // What nobody knows the place of goes to each of them.
        file.section("BridgeFDB")
            .verbatim("MACAddress", "00:00:00:00:00:00")
            .verbatim("Destination", remote);
    }
    set.add_unit_file(
        format!("network/10-bitbuilder-{link}.network"),
        &file,
        source,
    );
}

impl<'a> Scene<'a> {
    /// The WireGuard network that the segment `bridge` goes over.
    pub(super) fn below(&self, bridge: &Bridge<'_>) -> Option<&Bridge<'a>> {
        let NetworkDetails::Vxlan {
            parent: Some(parent),
            ..
        } = &bridge.network.details
        else {
            return None;
        };
        let mut tunnels = self.bridges.iter().filter(|one| one.tunnel().is_some());
        tunnels.find(|one| one.network.name.as_str() == parent)
    }

    /// The host's own address and the other end, of segments that go over the WireGuard network `bridge`.
    pub(super) fn segments_over(&self, bridge: &Bridge<'_>) -> Vec<(IpAddr, IpAddr)> {
        let over = |segment: &&Bridge<'_>| {
            self.below(segment)
                .is_some_and(|below| below.network.name == bridge.network.name)
        };
        let segments = self.bridges.iter().filter(over);
        let remotes = segments.flat_map(|segment| match &segment.network.details {
            NetworkDetails::Vxlan { remotes, .. } => remotes.as_slice(),
            _ => &[],
        });
        remotes
            .filter_map(|remote| Some((bridge.own(*remote)?, *remote)))
            .collect()
    }
}

impl Bridge<'_> {
    /// The host's address of the same protocol as `remote`.
    pub(super) fn own(&self, remote: IpAddr) -> Option<IpAddr> {
        match remote {
            IpAddr::V4(_) => Some(self.gateway.into()),
            IpAddr::V6(_) => self.gateway6().map(IpAddr::V6),
        }
    }
}
