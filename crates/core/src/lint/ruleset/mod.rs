//! Packet rules: only in the tenant's own tables, only about its own links, and with every guard in its place.
//!
//! A table of a tenant hangs in the kernel's hooks beside all others, so a rule that forgets to say whose packets it means
//! would decide about everybody's. [`table`] reads the transaction, [`guards`] knows the rules that have to be there.

mod guards;
mod nat;
mod segment;
mod table;

use super::Lint;
use super::expected::Expected;
use crate::allocate::Uplink;
use serde_json::Value;
use std::collections::BTreeSet;
use table::Table;

const PATH: &str = "nftables/ruleset.json";

pub(super) fn check(lint: &mut Lint<'_>) {
    let (bridges, ports) = needed(lint);
    let private: BTreeSet<&str> = guards::private(lint.expected).collect();
    // Those that are alone on their link, and those on bridges.
    let ports: (BTreeSet<String>, BTreeSet<String>) = ports
        .into_iter()
        .partition(|link| private.contains(link.as_str()));
    let Some(text) = lint.text(PATH) else {
        let unguarded = !bridges.is_empty() || !ports.0.is_empty() || !ports.1.is_empty();
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
    let uplinks = uplinks_made(lint);
    let mut wrong = Vec::new();
    let made = |link: &str| lint.has(&format!("uplinks/{link}"));
    inet(lint.expected, &routed, &mut wrong);
    segment::routed(lint.expected, &routed, made, &mut wrong);
    segment::bridged(lint.expected, &bridged, made, &mut wrong);
    if !ports.1.is_empty() || !bridged.is_empty() || !uplinks.is_empty() {
        bridge(lint.expected, &bridged, &mut wrong);
    }
    let (alone, ports) = ports;
    if !alone.is_empty()
        && (routed.rules("antispoof") != guards::alone() || !routed.hooks.contains_key("antispoof"))
    {
        wrong.push("chain `antispoof` is not as it must be".into());
    }
    let sets = [
        (&routed, "links", &bridges),
        (&routed, "links", &alone),
        (&routed, "ports", &alone),
        (&bridged, "ports", &ports),
        (&bridged, "uplinks", &uplinks),
    ];
    for (table, set, links) in sets {
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

/// Uplinks that this set puts into bridges.
fn uplinks_made(lint: &Lint<'_>) -> BTreeSet<String> {
    let networks = lint.expected.networks.iter();
    let uplinks = networks.filter_map(|network| network.uplink.as_ref());
    uplinks
        .filter(|uplink| uplink.is_port())
        .map(Uplink::link)
        .filter(|link| lint.has(&format!("network/10-bitbuilder-{link}.network")))
        .map(str::to_owned)
        .collect()
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
        .chain(guards::private(expected))
        .collect();
    for (name, elements) in &table.sets {
        if matches!(name.as_str(), "ports" | "macs" | "ipv4" | "ipv6") {
            let known = guards::spoken_for(expected, name);
            if !elements.iter().all(|one| known.contains(&one.to_string())) {
                wrong.push(format!("set `{name}` holds what is not this tenant's"));
            }
            continue;
        }
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
        ("segments", ("filter", "input", -10)),
        ("segments-out", ("filter", "forward", -10)),
        ("input", ("filter", "input", 0)),
        ("forward", ("filter", "forward", 0)),
        ("output", ("filter", "output", 0)),
        ("dstnat", ("nat", "prerouting", -100)),
        ("dstnat-host", ("nat", "output", -100)),
        ("srcnat", ("nat", "postrouting", 100)),
        ("domains", ("filter", "prerouting", -150)),
        ("antispoof", ("filter", "prerouting", -300)),
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
    // In any order of the domains.
    let links = strings(table.set("links"));
    let mut domains = guards::domains(expected, &links);
    let made: Vec<_> = table.rules("domains").chunks(3).collect();
    domains.retain(|wanted| !made.contains(&wanted.as_slice()));
    let counted = made.len() == guards::domains(expected, &links).len();
    let hooked = made.is_empty() || table.hooks.contains_key("domains");
    require(domains.is_empty() && counted && hooked, "domains");
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
        ("segment-in", ("filter", "prerouting", -300)),
        ("segment-out", ("filter", "postrouting", 0)),
        ("forward", ("filter", "forward", 0)),
        ("uplink", ("filter", "prerouting", -300)),
        ("uplink-out", ("filter", "output", 0)),
    ];
    table.check_hooks(&hooks, &[], wrong);
    uplinks(expected, table, wrong);
    let log = format!("bb-{} ", expected.id);
    let own = |rule: &Vec<Value>| guards::is_filter(rule, &log);
    if table.rules("antispoof") != guards::antispoof() || !table.hooks.contains_key("antispoof") {
        wrong.push("chain `antispoof` is not as it must be".into());
    }
    let forward = table.rules("forward");
    let guarded = forward.is_empty()
        || forward[0] == guards::not_from("@ports")
        || forward[0] == guards::not_from("@members");
    if !guarded || !forward.iter().all(own) {
        wrong.push("chain `forward` of the bridge is not as it must be".into());
    }
}

/// What comes in by uplinks, and leaves by them.
fn uplinks(expected: &Expected<'_>, table: &Table, wrong: &mut Vec<String>) {
    if table.set("uplinks").is_empty() {
        let chains = ["uplink", "uplink-out"];
        let lost = chains.iter().any(|chain| table.hooks.contains_key(*chain));
        if lost {
            wrong.push("there are rules about uplinks, and there is none".into());
        }
        return;
    }
    for (chain, rules) in guards::uplinks() {
        if table.rules(chain) != rules || !table.hooks.contains_key(chain) {
            wrong.push(format!("chain `{chain}` is not as it must be"));
        }
    }
    // What is missing in a set would be let in.
    let routed = expected.networks.iter();
    let routed = routed.filter(|network| network.foreign_router().is_none());
    let known = strings(table.set("host-routed"));
    let mut uplinks = routed.filter_map(|network| Some(network.uplink.as_ref()?.link()));
    let made = strings(table.set("uplinks"));
    if uplinks.any(|link| made.contains(link) && !known.contains(link)) {
        wrong.push("set `host-routed` is not complete".into());
    }
    for set in ["own-macs", "own-ipv4", "own-ipv6"] {
        if !table.sets.contains_key(set) {
            wrong.push(format!("set `{set}` is missing"));
        }
    }
}
