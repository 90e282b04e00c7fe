//! Links that take packets out of this host, and routing domains: exactly as they were allocated.

use super::expected::GROUP;
use super::network::{is_quiet, once};
use super::unit::each;
use super::{Lint, tunnel};
use crate::allocate::{NetworkAllocation, Uplink, Vrf};
use crate::unitfile::read::Assignment;

/// Batches of ip(8) that make links.
pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("uplinks/") {
        let network = lint.expected.uplink(&path["uplinks/".len()..]);
        let uplink = network.and_then(|network| network.uplink.as_ref());
        let known = match uplink {
            Some(Uplink::Vlan {
                link, parent, id, ..
            }) => text == format!("link add link {parent} name {link} type vlan id {id}\n"),
            Some(Uplink::Vxlan { link, vni }) => {
                tunnel::makes_segment(lint.expected, text, link, *vni)
            }
            Some(Uplink::Wireguard { .. }) | None => false,
        };
        lint.require(
            known,
            path,
            "link-command",
            "it does not make the link that was allocated",
        );
    }
}

/// Configuration of the link: a port of its bridge.
pub(super) fn configuration(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    network: &NetworkAllocation,
    link: &str,
) {
    if let Some(table) = network.table() {
        return tunnel::configuration(lint, path, settings, network, link, table);
    }
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("Network", "Bridge") => s.value == network.link,
        ("BridgeFDB", "MACAddress") => s.value == "00:00:00:00:00:00",
        ("BridgeFDB", "Destination") => s.value.parse().is_ok_and(tunnel::is_station),
        _ => is_quiet(s, link),
    });
    once(lint, path, settings, "Match", "Name");
    once(lint, path, settings, "Network", "Bridge");
}

/// A routing domain: the device and its configuration.
pub(super) fn vrf(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], vrf: &Vrf) {
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("NetDev" | "Match", "Name") => s.value == vrf.link,
        ("NetDev", "Kind") => s.value == "vrf",
        ("VRF", "Table") => s.value == vrf.table.to_string(),
        ("Link", "Group") => s.value == GROUP.to_string(),
        ("Link", "RequiredForOnline") => s.value == "no",
        ("RoutingPolicyRule", "Priority") => s.value == "900",
        ("RoutingPolicyRule", "Family") => s.value == "both",
        ("RoutingPolicyRule", "FirewallMark" | "Table") => s.value == vrf.table.to_string(),
        ("Network", "LinkLocalAddressing" | "IPv6AcceptRA" | "LLDP" | "EmitLLDP") => {
            s.value == "no"
        }
        _ => false,
    });
    let needed: &[_] = match path.ends_with(".netdev") {
        true => &[("NetDev", "Name"), ("NetDev", "Kind"), ("VRF", "Table")],
        // A rule without a mark would be about every packet of the host.
        false => &[
            ("Match", "Name"),
            ("Link", "Group"),
            ("RoutingPolicyRule", "FirewallMark"),
            ("RoutingPolicyRule", "Table"),
        ],
    };
    for (section, key) in needed {
        once(lint, path, settings, section, key);
    }
}
