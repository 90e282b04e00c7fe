//! Published ports and masquerading.

use super::json::{Table, counter, field, is, is_not, meta, published};
use super::vrf;
use crate::model::Publish;
use crate::render::names::TENANT_LINK_GROUP;
use crate::render::scene::{Bridge, Port, Scene};
use serde_json::{Value, json};

/// Priorities of nft(8): dstnat and srcnat.
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;

pub(super) fn rules(scene: &Scene<'_>, table: &mut Table<'_>) {
    if !scene.tenant.publish.is_empty() {
        table.hook("dstnat", "nat", "prerouting", DSTNAT);
        table.hook("dstnat-host", "nat", "output", DSTNAT);
        for (publish, port) in publications(scene) {
            publish_port(publish, &scene.bridges[port.bridge], port, table);
        }
    }
    masquerade(scene, table);
}

/// Published ports, each with the interface that answers.
pub(super) fn publications<'s>(
    scene: &'s Scene<'_>,
) -> impl Iterator<Item = (&'s Publish, &'s Port<'s>)> {
    let published = scene.tenant.publish.iter();
    published.filter_map(|publish| Some((publish, scene.workload(&publish.to)?.ports.first()?)))
}

fn publish_port(publish: &Publish, bridge: &Bridge<'_>, port: &Port<'_>, table: &mut Table<'_>) {
    let protocol = publish.protocol.to_string();
    let comment = format!("{}: {protocol}/{}", publish.origin.place(), publish.port);
    let local = || {
        is(
            json!({"fib": {"result": "type", "flags": ["daddr"]}}),
            json!("local"),
        )
    };
    // Tenants do not reach each other by way of the host's ports.
    let outside = is_not(meta("iifgroup"), json!(TENANT_LINK_GROUP));
    // There is no way from ::1 to another link, as there is from 127.0.0.1 with route_localnet.
    let routable = is_not(field("ip6", "daddr"), json!("::1"));

    let mut add = |chain: &str, first: Vec<Value>, version: &str, family: &str, address: Value| {
        let mut rule = vec![is(meta("nfproto"), json!(version))];
        rule.extend(first);
        rule.extend([
            local(),
            is(field(&protocol, "dport"), json!(publish.port)),
            counter(),
        ]);
        rule.extend(vrf::into(bridge));
        rule.push(json!({"dnat": {"family": family, "addr": address, "port": publish.to_port}}));
        table.rule(chain, &comment, rule);
    };
    add(
        "dstnat",
        vec![outside.clone()],
        "ipv4",
        "ip",
        json!(port.address),
    );
    if let Some(address) = port.ipv6 {
        add("dstnat", vec![outside], "ipv6", "ip6", json!(address));
    }
    if bridge.allocated.vrf.is_some() {
        // Answers would come from the routing domain, where the host's own programs do not listen.
        return;
    }
    add("dstnat-host", Vec::new(), "ipv4", "ip", json!(port.address));
    if let Some(address) = port.ipv6 {
        add("dstnat-host", vec![routable], "ipv6", "ip6", json!(address));
    }
}

fn masquerade(scene: &Scene<'_>, table: &mut Table<'_>) {
    let masquerade = || json!({"masquerade": null});
    // Neither another network of the tenant nor one that is shared with it.
    let outside = || is_not(meta("oifgroup"), json!(TENANT_LINK_GROUP));
    table.hook("srcnat", "nat", "postrouting", SRCNAT);
    if !scene.tenant.publish.is_empty() {
        table.rule(
            "srcnat",
            "the host's own use of published ports",
            vec![
                is(meta("oifname"), json!("@links")),
                published(),
                is(
                    json!({"fib": {"result": "type", "flags": ["saddr"]}}),
                    json!("local"),
                ),
                masquerade(),
            ],
        );
    }
    for bridge in scene.bridges.iter().filter(|bridge| bridge.network.nat) {
        let network = bridge.network;
        let comment = format!("{}: {}", network.origin.place(), network.name);
        let subnet = bridge.allocated.subnet;
        let prefix = json!({"prefix": {"addr": subnet.address, "len": subnet.prefix}});
        table.rule(
            "srcnat",
            &comment,
            vec![outside(), is(field("ip", "saddr"), prefix), masquerade()],
        );
        if let Some(address) = bridge.allocated.ipv6 {
            let prefix = json!({"prefix": {"addr": address, "len": 64}});
            table.rule(
                "srcnat",
                &comment,
                vec![outside(), is(field("ip6", "saddr"), prefix), masquerade()],
            );
        }
    }
}
