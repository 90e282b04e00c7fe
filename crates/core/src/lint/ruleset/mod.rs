//! Packet rules: only in the tenant's own tables, only about its own links, and with every guard in its place.
//!
//! A table of a tenant hangs in the kernel's hooks beside all others, so a rule that forgets to say whose packets it means
//! would decide about everybody's. [`table`] reads the transaction, [`guards`] knows the rules that have to be there.

mod guards;
mod nat;
mod table;

use super::Lint;
use super::expected::Expected;
use serde_json::Value;
use std::collections::BTreeSet;
use table::Table;

const PATH: &str = "nftables/ruleset.json";

pub(super) fn check(lint: &mut Lint<'_>) {
    let (bridges, ports) = needed(lint);
    let Some(text) = lint.text(PATH) else {
        let unguarded = !bridges.is_empty() || !ports.is_empty();
        lint.require(
            !unguarded,
            PATH,
            "missing-file",
            "links would be there without packet rules",
        );
        return;
    };
    let Some([routed, bridged]) = tables(lint, text) else {
        return;
    };
    let mut wrong = Vec::new();
    inet(lint.expected, &routed, &mut wrong);
    if !ports.is_empty() || !bridged.is_empty() {
        bridge(lint.expected, &bridged, &mut wrong);
    }
    for (table, set, links) in [(&routed, "links", &bridges), (&bridged, "ports", &ports)] {
        let known = strings(table.set(set));
        for link in links.iter().filter(|link| !known.contains(link.as_str())) {
            wrong.push(format!("link `{link}` is not in set `{set}`"));
        }
    }
    for message in wrong {
        lint.refuse(PATH, "packet-rule", message);
    }
}

/// Bridges and ports that this set makes.
fn needed(lint: &Lint<'_>) -> (BTreeSet<String>, BTreeSet<String>) {
    let networks = lint.expected.networks.iter();
    let bridges = networks
        .flat_map(|network| guards::routed(network))
        .filter(|link| lint.has(&format!("network/10-bitbuilder-{link}.netdev")))
        .map(str::to_owned)
        .collect();
    let mut ports = BTreeSet::new();
    for machine in &lint.expected.machines {
        let text = lint.text(&format!("links/{}.host", machine.workload));
        let made = text
            .unwrap_or_default()
            .lines()
            .filter_map(|line| line.strip_prefix("link add name ")?.split(' ').next());
        ports.extend(made.map(str::to_owned));
    }
    (bridges, ports)
}

/// The tables `inet` and `bridge` of the transaction.
fn tables(lint: &mut Lint<'_>, text: &str) -> Option<[Table; 2]> {
    let value: Value = match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => {
            lint.refuse(PATH, "packet-rule", format!("it is no JSON: {error}"));
            return None;
        }
    };
    let commands = value
        .as_object()
        .filter(|object| object.len() == 1)
        .and_then(|object| object.get("nftables")?.as_array());
    let Some(commands) = commands else {
        lint.refuse(PATH, "packet-rule", "it is no transaction of nft");
        return None;
    };
    let name = format!("bb-{}", lint.expected.id);
    let mut tables = [Table::new("inet", &name), Table::new("bridge", &name)];
    for command in commands {
        let taken = tables.iter_mut().any(|table| table.take(command).is_some());
        if !taken {
            let shown: String = command.to_string().chars().take(200).collect();
            lint.refuse(
                PATH,
                "packet-rule",
                format!("`{shown}` is not about this tenant's tables"),
            );
        }
    }
    Some(tables)
}

fn strings(set: &[Value]) -> BTreeSet<&str> {
    set.iter().filter_map(Value::as_str).collect()
}

