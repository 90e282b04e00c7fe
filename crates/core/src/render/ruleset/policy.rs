//! The tenant's own firewall rules, in their order, on each of the paths that a rule can concern.
//!
//! Between networks and to the outside the kernel tracks connections, so a rule decides on the first packet.
//! Within one network packets are bridged and not tracked everywhere: there TCP is decided by its first packet,
//! and a rule that accepts other protocols accepts their answers too. `reject` drops there, because the kernel
//! cannot answer from that place. The host's own connections to its tenant are only met by rules from `host`.

use super::uplink;
use crate::model::{Endpoint, FirewallAction, FirewallRule, Name, Protocol};
use crate::nftables::json::{
    Part, accept, answers, any_of, counter, drop, field, is, is_not, log, meta,
};
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Which end of a packet an endpoint is compared with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    From,
    To,
}

/// Rules for what is routed, in `rules`; for what the host sends, in `output`.
pub(super) fn routed(scene: &Scene<'_>, table: &mut Part<'_>) {
    for rule in &scene.tenant.firewall {
        if rule.from != Endpoint::Host && rule.to != Endpoint::Host {
            for matches in both(
                routed_end(scene, &rule.from, End::From),
                routed_end(scene, &rule.to, End::To),
            ) {
                add(scene, table, "rules", rule, matches, true);
            }
        }
    }
    let from_host: Vec<_> = scene
        .tenant
        .firewall
        .iter()
        .filter(|rule| rule.from == Endpoint::Host)
        .collect();
    if from_host.is_empty() {
        return;
    }
    table.entry("output", &super::links(scene));
    table.rule("output", "answers", vec![answers(), accept()]);
    for rule in from_host {
        for matches in routed_end(scene, &rule.to, End::To) {
            add(scene, table, "output", rule, matches, true);
        }
    }
}

/// Rules to the host, in `input`: they can only say how it refuses.
pub(super) fn to_host(scene: &Scene<'_>, table: &mut Part<'_>) {
    for rule in &scene.tenant.firewall {
        if rule.to == Endpoint::Host && rule.action != FirewallAction::Accept {
            for matches in routed_end(scene, &rule.from, End::From) {
                add(scene, table, "input", rule, matches, true);
            }
        }
    }
}

/// Rules within a network, in the bridge's `forward`.
pub(super) fn bridged(scene: &Scene<'_>, table: &mut Part<'_>) {
    let concerned: Vec<(&FirewallRule, Vec<Vec<Value>>)> = scene
        .tenant
        .firewall
        .iter()
        .map(|rule| {
            let ends = both(
                bridged_end(scene, &rule.from, End::From),
                bridged_end(scene, &rule.to, End::To),
            );
            (rule, ends)
        })
        .filter(|(_, ends)| !ends.is_empty())
        .collect();
    if concerned.is_empty() {
        return;
    }
    let chain = "forward";
    table.entry(chain, &members(scene));
    table.rule(
        chain,
        "ARP",
        vec![is(field("ether", "type"), json!("arp")), accept()],
    );
    let discovery = ["nd-neighbor-solicit", "nd-neighbor-advert"].map(|kind| json!(kind));
    table.rule(
        chain,
        "neighbour discovery",
        vec![is(field("icmpv6", "type"), any_of(&discovery)), accept()],
    );
    let flags = json!({"&": [field("tcp", "flags"), {"|": ["syn", "ack"]}]});
    table.rule(
        chain,
        "TCP after its first packet",
        vec![is_not(flags, json!("syn")), accept()],
    );
    for (rule, ends) in concerned {
        for matches in ends {
            add(scene, table, chain, rule, matches, false);
        }
        if rule.action == FirewallAction::Accept && rule.protocol != Some(Protocol::Tcp) {
            let back = both(
                bridged_end(scene, &rule.to, End::From),
                bridged_end(scene, &rule.from, End::To),
            );
            for mut matches in back {
                matches.extend(transport(rule, "sport"));
                matches.extend([counter(), accept()]);
                table.rule(chain, &rule.origin.place(), matches);
            }
        }
    }
}

fn add(
    scene: &Scene<'_>,
    table: &mut Part<'_>,
    chain: &str,
    rule: &FirewallRule,
    mut matches: Vec<Value>,
    answer: bool,
) {
    matches.extend(transport(rule, "dport"));
    let comment = rule.origin.place();
    if rule.log {
        let mut logged = matches.clone();
        logged.extend(log(&scene.tenant.id, &comment));
        table.rule(chain, &comment, logged);
    }
    if rule.action == FirewallAction::Accept {
        matches.push(counter());
    }
    matches.push(match rule.action {
        FirewallAction::Accept => accept(),
        FirewallAction::Reject if answer => {
            json!({"reject": {"type": "icmpx", "expr": "admin-prohibited"}})
        }
        FirewallAction::Drop | FirewallAction::Reject => drop(),
    });
    table.rule(chain, &comment, matches);
}

