//! WireGuard peers, in the topology and in `network/wireguard/*.yaml`.

use super::checks::at_least;
use super::decode::{At, Cx, written};
use super::scalar::{AnySubnet, HostPort, WireguardKey};
use crate::model::{Millis, Name, NetworkDetails, Topology, WireguardPeer};
use std::collections::BTreeSet;

written! {
    /// A WireGuard peer.
    struct PeerDoc {
        /// Its name.
        required "name" name: Name,
        /// Its public key, as `wg pubkey` prints it.
        required "publicKey" public_key: WireguardKey,
        /// Where it is, as `vpn.example:51820`; without one it calls us.
        optional "endpoint" endpoint: HostPort,
        /// Networks behind it.
        required "allowedIPs" allowed_ips: Vec<At<AnySubnet>>,
        /// Keepalive; none by default.
        optional "keepalive" keepalive: Millis,
    }
}

written! {
    /// `network/wireguard/*.yaml`: more peers of a network of mode wireguard.
    struct WireguardDoc {
        /// The network; the name of the file by default.
        optional "network" network: Name,
        /// Peers.
        required "peers" peers: Vec<PeerDoc>,
    }
}

/// The peers of a list.
pub(crate) fn peers(docs: Option<Vec<PeerDoc>>, cx: &mut Cx<'_>) -> Vec<WireguardPeer> {
    let (mut peers, mut taken) = (Vec::new(), Taken::default());
    for doc in docs.into_iter().flatten() {
        add(doc, &mut peers, &mut taken, cx);
    }
    peers
}

/// What the peers of a network have, each only once.
#[derive(Debug, Default)]
struct Taken {
    names: BTreeSet<Name>,
    keys: BTreeSet<String>,
    networks: BTreeSet<String>,
}

impl Taken {
    fn of(peers: &[WireguardPeer]) -> Self {
        Self {
            names: peers.iter().map(|peer| peer.name.clone()).collect(),
            keys: peers.iter().map(|peer| peer.public_key.clone()).collect(),
            networks: peers
                .iter()
                .flat_map(|peer| peer.allowed_ips.clone())
                .collect(),
        }
    }
}

fn add(doc: PeerDoc, peers: &mut Vec<WireguardPeer>, taken: &mut Taken, cx: &mut Cx<'_>) {
    if let Some(keepalive) = &doc.keepalive {
        at_least(keepalive, 1000, "1s", cx);
    }
    let (Some(name), Some(key), Some(allowed)) = (doc.name, doc.public_key, doc.allowed_ips) else {
        return;
    };
    let twice = |what: &str| format!("{what} is used by two peers");
    let help = || "a peer is declared once; give the other one its own".to_owned();
    if !taken.names.insert(name.value.clone()) {
        cx.error_help(
            name.span,
            "duplicate-peer",
            twice(&format!("name `{}`", name.value)),
            help(),
        );
    }
    if !taken.keys.insert(key.value.0.clone()) {
        cx.error_help(key.span, "duplicate-peer", twice("this key"), help());
    }
    let mut allowed_ips = Vec::new();
    for network in allowed.value {
        if !taken.networks.insert(network.value.0.clone()) {
            let what = format!("network {}", network.value.0);
            cx.error_help(network.span, "duplicate-peer", twice(&what), help());
        }
        allowed_ips.push(network.value.0);
    }
    peers.push(WireguardPeer {
        origin: cx.origin(name.span),
        name: name.value,
        public_key: key.value.0,
        endpoint: doc.endpoint.map(|endpoint| endpoint.value.0),
        allowed_ips,
        keepalive: doc.keepalive.map(|keepalive| keepalive.value),
    });
}

/// Adds the peers of one file to the network they belong to.
pub(crate) fn more_peers(doc: WireguardDoc, topology: &mut Topology, cx: &mut Cx<'_>) {
    let stem = cx.file().rsplit('/').next().unwrap_or_default();
    let stem = stem.split('.').next().unwrap_or_default();
    let (name, span) = match &doc.network {
        Some(name) => (name.value.to_string(), name.span),
        None => (stem.to_owned(), doc.span),
    };
    let found = topology.networks.iter_mut().find_map(|network| {
        let fits = network.name.as_str() == name;
        match &mut network.details {
            NetworkDetails::Wireguard { peers, .. } if fits => Some(peers),
            _ => None,
        }
    });
    if let Some(peers) = found {
        let mut taken = Taken::of(peers);
        for doc in doc.peers.into_iter().flat_map(|list| list.value) {
            add(doc, peers, &mut taken, cx);
        }
        return;
    }
    let known: Vec<String> = topology
        .networks
        .iter()
        .filter(|network| matches!(network.details, NetworkDetails::Wireguard { .. }))
        .map(|network| network.name.to_string())
        .collect();
    cx.unknown(
        span,
        "network of mode wireguard",
        &name,
        known.iter().map(String::as_str),
    );
}
