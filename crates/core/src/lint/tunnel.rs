//! Tunnels: links with the numbers that were allocated, the tenant's own keys, and routes that are nobody else's.

use super::Lint;
use super::expected::{Expected, gateway6};
use super::network::{is_quiet, once};
use super::unit::each;
use crate::allocate::{NetworkAllocation, Uplink};
use crate::unitfile::read::Assignment;
use std::net::IpAddr;

/// The device of a WireGuard link.
pub(super) fn device(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], link: &str) {
    let expected = lint.expected;
    let network = expected
        .uplink(link)
        .and_then(|network| network.uplink.as_ref());
    let (Some(Uplink::Wireguard { port, .. }), Some(name)) =
        (network, expected.name_of_uplink(link))
    else {
        lint.refuse(path, "unknown-file", "its link is none of networkd's");
        return;
    };
    let key = format!("/var/lib/bitbuilder/wireguard/{}.{name}.key", expected.id);
    let secrets = format!("/run/bitbuilder/wireguard/{}.", expected.id);
    each(lint, path, settings, |lint, s| match (s.section, s.key) {
        ("NetDev", "Name") => s.value == link,
        ("NetDev", "Kind") => s.value == "wireguard",
        ("NetDev", "MTUBytes") => is_size(s.value),
        ("WireGuard", "PrivateKeyFile") => s.value == key,
        ("WireGuard", "ListenPort") => s.value == port.to_string(),
        ("WireGuardPeer", "X-BitBuilder-Peer") => crate::model::Name::new(s.value).is_ok(),
        ("WireGuardPeer", "PublicKey") => is_key(s.value),
        ("WireGuardPeer", "PresharedKeyFile") => {
            let file = s.value.strip_prefix(&secrets);
            file.is_some_and(|file| {
                file.starts_with(&format!("{name}.")) && lint.has(&format!("wireguard/{file}"))
            })
        }
        ("WireGuardPeer", "Endpoint") => is_endpoint(s.value),
        ("WireGuardPeer", "AllowedIPs") => is_network(s.value),
        ("WireGuardPeer", "PersistentKeepalive") => s.value.parse::<u16>().is_ok(),
        _ => false,
    });
    for (section, key) in [
        ("NetDev", "Name"),
        ("NetDev", "Kind"),
        ("WireGuard", "PrivateKeyFile"),
        ("WireGuard", "ListenPort"),
    ] {
        once(lint, path, settings, section, key);
    }
}

/// Configuration of a WireGuard link: every route is in its own table, and only what comes from its network looks there.
pub(super) fn configuration(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    network: &NetworkAllocation,
    link: &str,
    table: u32,
) {
    let own = [
        network.gateway().map(IpAddr::V4),
        network.ipv6.map(|prefix| gateway6(prefix).into()),
    ];
    let is_own = |value: &str| own.contains(&value.parse().ok()) && value.parse::<IpAddr>().is_ok();
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("Route", "Destination") => is_network(s.value),
        ("Route" | "RoutingPolicyRule", "Table") => s.value == table.to_string(),
        ("RoutingPolicyRule", "IncomingInterface") => s.value == link || s.value == network.link,
        ("RoutingPolicyRule", "Family") => s.value == "both",
        ("RoutingPolicyRule", "Priority") => s.value == "30000",
        ("RoutingPolicyRule", "From") => is_own(s.value),
        ("RoutingPolicyRule", "To") => s.value.parse().is_ok_and(is_station),
        _ => is_quiet(s, link),
    });
    once(lint, path, settings, "Match", "Name");
    once(lint, path, settings, "Link", "Group");
    // Without its table a route would be everybody's, and without its condition a rule would be.
    let bound = lint
        .text(path)
        .is_some_and(|text| text.split("\n[").all(is_bound));
    lint.require(
        bound,
        path,
        "setting",
        "a route or rule is not bound to this network",
    );
}

/// Whether the section `text`, when it is a route or rule, says all that binds it.
fn is_bound(text: &str) -> bool {
    let mut lines = text.lines();
    let forms: &[&[&str]] = match lines.next() {
        Some("Route]") => &[&["Destination", "Table"]],
        Some("RoutingPolicyRule]") => &[
            &["IncomingInterface", "Family", "Table", "Priority"],
            &["From", "To", "Table", "Priority"],
        ],
        _ => return true,
    };
    let settings = lines.filter(|line| !line.is_empty());
    let keys: Vec<&str> = settings
        .map(|line| line.split('=').next().unwrap_or(line))
        .collect();
    forms.contains(&keys.as_slice())
}

/// Whether a batch makes the segment that was allocated, and nothing else.
pub(super) fn makes_segment(expected: &Expected<'_>, text: &str, link: &str, vni: u32) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    let (ends, line) = match lines.as_slice() {
        [line] => ("# ", *line),
        [ends, line] => (*ends, *line),
        _ => return false,
    };
    let is_own = |value: &str| {
        let value = value.parse::<IpAddr>().ok();
        let own = |network: &&NetworkAllocation| {
            let own6 = network.ipv6.map(|prefix| gateway6(prefix).into());
            [network.gateway().map(IpAddr::V4), own6].contains(&value)
        };
        value.is_some() && expected.networks.iter().any(own)
    };
    let mut stations = ends.strip_prefix("# ").unwrap_or("-").split_whitespace();
    let Some(rest) = line.strip_prefix(&format!("link add name {link} mtu ")) else {
        return false;
    };
    let Some((mtu, rest)) = rest.split_once(' ') else {
        return false;
    };
    let Some(rest) = rest.strip_prefix(&format!("type vxlan id {vni} dstport 4789 ttl 64")) else {
        return false;
    };
    let words: Vec<&str> = rest.split_whitespace().collect();
    let option = |pair: &[&str]| match pair {
        ["remote", address] => address.parse().is_ok_and(is_station),
        ["group", address] => address.parse::<IpAddr>().is_ok_and(|ip| ip.is_multicast()),
        ["local", address] => is_own(address),
        ["dev", parent] => is_link(parent),
        _ => false,
    };
    is_size(mtu)
        && stations.all(|end| end.parse().is_ok_and(is_station))
        && !words.is_empty()
        && words.chunks(2).all(option)
}

/// Whether it is the address of one machine.
pub(super) fn is_station(address: IpAddr) -> bool {
    let plain = address.to_canonical();
    !plain.is_multicast() && !plain.is_unspecified() && !plain.is_loopback()
}

/// Bytes of a packet.
pub(super) fn is_size(value: &str) -> bool {
    value
        .parse::<u16>()
        .is_ok_and(|size| (500..=9200).contains(&size))
}

/// `address/prefix`.
pub(super) fn is_network(value: &str) -> bool {
    let Some((address, prefix)) = value.split_once('/') else {
        return false;
    };
    let most = if address.contains(':') { 128 } else { 32 };
    address.parse::<IpAddr>().is_ok() && prefix.parse::<u8>().is_ok_and(|prefix| prefix <= most)
}

fn is_link(name: &str) -> bool {
    (1..=15).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn is_key(value: &str) -> bool {
    let base64 = |b: &u8| b.is_ascii_alphanumeric() || b"+/=".contains(b);
    value.len() == 44 && value.as_bytes().iter().all(base64)
}

/// `host:port`; not `@`, which would name a credential of networkd's.
fn is_endpoint(value: &str) -> bool {
    let Some((host, port)) = value.rsplit_once(':') else {
        return false;
    };
    let fits = |b: u8| b.is_ascii_alphanumeric() || b".-[]:".contains(&b);
    !host.is_empty() && host.bytes().all(fits) && port.parse::<u16>().is_ok()
}
