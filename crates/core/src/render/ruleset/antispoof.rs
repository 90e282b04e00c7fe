//! Nobody speaks for another: MAC, IPv4, IPv6, ARP and neighbour discovery of every port, before the bridge
//! learns or forwards anything.

use super::ceilings;
use crate::nftables::json::{Part, accept, any_of, concat, drop, field, is, is_not, meta};
use crate::render::scene::{Port, Scene};
use serde_json::{Value, json};

const CHAIN: &str = "antispoof";

pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    let ports: Vec<Value> = scene.bridged_ports().map(|port| json!(port.link)).collect();
    if ports.is_empty() {
        return;
    }
    sets(scene, table);
    table.entry(CHAIN, &ports);
    ceilings::links(scene.bridged_ports(), CHAIN, table);
    let own = |right: &str, left: Value| is(concat(&[meta("iifname"), left]), json!(right));

    let mac = concat(&[meta("iifname"), field("ether", "saddr")]);
    table.rule(
        CHAIN,
        "another's MAC address",
        vec![is_not(mac, json!("@macs")), drop()],
    );

    // The kernel puts a tag aside before it looks at a frame, and rules about addresses would not see it.
    table.rule(
        CHAIN,
        "VLAN tags",
        vec![
            is(
                field("ether", "type"),
                any_of(&[json!("8021q"), json!("8021ad")]),
            ),
            drop(),
        ],
    );

    let arp = [
        is(field("arp", "htype"), json!(1)),
        is(field("arp", "ptype"), json!("ip")),
    ];
    let mut said = arp.to_vec();
    said.push(own("@macs", field("arp", "saddr ether")));
    let mut probe = said.clone();
    said.extend([own("@ipv4", field("arp", "saddr ip")), accept()]);
    table.rule(CHAIN, "ARP", said);
    probe.extend([is(field("arp", "saddr ip"), json!("0.0.0.0")), accept()]);
    table.rule(CHAIN, "ARP probe", probe);

    table.rule(
        CHAIN,
        "DHCP client without an address",
        vec![
            is(field("ip", "saddr"), json!("0.0.0.0")),
            is(field("udp", "sport"), json!(68)),
            is(field("udp", "dport"), json!(67)),
            accept(),
        ],
    );
    table.rule(
        CHAIN,
        "only the host answers DHCP",
        vec![
            is(field("udp", "sport"), any_of(&[json!(67), json!(547)])),
            drop(),
        ],
    );
    table.rule(
        CHAIN,
        "IPv4",
        vec![own("@ipv4", field("ip", "saddr")), accept()],
    );
    ipv6(table, own);
    table.rule(CHAIN, "everything else", vec![drop()]);
}

fn ipv6(table: &mut Part<'_>, own: impl Fn(&str, Value) -> Value) {
    let kind = |kinds: &[&str]| {
        let kinds: Vec<Value> = kinds.iter().map(|kind| json!(kind)).collect();
        is(field("icmpv6", "type"), any_of(&kinds))
    };
    table.rule(
        CHAIN,
        "only the host is a router",
        vec![kind(&["nd-router-advert", "nd-redirect"]), drop()],
    );
    let target = concat(&[meta("iifname"), field("icmpv6", "taddr")]);
    table.rule(
        CHAIN,
        "another's neighbour",
        vec![
            kind(&["nd-neighbor-advert"]),
            is_not(target, json!("@ipv6")),
            drop(),
        ],
    );
    table.rule(
        CHAIN,
        "duplicate address detection",
        vec![
            is(field("ip6", "saddr"), json!("::")),
            kind(&["nd-neighbor-solicit", "mld2-listener-report"]),
            accept(),
        ],
    );
    table.rule(
        CHAIN,
        "IPv6",
        vec![own("@ipv6", field("ip6", "saddr")), accept()],
    );
}

fn sets(scene: &Scene<'_>, table: &mut Part<'_>) {
    let pair = |port: &Port<'_>, value: Value| json!({"concat": [port.link, value]});
    let macs = scene
        .bridged_ports()
        .map(|port| pair(port, json!(port.mac)))
        .collect();
    table.set("macs", json!(["ifname", "ether_addr"]), macs);
    let ipv4 = scene
        .bridged_ports()
        .map(|port| pair(port, json!(port.address)))
        .collect();
    table.set("ipv4", json!(["ifname", "ipv4_addr"]), ipv4);
    let ipv6 = scene
        .bridged_ports()
        .flat_map(|port| {
            let global = port.ipv6.map(|address| pair(port, json!(address)));
            [Some(pair(port, json!(port.link_local))), global]
                .into_iter()
                .flatten()
        })
        .collect();
    table.set("ipv6", json!(["ifname", "ipv6_addr"]), ipv6);
}
