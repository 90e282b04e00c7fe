//! WireGuard: a link of networkd's beside the bridge, and the ways into it.
//!
//! What is behind its peers is written by the tenant, so it is in a routing table of its own, in which only what comes
//! from the tenant's links of this network is looked up: nobody else's packets take these routes, the host's own neither.

use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use super::uplink;
use crate::digest::sha256;
use crate::model::{NetworkDetails, WireguardPeer};
use crate::unitfile::UnitFile;

/// Rules of the kernel's own begin at 32766.
const PRIORITY: u32 = 30_000;

pub(super) fn render(scene: &Scene<'_>, bridge: &Bridge<'_>, link: &str, port: u16, set: &mut Set) {
    let NetworkDetails::Wireguard { peers, .. } = &bridge.network.details else {
        return;
    };
    let source = Source::live(&bridge.network.origin);
    for peer in peers {
        if let (Some(file), Some(ciphertext)) = (secret(bridge, peer), &peer.preshared_key) {
            let content = format!("{ciphertext}\n").into_bytes();
            set.add(
                format!("wireguard/{file}"),
                content,
                0o600,
                Source::live(&peer.origin),
            );
        }
    }
    let device = device(scene, bridge, link, port, peers, set);
    set.add_unit_file(
        format!("network/10-bitbuilder-{link}.netdev"),
        &device,
        source,
    );
    let configuration = configuration(scene, bridge, link, set);
    set.add_unit_file(
        format!("network/10-bitbuilder-{link}.network"),
        &configuration,
        source,
    );
}

/// Name of the file with the preshared key of `peer`; another key has another one.
fn secret(bridge: &Bridge<'_>, peer: &WireguardPeer) -> Option<String> {
    let digest = sha256(peer.preshared_key.as_ref()?.as_bytes());
    Some(format!(
        "{}.{}.{}.psk",
        bridge.network.name,
        peer.name,
        &digest[..16]
    ))
}

fn device(
    scene: &Scene<'_>,
    bridge: &Bridge<'_>,
    link: &str,
    port: u16,
    peers: &[WireguardPeer],
    set: &Set,
) -> UnitFile {
    let (tenant, network) = (&scene.tenant.id, &bridge.network.name);
    let mut file = set.unit_file(&bridge.network.origin, "NetDev");
    file.verbatim("Name", link).verbatim("Kind", "wireguard");
    if let Some(mtu) = bridge.mtu() {
        file.verbatim("MTUBytes", mtu);
    }
    let key = format!("/var/lib/bitbuilder/wireguard/{tenant}.{network}.key");
    file.section("WireGuard")
        .verbatim("PrivateKeyFile", key)
        .verbatim("ListenPort", port);
    for peer in peers {
        file.section("WireGuardPeer")
            .verbatim("X-BitBuilder-Peer", &peer.name)
            .verbatim("PublicKey", &peer.public_key);
        if let Some(secret) = secret(bridge, peer) {
            file.verbatim(
                "PresharedKeyFile",
                format!("/run/bitbuilder/wireguard/{tenant}.{secret}"),
            );
        }
        if let Some(endpoint) = &peer.endpoint {
            file.verbatim("Endpoint", endpoint);
        }
        for allowed in &peer.allowed_ips {
            file.verbatim("AllowedIPs", allowed);
        }
        if let Some(keepalive) = peer.keepalive {
            file.verbatim("PersistentKeepalive", keepalive.0.div_ceil(1000));
        }
    }
    file
}

fn configuration(scene: &Scene<'_>, bridge: &Bridge<'_>, link: &str, set: &Set) -> UnitFile {
    let mut file = uplink::quiet(bridge, link, None, set);
    let Some(table) = bridge.allocated.table() else {
        return file;
    };
    for network in bridge.behind() {
        file.section("Route")
            .verbatim("Destination", network)
            .verbatim("Table", table);
    }
    // Both links: peers reach each other by way of the host, and the kernel asks where an answer would go.
    for incoming in [bridge.allocated.link.as_str(), link] {
        file.section("RoutingPolicyRule")
            .verbatim("IncomingInterface", incoming)
            .verbatim("Family", "both")
            .verbatim("Table", table)
            .verbatim("Priority", PRIORITY);
    }
    for (local, remote) in scene.segments_over(bridge) {
        file.section("RoutingPolicyRule")
            .verbatim("From", local)
            .verbatim("To", remote)
            .verbatim("Table", table)
            .verbatim("Priority", PRIORITY);
    }
    file
}
