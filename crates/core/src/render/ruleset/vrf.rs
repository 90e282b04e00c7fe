//! Packets between a routing domain and everybody else. Its addresses may be those of another domain too, so addresses do
//! not say where a packet belongs: its connection does, by a mark that is the number of the domain's routing table.

use crate::allocate::Vrf;
use crate::nftables::json::{Part, accept, any_of, drop, is, is_not, meta};
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};

const CHAIN: &str = "domains";
pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    let domains: Vec<(&Bridge<'_>, &Vrf)> = scene
        .bridges
        .iter()
        .filter_map(|bridge| Some((bridge, bridge.allocated.vrf.as_ref()?)))
        .collect();
    if domains.is_empty() {
        return;
    }
    let links = domains.iter().flat_map(|(bridge, _)| bridge.link_values());
    table.entry(CHAIN, &links.collect::<Vec<_>>());
    let marks = domains.iter().map(|(_, vrf)| json!(vrf.table));
    table.entry("marks", &marks.collect::<Vec<_>>());
    for (bridge, vrf) in domains {
        let from = || is(meta("iifname"), any_of(&bridge.link_values()));
        let known = any_of(&[json!(0), json!(vrf.table)]);
        table.rule(
            CHAIN,
            "another domain's connection",
            vec![from(), is_not(connection(), known), drop()],
        );
        table.rule(CHAIN, "", vec![from(), set(connection(), vrf), accept()]);
        let own = is(connection(), json!(vrf.table));
        table.rule("marks", "", vec![own, set(meta("mark"), vrf)]);
    }
}

/// What sends the first packet of a connection into the domain, and says so for the others.
pub(super) fn into(bridge: &Bridge<'_>) -> Vec<Value> {
    let vrf = bridge.allocated.vrf.as_ref();
    vrf.map_or_else(Vec::new, |vrf| {
        vec![set(connection(), vrf), set(meta("mark"), vrf)]
    })
}

fn connection() -> Value {
    json!({"ct": {"key": "mark"}})
}

fn set(key: Value, vrf: &Vrf) -> Value {
    json!({"mangle": {"key": key, "value": vrf.table}})
}