/// What is routed, or for the host.
fn inet(expected: &Expected<'_>, table: &Table, wrong: &mut Vec<String>) {
    let links: BTreeSet<&str> = expected
        .networks
        .iter()
        .flat_map(|n| guards::routed(n))
        .collect();
    for (name, elements) in &table.sets {
        let own = match name.as_str() {
            "links" | "nat" => {
                strings(elements).is_subset(&links) && elements.iter().all(Value::is_string)
            }
            "open4" | "open6" => elements.iter().all(|one| nat::is_open(expected, one)),
            "peers" => elements.iter().all(|one| {
                let mut peers = expected.peers.iter();
                peers.any(|pair| *one == serde_json::json!({ "concat": pair }))
            }),
            _ => false,
        };
        if !own {
            wrong.push(format!("set `{name}` holds what is not this tenant's"));
        }
    }
    let hooks = [
        ("zone", ("filter", "prerouting", -300)),
        ("input", ("filter", "input", 0)),
        ("forward", ("filter", "forward", 0)),
        ("output", ("filter", "output", 0)),
        ("dstnat", ("nat", "prerouting", -100)),
        ("dstnat-host", ("nat", "output", -100)),
        ("srcnat", ("nat", "postrouting", 100)),
    ];
    let chains = [
        "inbound", "outbound", "between", "peering", "rules", "closed",
    ];
    table.check_hooks(&hooks, &chains, wrong);
    let mut require = |holds: bool, chain: &str| {
        if !holds {
            wrong.push(format!("chain `{chain}` is not as it must be"));
        }
    };
    let log = format!("bb-{} ", expected.id);
    let own = |rule: &Vec<Value>| guards::is_filter(rule, &log);
    require(guards::input(expected, table.rules("input"), &log), "input");
    require(table.hooks.contains_key("input"), "input");
    require(table.rules("forward") == guards::forward(), "forward");
    require(table.hooks.contains_key("forward"), "forward");
    require(table.rules("zone") == guards::zone(expected), "zone");
    require(table.hooks.contains_key("zone"), "zone");
    require(table.rules("inbound") == guards::inbound(), "inbound");
    require(table.rules("outbound") == guards::outbound(), "outbound");
    require(table.rules("closed") == guards::closed(), "closed");
    require(table.rules("peering") == guards::peering(), "peering");
    require(guards::between(expected, table.rules("between")), "between");
    require(table.rules("rules").iter().all(own), "rules");
    let output = table.rules("output");
    let guarded = output.is_empty() || output[0] == guards::not_to("@links");
    require(guarded && output.iter().all(own), "output");
    for chain in ["dstnat", "dstnat-host"] {
        let published = |rule: &Vec<Value>| nat::is_published(expected, chain, rule);
        require(table.rules(chain).iter().all(published), chain);
    }
    let known = nat::masquerade(expected);
    require(
        table
            .rules("srcnat")
            .iter()
            .all(|rule| known.contains(rule)),
        "srcnat",
    );
}

/// What passes between the tenant's own machines.
fn bridge(expected: &Expected<'_>, table: &Table, wrong: &mut Vec<String>) {
    for (name, elements) in &table.sets {
        let known = guards::spoken_for(expected, name);
        if !elements
            .iter()
            .all(|element| known.contains(&element.to_string()))
        {
            wrong.push(format!("set `{name}` holds what is not this tenant's"));
        }
    }
    let hooks = [
        ("antispoof", ("filter", "prerouting", -300)),
        ("forward", ("filter", "forward", 0)),
    ];
    table.check_hooks(&hooks, &[], wrong);
    let log = format!("bb-{} ", expected.id);
    let own = |rule: &Vec<Value>| guards::is_filter(rule, &log);
    if table.rules("antispoof") != guards::antispoof() || !table.hooks.contains_key("antispoof") {
        wrong.push("chain `antispoof` is not as it must be".into());
    }
    let forward = table.rules("forward");
    let guarded = forward.is_empty() || forward[0] == guards::not_from("@ports");
    if !guarded || !forward.iter().all(own) {
        wrong.push("chain `forward` of the bridge is not as it must be".into());
    }
}