/// Protocol and ports; in answers the ports are the sender's.
fn transport(rule: &FirewallRule, port: &str) -> Vec<Value> {
    let ports: Vec<Value> = rule
        .ports
        .iter()
        .map(|(first, last)| {
            if first == last {
                json!(first)
            } else {
                json!({"range": [first, last]})
            }
        })
        .collect();
    match (rule.protocol, ports.as_slice()) {
        (Some(protocol), []) => vec![is(meta("l4proto"), json!(protocol.to_string()))],
        (Some(protocol), ports) => vec![is(field(&protocol.to_string(), port), any_of(ports))],
        (None, []) => Vec::new(),
        // Ports without a protocol: of each that has ports here.
        (None, ports) => vec![
            is(meta("l4proto"), json!({"set": ["tcp", "udp"]})),
            is(field("th", port), any_of(ports)),
        ],
    }
}

/// Every combination of the ways to meet one end and the other; an end of one address family meets only its own.
fn both(from: Vec<Vec<Value>>, to: Vec<Vec<Value>>) -> Vec<Vec<Value>> {
    from.iter()
        .flat_map(|from| {
            to.iter()
                .map(move |to| [from.as_slice(), to.as_slice()].concat())
        })
        .filter(|matches| !(mentions(matches, "ip") && mentions(matches, "ip6")))
        .collect()
}

fn mentions(matches: &[Value], protocol: &str) -> bool {
    matches
        .iter()
        .any(|one| one["match"]["left"]["payload"]["protocol"] == protocol)
}

/// Ways to meet an endpoint of a routed packet; none when it cannot be there.
fn routed_end(scene: &Scene<'_>, endpoint: &Endpoint, end: End) -> Vec<Vec<Value>> {
    let (interface, address) = match end {
        End::From => ("iifname", "saddr"),
        End::To => ("oifname", "daddr"),
    };
    match endpoint {
        Endpoint::Any => vec![Vec::new()],
        Endpoint::Host => Vec::new(),
        Endpoint::Outside => vec![vec![is_not(meta(interface), json!("@links"))]],
        Endpoint::Network(name) => scene
            .bridges
            .iter()
            .filter(|bridge| bridge.network.name == *name)
            .map(Bridge::link_values)
            .filter(|links| !links.is_empty())
            .map(|links| vec![is(meta(interface), any_of(&links))])
            .collect(),
        Endpoint::Workload(name) => {
            let ports = scene
                .workload(name)
                .map_or(&[][..], |workload| &workload.ports);
            let ipv4: Vec<Value> = ports.iter().map(|port| json!(port.address)).collect();
            let ipv6: Vec<Value> = ports
                .iter()
                .filter_map(|port| port.ipv6)
                .map(|address| json!(address))
                .collect();
            [("ip", ipv4), ("ip6", ipv6)]
                .into_iter()
                .filter(|(_, addresses)| !addresses.is_empty())
                .map(|(family, addresses)| vec![is(field(family, address), any_of(&addresses))])
                .collect()
        }
        Endpoint::Subnet4(subnet) => {
            vec![vec![within(
                "ip",
                address,
                subnet.address.into(),
                subnet.prefix,
            )]]
        }
        Endpoint::Subnet6(prefix, length) => {
            vec![vec![within("ip6", address, (*prefix).into(), *length)]]
        }
    }
}

/// Links from which packets are the tenant's: its ports, and whoever is behind an uplink.
fn members(scene: &Scene<'_>) -> Vec<Value> {
    let ports = scene.bridged_ports().map(|port| json!(port.link));
    ports.chain(uplink::links(scene)).collect()
}

/// Ways to meet an endpoint of a bridged packet: by its port, which nobody can forge.
fn bridged_end(scene: &Scene<'_>, endpoint: &Endpoint, end: End) -> Vec<Vec<Value>> {
    let (interface, address) = match end {
        End::From => ("iifname", "saddr"),
        End::To => ("oifname", "daddr"),
    };
    let of = |links: Vec<Value>| match links.is_empty() {
        true => Vec::new(),
        false => vec![vec![is(meta(interface), any_of(&links))]],
    };
    match endpoint {
        Endpoint::Any => vec![Vec::new()],
        Endpoint::Host => Vec::new(),
        Endpoint::Outside => of(uplink::links(scene)),
        Endpoint::Network(name) => of(links_of_network(scene, name)),
        Endpoint::Workload(name) => of(scene
            .workload(name)
            .map(|workload| workload.ports.iter().map(|port| json!(port.link)).collect())
            .unwrap_or_default()),
        Endpoint::Subnet4(subnet) => {
            vec![vec![within(
                "ip",
                address,
                subnet.address.into(),
                subnet.prefix,
            )]]
        }
        Endpoint::Subnet6(prefix, length) => {
            vec![vec![within("ip6", address, (*prefix).into(), *length)]]
        }
    }
}

fn links_of_network(scene: &Scene<'_>, name: &Name) -> Vec<Value> {
    scene
        .ports()
        .filter(|port| port.network == name)
        .map(|port| json!(port.link))
        .collect()
}

fn within(protocol: &str, address: &str, prefix: IpAddr, length: u8) -> Value {
    is(
        field(protocol, address),
        json!({"prefix": {"addr": prefix, "len": length}}),
    )
}
