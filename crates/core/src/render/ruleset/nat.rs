//! Published ports and masquerading.

use super::vrf;
use crate::model::Publish;
use crate::nftables::json::{Part, counter, field, is, is_not, meta};
use crate::render::scene::{Bridge, Port, Scene};
use serde_json::{Value, json};

pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    if !scene.tenant.publish.is_empty() {
        let (mut all, mut of_host) = (Vec::new(), Vec::new());
        for (publish, port) in publications(scene) {
            let key = json!({"concat": [publish.protocol.to_string(), publish.port]});
            if !in_domain(&scene.bridges[port.bridge]) {
                of_host.push(key.clone());
            }
            all.push(key);
        }
        table.entry("dstnat", &all);
        table.entry("dstnat-host", &of_host);
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

fn publish_port(publish: &Publish, bridge: &Bridge<'_>, port: &Port<'_>, table: &mut Part<'_>) {
    let protocol = publish.protocol.to_string();
    let comment = format!("{}: {protocol}/{}", publish.origin.place(), publish.port);
    // There is no way from ::1 to another link, as there is from 127.0.0.1 with route_localnet.
    let routable = is_not(field("ip6", "daddr"), json!("::1"));

    let mut add = |chain: &str, first: Vec<Value>, version: &str, family: &str, address: Value| {
        let mut rule = vec![is(meta("nfproto"), json!(version))];
        rule.extend(first);
        rule.extend([
            is(field(&protocol, "dport"), json!(publish.port)),
            counter(),
        ]);
        rule.extend(vrf::into(bridge));
        rule.push(json!({"dnat": {"family": family, "addr": address, "port": publish.to_port}}));
        table.rule(chain, &comment, rule);
    };
    add("dstnat", Vec::new(), "ipv4", "ip", json!(port.address));
    if let Some(address) = port.ipv6 {
        add("dstnat", Vec::new(), "ipv6", "ip6", json!(address));
    }
    if in_domain(bridge) {
        return;
    }
    add("dstnat-host", Vec::new(), "ipv4", "ip", json!(port.address));
    if let Some(address) = port.ipv6 {
        add("dstnat-host", vec![routable], "ipv6", "ip6", json!(address));
    }
}

/// Answers would come from the routing domain, where the host's own programs do not listen.
fn in_domain(bridge: &Bridge<'_>) -> bool {
    bridge.allocated.vrf.is_some()
}

fn masquerade(scene: &Scene<'_>, table: &mut Part<'_>) {
    let masquerade = || json!({"masquerade": null});
    let bridges = || scene.bridges.iter().filter(|bridge| bridge.network.nat);
    let links: Vec<Value> = bridges().flat_map(Bridge::link_values).collect();
    if links.is_empty() {
        return;
    }
    table.entry("srcnat", &links);
    for bridge in bridges() {
        let network = bridge.network;
        let comment = format!("{}: {}", network.origin.place(), network.name);
        let subnet = bridge.allocated.subnet;
        let prefix = json!({"prefix": {"addr": subnet.address, "len": subnet.prefix}});
        table.rule(
            "srcnat",
            &comment,
            vec![is(field("ip", "saddr"), prefix), masquerade()],
        );
        if let Some(address) = bridge.allocated.ipv6 {
            let prefix = json!({"prefix": {"addr": address, "len": 64}});
            table.rule(
                "srcnat",
                &comment,
                vec![is(field("ip6", "saddr"), prefix), masquerade()],
            );
        }
    }
}
