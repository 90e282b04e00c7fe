//! Packet rules: only in the tenant's part of the shared tables, only about its own links, and with every guard in its
//! place.
//!
//! Maps that all tenants share say whose a packet is, so a key that is not the tenant's would take another's packets.
//! [`table`] reads the transaction, [`guards`] knows the rules that have to be there.

mod guards;
mod nat;
mod segment;
mod table;

use super::Lint;
use super::expected::Expected;
use crate::allocate::Uplink;
use crate::nftables::json::log_prefix;
use serde_json::Value;
use std::collections::BTreeSet;
use table::Part;

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
    let spoken = guards::unthrottled(lint.expected, routed.rules("antispoof"));
    if !alone.is_empty() && spoken != guards::alone() {
        wrong.push("chain `antispoof` is not as it must be".into());
    }
    let mut led = vec![
        (&routed, "antispoof", &alone),
        (&bridged, "antispoof", &ports),
        (&bridged, "uplink", &uplinks),
        (&bridged, "uplink-out", &uplinks),
    ];
    for chain in ["zone", "input", "from", "to", "output"] {
        led.extend([(&routed, chain, &bridges), (&routed, chain, &alone)]);
    }
    led.extend([
        (&bridged, "forward", &ports),
        (&bridged, "forward", &uplinks),
    ]);
    // These are there when the tenant has rules for them.
    let optional = ["output", "forward"];
    for (part, chain, links) in led {
        if optional.contains(&chain) && part.rules(chain).is_empty() {
            continue;
        }
        let known = strings(part.entry(chain));
        for link in links.iter().filter(|link| !known.contains(link.as_str())) {
            wrong.push(format!(
                "packets of link `{link}` do not come to chain `{chain}`"
            ));
        }
    }
    let known = strings(routed.set("links"));
    for link in bridges.iter().chain(&alone) {
        if !known.contains(link.as_str()) {
            wrong.push(format!("link `{link}` is not in set `links`"));
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

/// The tenant's parts of the tables `inet` and `bridge`.
fn tables(lint: &mut Lint<'_>, text: &str) -> Option<[Part; 2]> {
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
    let tenant = lint.expected.id.as_str();
    let mut tables = [Part::new("inet", tenant), Part::new("bridge", tenant)];
    for command in commands {
        let taken = tables.iter_mut().any(|table| table.take(command).is_some());
        if !taken {
            let shown: String = command.to_string().chars().take(200).collect();
            lint.refuse(
                PATH,
                "packet-rule",
                format!("`{shown}` is not about this tenant's part of the tables"),
            );
        }
    }
    Some(tables)
}

/// Whether all elements are among `links`.
fn is_among(elements: &[Value], links: &BTreeSet<&str>) -> bool {
    strings(elements).is_subset(links) && elements.iter().all(Value::is_string)
}

fn strings(set: &[Value]) -> BTreeSet<&str> {
    set.iter().filter_map(Value::as_str).collect()
}

/// What is routed, or for the host.
fn inet(expected: &Expected<'_>, table: &Part, wrong: &mut Vec<String>) {
    let links: BTreeSet<&str> = expected
        .networks
        .iter()
        .flat_map(|n| guards::routed(n))
        .chain(guards::private(expected))
        .collect();
    for (name, elements) in &table.sets {
        let own = match name.as_str() {
            "macs" | "ipv4" | "ipv6" => {
                let known = guards::spoken_for(expected, name);
                elements.iter().all(|one| known.contains(&one.to_string()))
            }
            "links" | "nat" => is_among(elements, &links),
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
    for (chain, keys) in &table.entries {
        let own = match chain.as_str() {
            "zone" | "input" | "from" | "to" | "output" | "srcnat" | "domains" => {
                is_among(keys, &links)
            }
            "antispoof" | "bandwidth" => is_among(keys, &guards::private(expected).collect()),
            "marks" => keys.iter().all(|key| {
                let mut domains = expected.networks.iter().filter_map(|n| n.vrf.as_ref());
                domains.any(|domain| *key == domain.table)
            }),
            "segments" | "segments-out" => keys.iter().all(|key| segment::is_number(expected, key)),
            "dstnat" | "dstnat-host" => keys.iter().all(|key| nat::is_key(expected, key)),
            _ => false,
        };
        if !own {
            wrong.push(format!(
                "packets come to chain `{chain}` that are not this tenant's"
            ));
        }
    }
    let chains = [
        "zone",
        "antispoof",
        "domains",
        "marks",
        "dstnat",
        "dstnat-host",
        "srcnat",
        "input",
        "from",
        "to",
        "output",
        "inbound",
        "outbound",
        "between",
        "peering",
        "rules",
        "closed",
        "segments",
        "segments-out",
        "bandwidth",
    ];
    table.check_chains(&chains, wrong);
    let mut require = |holds: bool, chain: &str| {
        if !holds {
            wrong.push(format!("chain `{chain}` is not as it must be"));
        }
    };
    let log = log_prefix(expected.id);
    let own = |rule: &Vec<Value>| guards::is_filter(rule, &log);
    require(guards::input(expected, table.rules("input"), &log), "input");
    require(table.rules("from") == guards::outward(expected), "from");
    require(table.rules("to") == guards::inward(expected), "to");
    require(table.rules("zone") == guards::zone(expected), "zone");
    require(
        table.rules("inbound") == guards::inbound(expected),
        "inbound",
    );
    require(
        table.rules("outbound") == guards::outbound(expected),
        "outbound",
    );
    require(table.rules("closed") == guards::closed(), "closed");
    require(
        table.rules("peering") == guards::peering(expected),
        "peering",
    );
    require(guards::between(expected, table.rules("between")), "between");
    require(table.rules("rules").iter().all(own), "rules");
    let links = strings(table.set("links"));
    require(domains(expected, table, &links), "domains");
    let throttled = |rule: &Vec<Value>| guards::is_throttle(expected, "oifname", rule);
    require(table.rules("bandwidth").iter().all(throttled), "bandwidth");
    require(table.rules("output").iter().all(own), "output");
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

/// Whether routing domains with a bridge in `links` have their rules, in any order of the domains.
fn domains(expected: &Expected<'_>, table: &Part, links: &BTreeSet<&str>) -> bool {
    let (domains, marks) = guards::domains(expected, links);
    let rules = table.rules("domains").chunks(2).collect::<Vec<_>>();
    let all = domains
        .iter()
        .all(|wanted| rules.contains(&wanted.as_slice()));
    let marked = marks
        .iter()
        .all(|wanted| table.rules("marks").contains(wanted));
    let counted = rules.len() == domains.len() && table.rules("marks").len() == marks.len();
    let entered = strings(table.entry("domains"));
    let made = expected
        .networks
        .iter()
        .filter(|network| links.contains(network.link.as_str()));
    let mut made = made.filter_map(|network| Some((network, network.vrf.as_ref()?)));
    let led = made.all(|(network, domain)| {
        let marked = table
            .entry("marks")
            .iter()
            .any(|mark| *mark == domain.table);
        marked && guards::routed(network).all(|link| entered.contains(link))
    });
    all && marked && counted && led
}

/// What passes between the tenant's own machines.
fn bridge(expected: &Expected<'_>, table: &Part, wrong: &mut Vec<String>) {
    let is_own = |name: &str, elements: &[Value]| {
        let known = guards::spoken_for(expected, name);
        elements.iter().all(|one| known.contains(&one.to_string()))
    };
    for (name, elements) in &table.sets {
        if !is_own(name, elements) {
            wrong.push(format!("set `{name}` holds what is not this tenant's"));
        }
    }
    for (chain, keys) in &table.entries {
        let segments = matches!(chain.as_str(), "segment-in" | "segment-out");
        let own = match segments {
            true => keys.iter().all(|key| segment::is_link(expected, key)),
            false => is_own(chain, keys),
        };
        if !own {
            wrong.push(format!(
                "packets come to chain `{chain}` that are not this tenant's"
            ));
        }
    }
    let chains = [
        "antispoof",
        "forward",
        "uplink",
        "uplink-out",
        "segment-in",
        "segment-out",
        "bandwidth",
    ];
    table.check_chains(&chains, wrong);
    uplinks(expected, table, wrong);
    let log = log_prefix(expected.id);
    let own = |rule: &Vec<Value>| guards::is_filter(rule, &log);
    let spoken = guards::unthrottled(expected, table.rules("antispoof"));
    if !table.entry("antispoof").is_empty() && spoken != guards::antispoof() {
        wrong.push("chain `antispoof` is not as it must be".into());
    }
    let throttled = |rule: &Vec<Value>| guards::is_throttle(expected, "oifname", rule);
    if !table.rules("bandwidth").iter().all(throttled) {
        wrong.push("chain `bandwidth` of the bridge is not as it must be".into());
    }
    if !table.rules("forward").iter().all(own) {
        wrong.push("chain `forward` of the bridge is not as it must be".into());
    }
}

/// What comes in by uplinks, and leaves by them.
fn uplinks(expected: &Expected<'_>, table: &Part, wrong: &mut Vec<String>) {
    if table.entry("uplink").is_empty() {
        return;
    }
    for (chain, rules) in guards::uplinks() {
        if table.rules(chain) != rules {
            wrong.push(format!("chain `{chain}` is not as it must be"));
        }
    }
    // What is missing in a set would be let in.
    let routed = expected.networks.iter();
    let routed = routed.filter(|network| network.foreign_router().is_none());
    let known = strings(table.set("host-routed"));
    let mut uplinks = routed.filter_map(|network| Some(network.uplink.as_ref()?.link()));
    let made = strings(table.entry("uplink"));
    if uplinks.any(|link| made.contains(link) && !known.contains(link)) {
        wrong.push("set `host-routed` is not complete".into());
    }
    for set in ["own-macs", "own-ipv4", "own-ipv6"] {
        if !table.sets.contains_key(set) {
            wrong.push(format!("set `{set}` is missing"));
        }
    }
}
