//! What all tenants share: the chains that the kernel calls, and the maps that say whose packet it is.
//!
//! A verdict that drops is final and one that accepts ends only the chain that the kernel called. What one tenant sends to
//! another therefore passes two of them: `from`, where the sender's rules decide, and `to`, where the receiver's do.

use super::TABLE;
use super::json::{concat, drop, field, is, is_not, meta, published, rule, segment_of};
use crate::render::TENANT_LINK_GROUP;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Priorities of nft(8): raw, before the kernel looks for the connection of a packet; mangle, after that and before anything
/// is routed; dstnat, filter and srcnat. In `bridge`, raw is before the bridge learns or forwards anything.
const RAW: i32 = -300;
const MANGLE: i32 = -150;
const DSTNAT: i32 = -100;
const FILTER: i32 = 0;
const SRCNAT: i32 = 100;

/// The commands that make it, or leave it as it is.
pub(crate) fn shared() -> &'static [Value] {
    static SHARED: LazyLock<Vec<Value>> = LazyLock::new(|| {
        let mut shared = Vec::new();
        inet(&mut Shared::new("inet", &mut shared));
        bridge(&mut Shared::new("bridge", &mut shared));
        shared
    });
    &SHARED
}

struct Shared<'a> {
    family: &'static str,
    commands: &'a mut Vec<Value>,
}

impl<'a> Shared<'a> {
    fn new(family: &'static str, commands: &'a mut Vec<Value>) -> Self {
        commands.push(json!({"add": {"table": {"family": family, "name": TABLE}}}));
        Self { family, commands }
    }

    /// A chain that the kernel calls; what no rule decides passes.
    fn hook(&mut self, name: &str, kind: &str, hook: &str, priority: i32) {
        let chain = json!({"family": self.family, "table": TABLE, "name": name});
        let mut called = chain.clone();
        called["type"] = kind.into();
        called["hook"] = hook.into();
        called["prio"] = priority.into();
        called["policy"] = "accept".into();
        self.commands.push(json!({"add": {"chain": called}}));
        // Its rules are said anew each time.
        self.commands.push(json!({"flush": {"chain": chain}}));
    }

    fn rule(&mut self, chain: &str, comment: &str, expressions: Vec<Value>) {
        let command = rule(self.family, chain, comment, expressions);
        self.commands.push(command);
    }

    /// Goes to the chain that `map` says for `key`, of a packet that fits `first`.
    fn look_up(&mut self, chain: &str, map: &str, kind: Value, first: Vec<Value>, key: Value) {
        self.commands.push(json!({"add": {"map": {
            "family": self.family, "table": TABLE, "name": map, "type": kind, "map": "verdict",
        }}}));
        let mut expressions = first;
        expressions.push(json!({"vmap": {"key": key, "data": format!("@{map}")}}));
        self.rule(chain, "", expressions);
    }

    /// A chain that looks up the link that a packet came in by (`iifname`) or goes out by (`oifname`).
    fn by_link(&mut self, name: &str, (hook, priority): (&str, i32), key: &str) {
        self.hook(name, "filter", hook, priority);
        self.look_up(name, name, json!("ifname"), Vec::new(), meta(key));
    }

    /// Nothing passes a link of a tenant of which nobody has said whose it is.
    fn closed(&mut self, chain: &str, key: &str) {
        let ours = is(meta(key), json!(TENANT_LINK_GROUP));
        self.rule(chain, "a link without rules", vec![ours, drop()]);
    }
}

fn inet(table: &mut Shared<'_>) {
    table.by_link("zone", ("prerouting", RAW), "iifname");
    table.by_link("antispoof", ("prerouting", RAW), "iifname");
    domains(table);
    nat(table);
    segments(table);
    table.by_link("input", ("input", FILTER), "iifname");
    table.closed("input", "iifgroup");
    table.by_link("from", ("forward", FILTER), "iifname");
    table.closed("from", "iifgroup");
    table.by_link("to", ("forward", FILTER + 1), "oifname");
    table.closed("to", "oifgroup");
    table.by_link("output", ("output", FILTER), "oifname");
    table.by_link("bandwidth", ("postrouting", FILTER), "oifname");
}

/// Routing domains: what they send by its link, what comes for them by the mark of its connection.
fn domains(table: &mut Shared<'_>) {
    table.by_link("domains", ("prerouting", MANGLE), "iifname");
    let elsewhere = is_not(meta("iifgroup"), json!(TENANT_LINK_GROUP));
    let mark = json!({"ct": {"key": "mark"}});
    table.look_up("domains", "marks", json!("mark"), vec![elsewhere], mark);
}

fn nat(table: &mut Shared<'_>) {
    let address = |which: &str| {
        let kind = json!({"fib": {"result": "type", "flags": [which]}});
        is(kind, json!("local"))
    };
    let port = || concat(&[meta("l4proto"), field("th", "dport")]);
    let kind = || json!(["inet_proto", "inet_service"]);
    // Tenants do not reach each other by way of the host's ports.
    let outside = is_not(meta("iifgroup"), json!(TENANT_LINK_GROUP));
    table.hook("dstnat", "nat", "prerouting", DSTNAT);
    let first = vec![outside, address("daddr")];
    table.look_up("dstnat", "dstnat", kind(), first, port());
    table.hook("dstnat-host", "nat", "output", DSTNAT);
    let first = vec![address("daddr")];
    table.look_up("dstnat-host", "dstnat-host", kind(), first, port());

    table.hook("srcnat", "nat", "postrouting", SRCNAT);
    table.rule(
        "srcnat",
        "the host's own use of published ports",
        vec![
            is(meta("oifgroup"), json!(TENANT_LINK_GROUP)),
            published(),
            address("saddr"),
            json!({"masquerade": null}),
        ],
    );
    // Neither another network of the tenant nor one that is shared with it.
    let outside = is_not(meta("oifgroup"), json!(TENANT_LINK_GROUP));
    table.look_up(
        "srcnat",
        "srcnat",
        json!("ifname"),
        vec![outside],
        meta("iifname"),
    );
}

/// Segments of VXLAN that come to this host, by their numbers, and those that a tenant sends to another one.
fn segments(table: &mut Shared<'_>) {
    let (carried, number) = segment_of();
    let kind = json!({"typeof": number});
    table.hook("segments", "filter", "input", FILTER - 10);
    table.look_up(
        "segments",
        "segments",
        kind.clone(),
        vec![carried.clone()],
        number.clone(),
    );
    let tenants = is(meta("iifgroup"), json!(TENANT_LINK_GROUP));
    table.hook("segments-out", "filter", "forward", FILTER - 10);
    table.look_up(
        "segments-out",
        "segments-out",
        kind,
        vec![tenants, carried],
        number,
    );
}

fn bridge(table: &mut Shared<'_>) {
    table.by_link("antispoof", ("prerouting", RAW), "iifname");
    table.by_link("uplink", ("prerouting", RAW), "iifname");
    table.by_link("segment-in", ("prerouting", RAW), "iifname");
    table.by_link("segment-out", ("postrouting", FILTER), "oifname");
    table.by_link("bandwidth", ("postrouting", FILTER), "oifname");
    table.by_link("forward", ("forward", FILTER), "iifname");
    table.by_link("uplink-out", ("output", FILTER), "oifname");
}
