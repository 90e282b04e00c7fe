//! Packets between a routing domain and everybody else. Its addresses may be those of another domain too, so addresses do
//! not say where a packet belongs: its connection does, by a mark that is the number of the domain's routing table.

use super::json::{Table, accept, any_of, drop, is, is_not, meta};
use crate::allocate::Vrf;
use crate::render::names::TENANT_LINK_GROUP;
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};

const CHAIN: &str = "domains";
/// After connections are known and before anything is routed: mangle of nft(8).
const PRIORITY: i32 = -150;

pub(super) fn rules(scene: &Scene<'_>, table: &mut Table<'_>) {
    let domains = || {
        let bridges = scene.bridges.iter();
        bridges.filter_map(|bridge| Some((bridge, bridge.allocated.vrf.as_ref()?)))
    };
    if domains().next().is_none() {
        return;
    }
    table.hook(CHAIN, "filter", "prerouting", PRIORITY);
    for (bridge, vrf) in domains() {
        let from = || is(meta("iifname"), any_of(&bridge.link_values()));
        table.rule(
            CHAIN,
            "another domain's connection",
            vec![
                from(),
                is_not(connection(), any_of(&[json!(0), json!(vrf.table)])),
                drop(),
            ],
        );
        table.rule(CHAIN, "", vec![from(), set(connection(), vrf), accept()]);
        table.rule(
            CHAIN,
            "",
            vec![
                is_not(meta("iifgroup"), json!(TENANT_LINK_GROUP)),
                is(connection(), json!(vrf.table)),
                set(meta("mark"), vrf),
            ],
        );
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
