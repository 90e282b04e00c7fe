//! What comes into a bridge by its uplink, and what leaves by it: whoever is out there belongs to the network, and speaks
//! for none of the tenant's machines, nor for the host. Each side has its own DHCP and, unless the network says that its
//! router is out there, its own router.

use crate::allocate::Uplink;
use crate::nftables::json::{Part, any_of, drop, field, is, meta};
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};

/// Uplinks that are ports of bridges, as elements of a set.
pub(super) fn links(scene: &Scene<'_>) -> Vec<Value> {
    let bridges = scene.bridges.iter();
    bridges.filter_map(link).map(|link| json!(link)).collect()
}

fn link<'s>(bridge: &'s Bridge<'_>) -> Option<&'s str> {
    let uplink = bridge.allocated.uplink.as_ref();
    uplink.filter(|uplink| uplink.is_port()).map(Uplink::link)
}

pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    let links = links(scene);
    if links.is_empty() {
        return;
    }
    table.entry("uplink", &links);
    table.entry("uplink-out", &links);
    let bridges = scene.bridges.iter();
    let routed = bridges.filter(|bridge| bridge.allocated.foreign_router().is_none());
    let routed = routed.filter_map(link).map(|link| json!(link));
    table.set("host-routed", json!("ifname"), routed.collect());
    own(scene, table);
    inward(table);
    outward(table);
}

/// Addresses of the tenant's machines and of the host, in every network: none of them is out there.
fn own(scene: &Scene<'_>, table: &mut Part<'_>) {
    let macs = scene.ports().map(|port| json!(port.mac)).collect();
    table.set("own-macs", json!("ether_addr"), macs);
    let ports = scene.ports().map(|port| json!(port.address));
    let host = scene.bridges.iter().map(|bridge| json!(bridge.gateway));
    table.set("own-ipv4", json!("ipv4_addr"), ports.chain(host).collect());
    let ports = scene
        .ports()
        .flat_map(|port| [Some(port.link_local), port.ipv6]);
    let host = scene.bridges.iter().map(Bridge::gateway6);
    let ipv6 = ports.chain(host).flatten().map(|address| json!(address));
    table.set("own-ipv6", json!("ipv6_addr"), ipv6.collect());
}

fn inward(table: &mut Part<'_>) {
    let chain = "uplink";
    let own = |protocol: &str, name: &str, set: &str| is(field(protocol, name), json!(set));
    let tags = [json!("8021q"), json!("8021ad")];
    let advert = is(field("icmpv6", "type"), json!("nd-neighbor-advert"));
    let refused = [
        ("VLAN tags", vec![is(field("ether", "type"), any_of(&tags))]),
        (
            "a machine's MAC address",
            vec![own("ether", "saddr", "@own-macs")],
        ),
        (
            "an address in use here",
            vec![own("arp", "saddr ip", "@own-ipv4")],
        ),
        (
            "an address in use here",
            vec![own("ip", "saddr", "@own-ipv4")],
        ),
        (
            "an address in use here",
            vec![own("ip6", "saddr", "@own-ipv6")],
        ),
        (
            "an address in use here",
            vec![advert, own("icmpv6", "taddr", "@own-ipv6")],
        ),
        ("DHCP", vec![dhcp()]),
    ];
    for (comment, mut matches) in refused {
        matches.push(drop());
        table.rule(chain, comment, matches);
    }
    let from = is(meta("iifname"), json!("@host-routed"));
    let matches = vec![from, router(), drop()];
    table.rule(chain, "the host is the router", matches);
}

/// What the host says to its machines is for nobody else.
fn outward(table: &mut Part<'_>) {
    for matches in [router(), dhcp()] {
        let comment = "for machines of this host";
        table.rule("uplink-out", comment, vec![matches, drop()]);
    }
}

fn dhcp() -> Value {
    let ports = [67, 68, 546, 547].map(|port| json!(port));
    is(field("udp", "dport"), any_of(&ports))
}

fn router() -> Value {
    let kinds = ["nd-router-advert", "nd-redirect"].map(|kind| json!(kind));
    is(field("icmpv6", "type"), any_of(&kinds))
}
