//! WireGuard peers, in the topology and in `network/wireguard/*.yaml`.

use super::checks::{at_least, is_station};
use super::decode::{At, Cx, written};
use super::facts::Facts;
use super::scalar::{AnySubnet, HostPort, RepoPath, WireguardKey};
use super::workload::{CredentialDoc, is_ciphertext};
use crate::model::{Millis, Name, NetworkDetails, Topology, WireguardPeer, endpoint_address};
use crate::tree::Entry;
use std::collections::BTreeSet;
use std::net::IpAddr;

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
        /// A key that both sides have beside their own, in ciphertext.
        optional "presharedKey" preshared_key: CredentialDoc,
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
pub(crate) fn peers(
    docs: Option<Vec<PeerDoc>>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<WireguardPeer> {
    let (mut peers, mut taken) = (Vec::new(), Taken::default());
    for doc in docs.into_iter().flatten() {
        add(doc, &mut peers, &mut taken, facts, cx);
    }
    peers
}

/// What the peers of a network have, each only once.
#[derive(Debug, Default)]
struct Taken {
    names: BTreeSet<Name>,
    keys: BTreeSet<String>,
    /// Networks and whose they are.
    networks: Vec<(String, Name)>,
}

impl Taken {
    fn of(peers: &[WireguardPeer]) -> Self {
        let networks = peers.iter().flat_map(|peer| {
            let of_peer = |network: &String| (network.clone(), peer.name.clone());
            peer.allowed_ips.iter().map(of_peer)
        });
        Self {
            names: peers.iter().map(|peer| peer.name.clone()).collect(),
            keys: peers.iter().map(|peer| peer.public_key.clone()).collect(),
            networks: networks.collect(),
        }
    }
}

fn add(
    doc: PeerDoc,
    peers: &mut Vec<WireguardPeer>,
    taken: &mut Taken,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) {
    if let Some(keepalive) = &doc.keepalive {
        at_least(keepalive, 1000, "1s", cx);
        if keepalive.value.0 > 65_535_000 {
            let message = "a peer is kept alive at least every 65535s";
            let help = "write `25s`, or leave it out".to_owned();
            cx.error_help(keepalive.span, "duration", message, help);
        }
    }
    if let Some(endpoint) = &doc.endpoint
        && endpoint_address(&endpoint.value.0).is_some_and(|address| !is_station(address))
    {
        let message = format!(
            "endpoint `{}` is not the address of another host",
            endpoint.value.0
        );
        let help = "write where the peer is, or leave it out when the peer calls this host";
        cx.error_help(
            endpoint.span,
            "gateway-unreachable",
            message,
            help.to_owned(),
        );
    }
    let secret = doc.preshared_key.and_then(|doc| doc.value.encrypted);
    let preshared_key = secret.and_then(|file| ciphertext(&file, facts, cx));
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
    if allowed.value.is_empty() {
        let message = format!("nothing is behind peer `{}`", name.value);
        let help = "write the networks that it may send from and is sent to".to_owned();
        cx.error_help(allowed.span, "empty-list", message, help);
    }
    let mut allowed_ips = Vec::new();
    for network in allowed.value {
        let clash = taken
            .networks
            .iter()
            .find(|(other, _)| clash(other, &network.value.0));
        if let Some((other, owner)) = clash {
            let message = format!("{} overlaps {other} of peer `{owner}`", network.value.0);
            let help = "an address is behind one peer; write smaller networks".to_owned();
            cx.error_help(network.span, "peer-overlap", message, help);
        }
        let owner = (network.value.0.clone(), name.value.clone());
        taken.networks.push(owner);
        allowed_ips.push(network.value.0);
    }
    peers.push(WireguardPeer {
        origin: cx.origin(name.span),
        name: name.value,
        public_key: key.value.0,
        endpoint: doc.endpoint.map(|endpoint| endpoint.value.0),
        allowed_ips,
        keepalive: doc.keepalive.map(|keepalive| keepalive.value),
        preshared_key,
    });
}

/// Whether two networks, `address/prefix`, want the same packets. What is behind nobody else may be behind one of them:
/// 0.0.0.0/0 overlaps only itself.
fn clash(one: &str, other: &str) -> bool {
    let (Some(one), Some(other)) = (parts(one), parts(other)) else {
        return false;
    };
    one == other || (one.1.min(other.1) > 0 && overlap(one, other))
}

fn parts(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/')?;
    Some((address.parse().ok()?, prefix.parse().ok()?))
}

/// Whether two networks share an address.
fn overlap(one: (IpAddr, u8), other: (IpAddr, u8)) -> bool {
    let bits = |address| match address {
        // Both families begin at the highest bit.
        IpAddr::V4(address) => u128::from(u32::from(address)) << 96,
        IpAddr::V6(address) => u128::from(address),
    };
    let prefix = u32::from(one.1.min(other.1));
    let differ = bits(one.0) ^ bits(other.0);
    one.0.is_ipv4() == other.0.is_ipv4() && differ.leading_zeros() >= prefix
}

/// What systemd-creds printed, without white space.
fn ciphertext(file: &At<RepoPath>, facts: &mut Facts<'_>, cx: &mut Cx<'_>) -> Option<String> {
    let path = facts.file(file, cx)?;
    let text = match facts.tree.entries.get(&path) {
        Some(Entry::File(blob)) if is_ciphertext(&path, facts) => blob.content.as_deref(),
        _ => None,
    };
    if text.is_none() {
        let message = format!("`{path}` is not the output of systemd-creds");
        let help = format!(
            "run `wg genpsk | systemd-creds encrypt --name=wireguard.TENANT.NETWORK.PEER - {path}` on the host"
        );
        cx.error_help(file.span, "plain-credential", message, help);
    }
    let text = String::from_utf8_lossy(text?).into_owned();
    Some(text.split_whitespace().collect())
}

/// Adds the peers of one file to the network they belong to.
pub(crate) fn more_peers(
    doc: WireguardDoc,
    topology: &mut Topology,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) {
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
            add(doc, peers, &mut taken, facts, cx);
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
