//! Nobody speaks for another where each machine is alone on its link: there is no bridge whose rules could say it.

use super::ceilings;
use crate::nftables::json::{Part, accept, concat, drop, field, is, is_not, meta};
use crate::render::scene::{Port, Scene};
use serde_json::{Value, json};

const CHAIN: &str = "antispoof";

pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    let ports: Vec<&Port<'_>> = scene
        .ports()
        .filter(|port| scene.bridges[port.bridge].allocated.private)
        .collect();
    if ports.is_empty() {
        return;
    }
    let pair = |port: &Port<'_>, value: Value| json!({"concat": [port.link, value]});
    let links: Vec<Value> = ports.iter().map(|port| json!(port.link)).collect();
    table.entry(CHAIN, &links);
    ceilings::links(ports.iter().copied(), CHAIN, table);
    let macs = ports.iter().map(|port| pair(port, json!(port.mac)));
    table.set("macs", json!(["ifname", "ether_addr"]), macs.collect());
    let ipv4 = ports.iter().map(|port| pair(port, json!(port.address)));
    table.set("ipv4", json!(["ifname", "ipv4_addr"]), ipv4.collect());
    let own = |port: &&Port<'_>| [Some(port.link_local), port.ipv6];
    let ipv6 = ports.iter().flat_map(|port| {
        let own = own(port).into_iter().flatten();
        own.map(|address| pair(port, json!(address)))
    });
    table.set("ipv6", json!(["ifname", "ipv6_addr"]), ipv6.collect());

    let of_link = |left: Value| concat(&[meta("iifname"), left]);
    let address = |protocol: &str| of_link(field(protocol, "saddr"));
    let mut add = |comment: &str, expressions: Vec<Value>| table.rule(CHAIN, comment, expressions);
    let mac = of_link(field("ether", "saddr"));
    add(
        "another's MAC address",
        vec![is_not(mac, json!("@macs")), drop()],
    );
    add("IPv4", vec![is(address("ip"), json!("@ipv4")), accept()]);
    add("IPv6", vec![is(address("ip6"), json!("@ipv6")), accept()]);
    add(
        "duplicate address detection",
        vec![
            is(field("ip6", "saddr"), json!("::")),
            is(field("icmpv6", "type"), json!("nd-neighbor-solicit")),
            accept(),
        ],
    );
    add("everything else", vec![drop()]);
}
