//! Files of networkd: the tenant's bridges and the host ends of its links, and only they.

use super::expected::{GROUP, gateway, gateway6};
use super::unit::{each, settings};
use super::{Lint, tunnel, uplink};
use crate::allocate::NetworkAllocation;
use crate::unitfile::read::Assignment;
use std::collections::BTreeSet;

pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("network/") {
        let Some(settings) = settings(lint, path, text) else {
            continue;
        };
        let name = path.trim_start_matches("network/10-bitbuilder-");
        let (link, kind) = name.rsplit_once('.').unwrap_or((name, ""));
        match (lint.expected.bridge(link), kind) {
            (Some(_), "netdev") => device(lint, path, &settings, link),
            (Some(network), _) => {
                bridge(lint, path, &settings, network);
                leases(lint, path, &settings);
            }
            (None, _) => other(lint, path, &settings, link),
        }
    }
}

/// What is neither a bridge nor made by networkd alone.
fn other(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], link: &str) {
    if let Some(vrf) = lint.expected.vrf(link) {
        uplink::vrf(lint, path, settings, vrf);
    } else if let Some(network) = lint.expected.uplink(link) {
        match path.ends_with(".netdev") {
            true => tunnel::device(lint, path, settings, link),
            false => uplink::configuration(lint, path, settings, network, link),
        }
    } else {
        ports(lint, path, settings);
    }
}

fn device(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], link: &str) {
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("NetDev", "Name") => s.value == link,
        ("NetDev", "Kind") => s.value == "bridge",
        ("Bridge", "STP" | "MulticastSnooping") => s.value == "no",
        _ => false,
    });
    for key in ["Name", "Kind"] {
        once(lint, path, settings, "NetDev", key);
    }
}

/// Whether a setting is one of a link of tenants on which the host tells nothing of itself.
pub(super) fn is_quiet(s: &Assignment<'_>, link: &str) -> bool {
    match (s.section, s.key) {
        ("Match", "Name") => s.value == link,
        ("Link", "Group") => s.value == GROUP.to_string(),
        ("Link", "RequiredForOnline") => s.value == "no",
        (
            "Network",
            "LinkLocalAddressing" | "IPv6AcceptRA" | "LLMNR" | "MulticastDNS" | "LLDP" | "EmitLLDP",
        ) => s.value == "no",
        _ => false,
    }
}

/// A `[Match]` without a name would match every link of the host.
pub(super) fn once(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    section: &str,
    key: &str,
) {
    let its = settings
        .iter()
        .filter(|setting| setting.section == section && setting.key == key);
    let holds = its.count() == 1;
    lint.require(
        holds,
        path,
        "setting",
        format!("[{section}] has not one `{key}=`"),
    );
}

fn bridge(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    network: &NetworkAllocation,
) {
    let own4 = gateway(network).map(|(_, address)| address);
    let own6 = network
        .ipv6
        .map(|prefix| format!("{}/64", gateway6(prefix)));
    let expected = lint.expected;
    let machines = || {
        let all = expected.interfaces();
        all.filter(|own| own.network.link == network.link)
    };
    let macs: BTreeSet<&str> = machines().map(|own| own.allocated.mac.as_str()).collect();
    let addresses: BTreeSet<String> = machines()
        .map(|own| own.allocated.address.to_string())
        .collect();
    let vrf = network.vrf.as_ref().map(|vrf| vrf.link.as_str());
    let router = network.foreign_router().map(|router| router.to_string());
    let prefix6 = network.ipv6.map(|prefix| format!("{prefix}/64"));
    each(lint, path, settings, |_, s| {
        let value = s.value;
        let switch = matches!(value, "yes" | "no");
        match (s.section, s.key) {
            ("Match", "Name") => value == network.link,
            ("Link", "Group") => value == GROUP.to_string(),
            ("Link", "RequiredForOnline") => value == "no",
            ("Link", "MTUBytes") => tunnel::is_size(value),
            ("DHCPServer", "SendOption") => value
                .strip_prefix("26:uint16:")
                .is_some_and(tunnel::is_size),
            ("Network", "Address") => Some(value) == own4.as_deref(),
            ("Network", "VRF") => Some(value) == vrf,
            ("DHCPServer", "Router") => Some(value) == router.as_deref(),
            ("IPv6SendRA", "RouterLifetimeSec") => value == "0",
            ("Address", "Address") => Some(value) == own6.as_deref(),
            ("Address", "DuplicateAddressDetection") => value == "none",
            (
                "Network",
                "ConfigureWithoutCarrier" | "IPv6SendRA" | "IPv4RouteLocalnet" | "DHCPServer",
            ) => value == "yes",
            ("Network", "IPv6AcceptRA" | "LLMNR" | "MulticastDNS" | "LLDP" | "EmitLLDP") => {
                value == "no"
            }
            ("DHCPServer", "PoolOffset" | "PoolSize") => value.parse::<u32>().is_ok(),
            ("DHCPServer", "EmitDNS") => switch,
            (
                "DHCPServer",
                "PersistLeases" | "EmitNTP" | "EmitSIP" | "EmitPOP3" | "EmitSMTP" | "EmitLPR"
                | "EmitTimezone",
            ) => value == "no",
            ("DHCPServerStaticLease", "MACAddress") => macs.contains(value),
            ("DHCPServerStaticLease", "Address") => addresses.contains(value),
            ("IPv6SendRA", "EmitDNS" | "EmitDomains") => value == "no",
            ("IPv6Prefix", "Prefix") => Some(value) == prefix6.as_deref(),
            _ => false,
        }
    });
    once(lint, path, settings, "Match", "Name");
    once(lint, path, settings, "Link", "Group");
    if vrf.is_some() {
        once(lint, path, settings, "Network", "VRF");
    }
}

/// Every address is leased once, to one machine.
fn leases(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    let mut seen = BTreeSet::new();
    for setting in settings {
        if setting.section == "DHCPServerStaticLease" && !seen.insert((setting.key, setting.value))
        {
            let message = format!(
                "two machines would have `{}={}`",
                setting.key, setting.value
            );
            lint.refuse(path, "address-twice", message);
        }
    }
}

fn ports(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    let expected = lint.expected;
    let own: BTreeSet<&str> = expected
        .interfaces()
        .flat_map(|own| [own.allocated.link.as_str(), own.peer.as_str()])
        .collect();
    each(lint, path, settings, |_, s| match (s.section, s.key) {
        ("Match", "Name") => s.value.split(' ').all(|name| own.contains(name)),
        ("Link", "Unmanaged") => s.value == "yes",
        _ => false,
    });
    once(lint, path, settings, "Match", "Name");
}
