//! What a network has beyond its bridge: the link that takes its packets out of this host, the VRF that it is in.

use super::names::TENANT_LINK_GROUP;
use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use super::{vxlan, wireguard};
use crate::allocate::{Uplink, Vrf};
use crate::unitfile::UnitFile;

/// Before the kernel's own rule for routing domains, which is 1000.
const MARKED: u32 = 900;

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    for bridge in &scene.bridges {
        if let Some(uplink) = &bridge.allocated.uplink {
            match uplink {
                Uplink::Vlan {
                    link, parent, id, ..
                } => vlan(bridge, link, parent, *id, set),
                Uplink::Wireguard { link, port } => {
                    wireguard::render(scene, bridge, link, *port, set);
                }
                Uplink::Vxlan { link, vni } => vxlan::render(scene, bridge, link, *vni, set),
            }
        }
        if let Some(vrf) = &bridge.allocated.vrf {
            routing_domain(bridge, vrf, set);
        }
    }
}

/// networkd makes a VLAN only where the file of its trunk link asks for it, and that file is the operator's: it stays as
/// it is, and a batch of ip(8) makes the link.
fn vlan(bridge: &Bridge<'_>, link: &str, parent: &str, id: u16, set: &mut Set) {
    let source = Source::live(&bridge.network.origin);
    let batch = format!("link add link {parent} name {link} type vlan id {id}\n");
    set.add(format!("uplinks/{link}"), batch.into_bytes(), 0o644, source);
    let file = port(bridge, link, set);
    set.add_unit_file(
        format!("network/10-bitbuilder-{link}.network"),
        &file,
        source,
    );
}

/// A link that is a port of the bridge and nothing else.
pub(super) fn port(bridge: &Bridge<'_>, link: &str, set: &Set) -> UnitFile {
    quiet(bridge, link, Some(&bridge.allocated.link), set)
}

/// A link on which the host has no address of its own making and tells nothing of itself; a port of `master`, if of any.
pub(super) fn quiet(bridge: &Bridge<'_>, link: &str, master: Option<&str>, set: &Set) -> UnitFile {
    let mut file = set.unit_file(&bridge.network.origin, "Match");
    file.verbatim("Name", link)
        .section("Link")
        .verbatim("Group", TENANT_LINK_GROUP)
        .verbatim("RequiredForOnline", "no")
        .section("Network");
    if let Some(master) = master {
        file.verbatim("Bridge", master);
    }
    for key in [
        "LinkLocalAddressing",
        "IPv6AcceptRA",
        "LLMNR",
        "MulticastDNS",
        "LLDP",
        "EmitLLDP",
    ] {
        file.verbatim(key, "no");
    }
    file
}

fn routing_domain(bridge: &Bridge<'_>, vrf: &Vrf, set: &mut Set) {
    let source = Source::live(&bridge.network.origin);
    let mut device = set.unit_file(&bridge.network.origin, "NetDev");
    device
        .verbatim("Name", &vrf.link)
        .verbatim("Kind", "vrf")
        .section("VRF")
        .verbatim("Table", vrf.table);
    set.add_unit_file(
        format!("network/10-bitbuilder-{}.netdev", vrf.link),
        &device,
        source,
    );
    let mut file = set.unit_file(&bridge.network.origin, "Match");
    file.verbatim("Name", &vrf.link)
        .section("Link")
        .verbatim("Group", TENANT_LINK_GROUP)
        .verbatim("RequiredForOnline", "no")
        .section("Network");
    for key in ["LinkLocalAddressing", "IPv6AcceptRA", "LLDP", "EmitLLDP"] {
        file.verbatim(key, "no");
    }
    // Answers from outside find the domain by the mark that their connection has.
    file.section("RoutingPolicyRule")
        .verbatim("Priority", MARKED)
        .verbatim("Family", "both")
        .verbatim("FirewallMark", vrf.table)
        .verbatim("Table", vrf.table);
    set.add_unit_file(
        format!("network/10-bitbuilder-{}.network", vrf.link),
        &file,
        source,
    );
}
