//! Published ports and masquerading: of ports that the tenant was given, to and from its own addresses.

use super::guards::{field, is, is_not, meta_is};
use crate::lint::expected::{Expected, Interface};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Whether `rule` of `chain` publishes a port that is allowed, on a machine of the tenant.
pub(super) fn is_published(expected: &Expected<'_>, chain: &str, rule: &[Value]) -> bool {
    let known = || {
        let target = &rule.last()?["dnat"];
        let address: IpAddr = target["addr"].as_str()?.parse().ok()?;
        let to = u16::try_from(target["port"].as_u64()?).ok()?;
        let (protocol, port) = rule.iter().find_map(destination)?;
        let marks = domain(expected, chain, rule)?;
        (is_given(expected, protocol, port) && is_own(expected, address, marks))
            .then(|| rule == publishing(chain, protocol, port, address, to, marks))
    };
    known().unwrap_or(false)
}

/// Protocol and number of the port that a comparison is about.
fn destination(expression: &Value) -> Option<(&str, u16)> {
    let comparison = &expression["match"];
    let payload = &comparison["left"]["payload"];
    let port = u16::try_from(comparison["right"].as_u64()?).ok()?;
    (payload["field"] == "dport").then_some((payload["protocol"].as_str()?, port))
}

/// Whether the tenant was given the port and the registry allows it still.
fn is_given(expected: &Expected<'_>, protocol: &str, port: u16) -> bool {
    let mut ranges = expected.registration.allow.publish.iter();
    expected
        .ports
        .iter()
        .any(|(own, number)| own == protocol && *number == port)
        && ranges.any(|range| {
            range.protocol.to_string() == protocol && (range.first..=range.last).contains(&port)
        })
}

/// Whether a key of a map of ports is one that the tenant publishes.
pub(super) fn is_key(expected: &Expected<'_>, key: &Value) -> bool {
    let known = || {
        let [protocol, port] = key["concat"].as_array()?.as_slice() else {
            return None;
        };
        let port = u16::try_from(port.as_u64()?).ok()?;
        Some(is_given(expected, protocol.as_str()?, port))
    };
    known().unwrap_or(false)
}

/// Whether an element of the sets of what is open is a port of the tenant's that leads to a machine of its own.
pub(super) fn is_open(expected: &Expected<'_>, element: &Value) -> bool {
    let known = || {
        let [protocol, port, address, to] = element["concat"].as_array()?.as_slice() else {
            return None;
        };
        let port = u16::try_from(port.as_u64()?).ok()?;
        let address: IpAddr = address.as_str()?.parse().ok()?;
        u16::try_from(to.as_u64()?).ok()?;
        Some(is_given(expected, protocol.as_str()?, port) && is_own_anywhere(expected, address))
    };
    known().unwrap_or(false)
}

/// Whether a machine of the tenant has `address`, in whatever routing domain.
fn is_own_anywhere(expected: &Expected<'_>, address: IpAddr) -> bool {
    let domains = expected.networks.iter().filter_map(|n| n.vrf.as_ref());
    let mut domains = domains.map(|vrf| Some(vrf.table)).chain([None]);
    domains.any(|domain| is_own(expected, address, domain))
}

/// The routing domain that a rule leads into: one of the tenant, and never for the host's own packets.
fn domain(expected: &Expected<'_>, chain: &str, rule: &[Value]) -> Option<Option<u32>> {
    let Some(table) = rule.iter().find_map(|one| one["mangle"]["value"].as_u64()) else {
        return Some(None);
    };
    let mut domains = expected.networks.iter().filter_map(|n| n.vrf.as_ref());
    let own = domains.find(|vrf| u64::from(vrf.table) == table)?;
    (chain == "dstnat").then_some(Some(own.table))
}

/// Whether a machine of the tenant has `address` in the routing domain, or in the host's.
fn is_own(expected: &Expected<'_>, address: IpAddr, domain: Option<u32>) -> bool {
    let table = |own: &Interface<'_>| own.network.vrf.as_ref().map(|vrf| vrf.table);
    let mut interfaces = expected.interfaces().filter(|own| table(own) == domain);
    interfaces.any(|own| match address {
        IpAddr::V4(address) => own.allocated.address == address,
        IpAddr::V6(address) => own.network.ipv6.is_some() && own.ipv6().contains(&address),
    })
}

fn publishing(
    chain: &str,
    protocol: &str,
    port: u16,
    address: IpAddr,
    to: u16,
    domain: Option<u32>,
) -> Vec<Value> {
    let (version, family) = match address {
        IpAddr::V4(_) => ("ipv4", "ip"),
        IpAddr::V6(_) => ("ipv6", "ip6"),
    };
    let mut rule = vec![meta_is("nfproto", version)];
    if chain == "dstnat-host" && family == "ip6" {
        rule.push(is_not(field("ip6", "daddr"), "::1"));
    }
    rule.push(is(field(protocol, "dport"), port));
    for key in ["ct", "meta"] {
        let mark = |table: u32| json!({"mangle": {"key": {key: {"key": "mark"}}, "value": table}});
        rule.extend(domain.map(mark));
    }
    rule.push(json!({"dnat": {"family": family, "addr": address, "port": to}}));
    rule
}

/// All rules that may be in `srcnat`.
pub(super) fn masquerade(expected: &Expected<'_>) -> Vec<Vec<Value>> {
    let masquerade = || json!({"masquerade": null});
    let mut known = Vec::new();
    let mut of = |protocol: &str, address: IpAddr, length: u8| {
        let prefix = json!({"prefix": {"addr": address, "len": length}});
        known.push(vec![is(field(protocol, "saddr"), prefix), masquerade()]);
    };
    for network in &expected.networks {
        of("ip", network.subnet.address.into(), network.subnet.prefix);
        if let Some(prefix) = network.ipv6 {
            of("ip6", prefix.into(), 64);
        }
    }
    known
}
