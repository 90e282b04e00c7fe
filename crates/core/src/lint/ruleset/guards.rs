//! The rules that keep a tenant apart, as they must stand in their chains.

use super::segment::is_arrival;
use crate::allocate::NetworkAllocation;
use crate::lint::expected::{Expected, GROUP, gateway6};
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Rule = Vec<Value>;

fn matches(op: &str, left: Value, right: Value) -> Value {
    json!({"match": {"op": op, "left": left, "right": right}})
}

fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

pub(super) fn field(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(super) fn is(left: Value, right: impl Into<Value>) -> Value {
    matches("==", left, right.into())
}

pub(super) fn is_not(left: Value, right: impl Into<Value>) -> Value {
    matches("!=", left, right.into())
}

/// A comparison with a property of the packet.
pub(super) fn meta_is(key: &str, right: impl Into<Value>) -> Value {
    is(meta(key), right)
}

/// The opposite of it.
pub(super) fn meta_is_not(key: &str, right: impl Into<Value>) -> Value {
    is_not(meta(key), right)
}

pub(super) fn published() -> Value {
    matches("in", json!({"ct": {"key": "status"}}), json!("dnat"))
}

fn answers() -> Rule {
    let state = json!({"ct": {"key": "state"}});
    vec![
        matches("in", state, json!(["established", "related"])),
        accept(),
    ]
}

fn accept() -> Value {
    json!({"accept": null})
}

fn drop() -> Value {
    json!({"drop": null})
}

/// Connections by what is not published any more are closed: the rules in front of a chain.
pub(super) fn close() -> Vec<Rule> {
    let ct = |key: &str, dir: &str| json!({"ct": {"key": key, "dir": dir}});
    let rule = |family: &str, set: &str| {
        let connection = json!({"concat": [
            {"ct": {"key": "protocol"}},
            ct("proto-dst", "original"),
            ct(&format!("{family} saddr"), "reply"),
            ct("proto-src", "reply"),
        ]});
        vec![
            published(),
            is_not(connection, set),
            json!({"goto": {"target": "closed"}}),
        ]
    };
    vec![rule("ip", "@open4"), rule("ip6", "@open6")]
}

/// How they are.
pub(super) fn closed() -> Vec<Rule> {
    vec![
        vec![
            meta_is("l4proto", "tcp"),
            json!({"reject": {"type": "tcp reset"}}),
        ],
        vec![json!({"reject": {"type": "icmpx", "expr": "port-unreachable"}})],
    ]
}

/// What passes between networks that are shared.
pub(super) fn peering(expected: &Expected<'_>) -> Vec<Rule> {
    let mut rules = vec![answers()];
    rules.extend(rate(expected));
    rules.extend([vec![jump("rules")], vec![accept()]]);
    rules
}

fn jump(chain: &str) -> Value {
    json!({"jump": {"target": chain}})
}

/// Links that rules see packets of `network` come from: in a VRF, the VRF too; its tunnel.
pub(super) fn routed(network: &NetworkAllocation) -> impl Iterator<Item = &str> {
    inside(network).chain(network.tunnel())
}

fn inside(network: &NetworkAllocation) -> impl Iterator<Item = &str> {
    let vrf = network.vrf.as_ref().map(|vrf| vrf.link.as_str());
    let bridge = [Some(network.link.as_str()), vrf].into_iter().flatten();
    bridge.filter(|_| !network.private)
}

fn from(network: &NetworkAllocation) -> Value {
    let links: Vec<&str> = inside(network).collect();
    match links.as_slice() {
        [one] => meta_is("iifname", *one),
        many => meta_is("iifname", json!({"set": many})),
    }
}

/// Links of machines that are alone on them.
pub(super) fn private<'e>(expected: &'e Expected<'_>) -> impl Iterator<Item = &'e str> {
    let interfaces = expected.interfaces();
    let private = interfaces.filter(|own| own.network.private);
    private.map(|own| own.allocated.link.as_str())
}

/// Whether a rule lets pass, or asks the tenant's own rules about, what goes from one private link to another.
fn is_between_private(expected: &Expected<'_>, rule: &Rule) -> bool {
    let links: BTreeSet<&str> = private(expected).collect();
    let names = |value: &Value| -> BTreeSet<String> {
        let many = value["set"].as_array();
        let one = std::slice::from_ref(value);
        let all = many.map_or(one, Vec::as_slice).iter();
        all.filter_map(|name| name.as_str().map(str::to_owned))
            .collect()
    };
    let end = |expression: &Value, key: &str| {
        let comparison = &expression["match"];
        let names = names(&comparison["right"]);
        let own = names.iter().all(|name| links.contains(name.as_str()));
        let exact = comparison["op"] == "==" && comparison["left"] == meta(key);
        exact && own && !names.is_empty()
    };
    let [from, to, verdict] = rule.as_slice() else {
        return false;
    };
    end(from, "iifname")
        && end(to, "oifname")
        && (*verdict == accept() || *verdict == jump("rules"))
}

/// Nobody speaks for another where there is no bridge.
pub(super) fn alone() -> Vec<Rule> {
    let concat = |left: Value| json!({"concat": [meta("iifname"), left]});
    let address = |protocol: &str, set: &str| is(concat(field(protocol, "saddr")), set);
    vec![
        vec![is_not(concat(field("ether", "saddr")), "@macs"), drop()],
        vec![address("ip", "@ipv4"), accept()],
        vec![address("ip6", "@ipv6"), accept()],
        vec![
            is(field("ip6", "saddr"), "::"),
            is(field("icmpv6", "type"), "nd-neighbor-solicit"),
            accept(),
        ],
        vec![drop()],
    ]
}

/// Whether a rule only filters: it compares, logs as `log`, and accepts, drops or rejects.
pub(super) fn is_filter(rule: &Rule, log: &str) -> bool {
    rule.iter().all(|expression| {
        let Some(object) = expression.as_object().filter(|object| object.len() == 1) else {
            return false;
        };
        object.iter().all(|(key, value)| match key.as_str() {
            "match" | "accept" | "drop" | "reject" | "limit" => true,
            "log" => is_prefix(value, log),
            _ => false,
        })
    })
}

/// Whether log lines begin with `log` and stay lines.
fn is_prefix(value: &Value, log: &str) -> bool {
    let prefix = value["prefix"].as_str().unwrap_or_default();
    *value == json!({"prefix": prefix})
        && prefix.starts_with(log)
        && prefix.len() < 128
        && !prefix.contains(char::is_control)
}

/// Connections that the tenant begins are in its own zone.
pub(super) fn zone(expected: &Expected<'_>) -> Vec<Rule> {
    let key = json!({"ct": {"key": "zone", "dir": "original"}});
    vec![vec![
        json!({"mangle": {"key": key, "value": expected.number}}),
    ]]
}

/// From the tenant to the host: answers, DHCP and neighbour discovery, and nothing that the tenant's own rules open.
pub(super) fn input(expected: &Expected<'_>, rules: &[Rule], log: &str) -> bool {
    let [four, six, answer, between @ .., last] = rules else {
        return false;
    };
    let kinds = [
        "nd-router-solicit",
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
    ];
    let mut known = vec![vec![
        is(field("icmpv6", "type"), json!({"set": kinds})),
        is(field("ip6", "hoplimit"), 255),
        accept(),
    ]];
    for network in &expected.networks {
        let gateway = network.gateway().map(|address| address.to_string());
        known.push(vec![
            from(network),
            is(
                field("ip", "daddr"),
                json!({"set": [gateway, "255.255.255.255"]}),
            ),
            is(field("udp", "sport"), 68),
            is(field("udp", "dport"), 67),
            accept(),
        ]);
    }
    let closing = |rule: &Rule| is_filter(rule, log) && !rule.contains(&accept());
    [four.clone(), six.clone()] == close()[..]
        && *answer == answers()
        && *last == vec![drop()]
        && between
            .iter()
            .all(|rule| known.contains(rule) || closing(rule) || is_arrival(expected, rule))
}

/// What goes from the tenant to others, and between its networks.
pub(super) fn outward(expected: &Expected<'_>) -> Vec<Rule> {
    let mut rules = vec![vec![meta_is("oifname", "@links"), jump("between")]];
    rules.extend(bandwidth(expected));
    rules.extend([
        vec![is_peers(), jump("peering")],
        vec![meta_is("oifgroup", GROUP), drop()],
        vec![jump("outbound")],
    ]);
    rules
}

/// What comes from others.
pub(super) fn inward(expected: &Expected<'_>) -> Vec<Rule> {
    let mut rules = vec![vec![meta_is("iifname", "@links"), accept()]];
    rules.extend(bandwidth(expected));
    rules.extend([
        vec![is_peers(), jump("peering")],
        vec![meta_is("iifgroup", GROUP), drop()],
        vec![jump("inbound")],
    ]);
    rules
}

fn is_peers() -> Value {
    let pair = json!({"concat": [meta("iifname"), meta("oifname")]});
    is(pair, "@peers")
}

/// New connections beyond what the registry allows go nowhere.
fn rate(expected: &Expected<'_>) -> Option<Rule> {
    let rate = expected.registration.limits.connections?;
    let over = json!({"limit": {"rate": rate, "burst": rate, "per": "second", "inv": true}});
    Some(vec![over, drop()])
}

/// Nor does what is more than the bandwidth that it allows; a tenth of a second's worth may come at once.
fn bandwidth(expected: &Expected<'_>) -> Option<Rule> {
    let rate = expected
        .registration
        .limits
        .bandwidth?
        .saturating_mul(125_000);
    let over = json!({"limit": {
        "rate": rate, "rate_unit": "bytes", "burst": (rate / 10).clamp(1 << 17, 1 << 30), "burst_unit": "bytes",
        "per": "second", "inv": true,
    }});
    Some(vec![over, drop()])
}

/// What the chain against spoofing says beside how much the links of workloads carry, which it says first.
pub(super) fn unthrottled<'r>(expected: &Expected<'_>, rules: &'r [Rule]) -> &'r [Rule] {
    let throttles = rules
        .iter()
        .take_while(|rule| is_throttle(expected, "iifname", rule));
    &rules[throttles.count()..]
}

/// Whether a rule drops what is more than an amount by a link of the tenant's machines, and nothing else.
pub(super) fn is_throttle(expected: &Expected<'_>, key: &str, rule: &[Value]) -> bool {
    let [by, over, verdict] = rule else {
        return false;
    };
    let mut links = expected.interfaces().map(|own| own.allocated.link.as_str());
    let limit = &over["limit"];
    let known = json!({"limit": {
        "rate": limit["rate"], "rate_unit": "bytes", "burst": limit["burst"], "burst_unit": "bytes",
        "per": "second", "inv": true,
    }});
    links.any(|link| *by == meta_is(key, link))
        && *over == known
        && limit["rate"].is_u64()
        && limit["burst"].is_u64()
        && *verdict == drop()
}

pub(super) fn inbound(expected: &Expected<'_>) -> Vec<Rule> {
    let mut rules = close();
    rules.push(answers());
    rules.extend(rate(expected));
    rules.extend([
        vec![published(), jump("rules")],
        vec![published(), accept()],
        vec![drop()],
    ]);
    rules
}

pub(super) fn outbound(expected: &Expected<'_>) -> Vec<Rule> {
    let mut rules = close();
    rules.push(answers());
    rules.extend(rate(expected));
    rules.extend([
        vec![meta_is_not("iifname", "@nat"), drop()],
        vec![jump("rules")],
        vec![accept()],
    ]);
    rules
}

pub(super) fn between(expected: &Expected<'_>, rules: &[Rule]) -> bool {
    let [answer, within @ .., own, last] = rules else {
        return false;
    };
    let mut known: Vec<Rule> = Vec::new();
    for network in &expected.networks {
        let to = meta_is("oifname", network.link.as_str());
        known.push(vec![from(network), to, accept()]);
        let guards = through(network);
        let mut there = guards.iter().filter(|rule| within.contains(rule));
        // All of them in their order, or the network is not there.
        if there.next().is_some() && !within.windows(guards.len()).any(|rules| rules == guards) {
            return false;
        }
        known.extend(guards);
    }
    let rate: Vec<Rule> = rate(expected).into_iter().collect();
    *answer == answers()
        && *own == vec![jump("rules")]
        && *last == vec![drop()]
        && within.starts_with(&rate)
        && within[rate.len()..]
            .iter()
            .all(|rule| known.contains(rule) || is_between_private(expected, rule))
}

/// Between a network and its tunnel.
fn through(network: &NetworkAllocation) -> Vec<Rule> {
    let Some(tunnel) = network.tunnel() else {
        return Vec::new();
    };
    let (link, subnet) = (network.link.as_str(), network.subnet);
    let subnet = json!({"prefix": {"addr": subnet.address, "len": subnet.prefix}});
    let subnet6 = network
        .ipv6
        .map(|prefix| json!({"prefix": {"addr": prefix, "len": 64}}));
    let mut rules = vec![vec![
        meta_is("iifname", tunnel),
        is(field("ip", "saddr"), subnet),
        drop(),
    ]];
    rules.extend(subnet6.map(|subnet| {
        vec![
            meta_is("iifname", tunnel),
            is(field("ip6", "saddr"), subnet),
            drop(),
        ]
    }));
    for (from, to) in [(link, tunnel), (tunnel, link), (tunnel, tunnel)] {
        let way = || vec![meta_is("iifname", from), meta_is("oifname", to)];
        rules.push([way(), vec![jump("rules")]].concat());
        rules.push([way(), vec![accept()]].concat());
    }
    rules
}

/// What a port may say of itself, by the name of the set; as JSON, which can be sorted.
pub(super) fn spoken_for(expected: &Expected<'_>, set: &str) -> BTreeSet<String> {
    let mut known: Vec<Value> = Vec::new();
    for network in &expected.networks {
        let uplink = network.uplink.as_ref().filter(|uplink| uplink.is_port());
        match set {
            "uplink" | "uplink-out" | "forward" | "host-routed" => {
                known.extend(uplink.map(|uplink| json!(uplink.link())))
            }
            "own-ipv4" => known.extend(network.gateway().map(|address| json!(address))),
            "own-ipv6" => known.extend(network.ipv6.map(|prefix| json!(gateway6(prefix)))),
            _ => {}
        }
    }
    for own in expected.interfaces() {
        let link = own.allocated.link.as_str();
        let pair = |value: Value| json!({"concat": [link, value]});
        match set {
            "antispoof" | "bandwidth" | "forward" => known.push(json!(link)),
            "own-macs" => known.push(json!(own.allocated.mac)),
            "own-ipv4" => known.push(json!(own.allocated.address)),
            "own-ipv6" => known.extend(own.ipv6().into_iter().map(|address| json!(address))),
            "macs" => known.push(pair(json!(own.allocated.mac))),
            "ipv4" => known.push(pair(json!(own.allocated.address))),
            "ipv6" => known.extend(own.ipv6().into_iter().map(|address| pair(json!(address)))),
            _ => {}
        }
    }
    known.iter().map(Value::to_string).collect()
}

/// What belongs to routing domains of the tenant that have a bridge in `links`: rules of `domains`, two for each, and of
/// `marks`, one for each.
pub(super) fn domains(
    expected: &Expected<'_>,
    links: &BTreeSet<&str>,
) -> (Vec<[Rule; 2]>, Vec<Rule>) {
    let mark = || json!({"ct": {"key": "mark"}});
    let set = |key: Value, table: u32| json!({"mangle": {"key": key, "value": table}});
    let made = expected.networks.iter();
    let made = made.filter(|network| links.contains(network.link.as_str()));
    made.filter_map(|network| {
        let table = network.vrf.as_ref()?.table;
        let known = json!({"set": [0, table]});
        let domain = [
            vec![from(network), is_not(mark(), known), drop()],
            vec![from(network), set(mark(), table), accept()],
        ];
        Some((domain, vec![is(mark(), table), set(meta("mark"), table)]))
    })
    .unzip()
}

/// What comes in by uplinks, and leaves by them.
pub(super) fn uplinks() -> [(&'static str, Vec<Rule>); 2] {
    let own = |protocol: &str, name: &str, set: &str| is(field(protocol, name), set);
    let router = || {
        let kinds = ["nd-router-advert", "nd-redirect"];
        is(field("icmpv6", "type"), json!({"set": kinds}))
    };
    let dhcp = || is(field("udp", "dport"), json!({"set": [67, 68, 546, 547]}));
    let inward = vec![
        vec![
            is(field("ether", "type"), json!({"set": ["8021q", "8021ad"]})),
            drop(),
        ],
        vec![own("ether", "saddr", "@own-macs"), drop()],
        vec![own("arp", "saddr ip", "@own-ipv4"), drop()],
        vec![own("ip", "saddr", "@own-ipv4"), drop()],
        vec![own("ip6", "saddr", "@own-ipv6"), drop()],
        vec![
            is(field("icmpv6", "type"), "nd-neighbor-advert"),
            own("icmpv6", "taddr", "@own-ipv6"),
            drop(),
        ],
        vec![dhcp(), drop()],
        vec![meta_is("iifname", "@host-routed"), router(), drop()],
    ];
    let outward = vec![vec![router(), drop()], vec![dhcp(), drop()]];
    [("uplink", inward), ("uplink-out", outward)]
}

/// Nobody speaks for another.
pub(super) fn antispoof() -> Vec<Rule> {
    let concat = |left: Value| json!({"concat": [meta("iifname"), left]});
    let kind = |kinds: &[&str]| match kinds {
        [one] => is(field("icmpv6", "type"), *one),
        many => is(field("icmpv6", "type"), json!({"set": many})),
    };
    let arp = || {
        vec![
            is(field("arp", "htype"), 1),
            is(field("arp", "ptype"), "ip"),
            is(concat(field("arp", "saddr ether")), "@macs"),
        ]
    };
    let with = |mut rule: Rule, rest: Rule| {
        rule.extend(rest);
        rule
    };
    vec![
        vec![is_not(concat(field("ether", "saddr")), "@macs"), drop()],
        vec![
            is(field("ether", "type"), json!({"set": ["8021q", "8021ad"]})),
            drop(),
        ],
        with(
            arp(),
            vec![is(concat(field("arp", "saddr ip")), "@ipv4"), accept()],
        ),
        with(
            arp(),
            vec![is(field("arp", "saddr ip"), "0.0.0.0"), accept()],
        ),
        vec![
            is(field("ip", "saddr"), "0.0.0.0"),
            is(field("udp", "sport"), 68),
            is(field("udp", "dport"), 67),
            accept(),
        ],
        vec![is(field("udp", "sport"), json!({"set": [67, 547]})), drop()],
        vec![is(concat(field("ip", "saddr")), "@ipv4"), accept()],
        vec![kind(&["nd-router-advert", "nd-redirect"]), drop()],
        vec![
            kind(&["nd-neighbor-advert"]),
            is_not(concat(field("icmpv6", "taddr")), "@ipv6"),
            drop(),
        ],
        vec![
            is(field("ip6", "saddr"), "::"),
            kind(&["nd-neighbor-solicit", "mld2-listener-report"]),
            accept(),
        ],
        vec![is(concat(field("ip6", "saddr")), "@ipv6"), accept()],
        vec![drop()],
    ]
}
