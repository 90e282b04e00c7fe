//! Bridges for networkd: systemd.netdev(5), systemd.network(5).
//!
//! The files sort before systemd's own 80-*.network, which would turn on a DHCP server and masquerading.

use super::names::TENANT_LINK_GROUP;
use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use crate::unitfile::UnitFile;

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    let bridges = scene.bridges.iter().enumerate();
    for (index, bridge) in bridges.filter(|(_, bridge)| !bridge.allocated.private) {
        let link = &bridge.allocated.link;
        let source = Source::live(&bridge.network.origin);
        let device = device(bridge, set);
        set.add_unit_file(
            format!("network/10-bitbuilder-{link}.netdev"),
            &device,
            source,
        );
        let network = configuration(scene, index, bridge, set);
        set.add_unit_file(
            format!("network/10-bitbuilder-{link}.network"),
            &network,
            source,
        );
    }
    ports(scene, set);
}

fn device(bridge: &Bridge<'_>, set: &Set) -> UnitFile {
    let mut file = set.unit_file(&bridge.network.origin, "NetDev");
    file.verbatim("Name", &bridge.allocated.link)
        .verbatim("Kind", "bridge")
        .section("Bridge")
        .verbatim("STP", "no")
        // Without a querier snooping would stop multicast between the tenant's own machines.
        .verbatim("MulticastSnooping", "no");
    file
}

fn configuration(scene: &Scene<'_>, index: usize, bridge: &Bridge<'_>, set: &Set) -> UnitFile {
    let network = bridge.network;
    let mut file = set.unit_file(&network.origin, "Match");
    file.verbatim("Name", &bridge.allocated.link)
        .section("Link")
        .verbatim("Group", TENANT_LINK_GROUP)
        .verbatim("RequiredForOnline", "no");
    if let Some(mtu) = bridge.mtu() {
        file.verbatim("MTUBytes", mtu);
    }
    file.section("Network")
        .verbatim("ConfigureWithoutCarrier", "yes")
        .verbatim(
            "Address",
            format!("{}/{}", bridge.gateway, bridge.allocated.subnet.prefix),
        );
    if let Some(vrf) = &bridge.allocated.vrf {
        file.verbatim("VRF", &vrf.link);
    }
    if bridge.gateway6().is_some() {
        file.verbatim("IPv6SendRA", "yes");
    }
    // The host neither learns from its tenants nor tells them about itself.
    for key in ["IPv6AcceptRA", "LLMNR", "MulticastDNS", "LLDP", "EmitLLDP"] {
        file.verbatim(key, "no");
    }
    // For published ports of this host as seen from itself: 127.0.0.1:PORT.
    file.verbatim("IPv4RouteLocalnet", "yes");
    if network.dhcp {
        file.verbatim("DHCPServer", "yes");
    }
    if let Some(gateway) = bridge.gateway6() {
        // Nobody else may have it. The check for duplicates does not end before the first machine is there, and machines
        // start only when the bridge is set up.
        file.section("Address")
            .verbatim("Address", format!("{gateway}/64"))
            .verbatim("DuplicateAddressDetection", "none");
    }
    if network.dhcp {
        dhcp_server(scene, index, bridge, &mut file);
    }
    if let Some(prefix) = bridge.allocated.ipv6 {
        file.section("IPv6SendRA")
            .verbatim("EmitDNS", "no")
            .verbatim("EmitDomains", "no");
        if bridge.router6().is_none() {
            file.verbatim("RouterLifetimeSec", 0);
        }
        file.section("IPv6Prefix")
            .verbatim("Prefix", format!("{prefix}/64"));
    }
    file
}

/// Answers only with what the host decided: a lease per machine, names of nobody. There is nothing to remember, and a
/// lease of a tenant that is gone would be in the way of the next one's. A network that reaches the
/// outside is told the servers that the host itself asks; one that does not has no use for them.
fn dhcp_server(scene: &Scene<'_>, index: usize, bridge: &Bridge<'_>, file: &mut UnitFile) {
    file.section("DHCPServer");
    // The pool cannot be empty; the last address is nobody's, and packet rules let only known machines ask.
    if let Some(offset) = last_offset(bridge.allocated.subnet.prefix) {
        file.verbatim("PoolOffset", offset).verbatim("PoolSize", 1);
    }
    if let Some(router) = bridge.allocated.foreign_router() {
        file.verbatim("Router", router);
    }
    file.verbatim("EmitDNS", if bridge.network.nat { "yes" } else { "no" });
    for key in [
        "PersistLeases",
        "EmitNTP",
        "EmitSIP",
        "EmitPOP3",
        "EmitSMTP",
        "EmitLPR",
        "EmitTimezone",
    ] {
        file.verbatim(key, "no");
    }
    if let Some(mtu) = bridge.mtu() {
        // RFC 2132 section 5.1.
        file.verbatim("SendOption", format!("26:uint16:{mtu}"));
    }
    for port in scene.ports().filter(|port| port.bridge == index) {
        file.section("DHCPServerStaticLease")
            .verbatim("MACAddress", port.mac)
            .verbatim("Address", port.address);
    }
}

/// Host ends of the tenant's links: put into their bridge when they are made, none of networkd's business.
fn ports(scene: &Scene<'_>, set: &mut Set) {
    let mut names: Vec<&str> = scene
        .ports()
        .flat_map(|port| [port.link, &port.peer])
        .collect();
    if names.is_empty() {
        return;
    }
    names.sort_unstable();
    let mut file = set.unit_file(&scene.origin, "Match");
    file.verbatim("Name", names.join(" "))
        .section("Link")
        .verbatim("Unmanaged", "yes");
    set.add_unit_file(
        format!("network/10-bitbuilder-ports-{}.network", scene.tenant.id),
        &file,
        Source::live(&scene.origin),
    );
}

/// Offset of the last host address of a subnet.
fn last_offset(prefix: u8) -> Option<u64> {
    let size = 1u64.checked_shl(32 - u32::from(prefix.min(32)))?;
    size.checked_sub(2).filter(|offset| *offset > 1)
}
