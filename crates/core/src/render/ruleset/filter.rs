//! What a tenant may send to the host and through it, and what may come in.
//!
//! The guards come first and are not the tenant's to open: other tenants, the host, the outside of a network
//! without NAT, and everything from outside that no published port let in. Then come the tenant's own rules.

use super::{ceilings, policy, segment};
use crate::nftables::DECIDED;
use crate::nftables::json::{
    Part, accept, answers, any_of, concat, counter, drop, field, goto, is, is_not, jump, meta,
    publication, published,
};
use crate::render::names::TENANT_LINK_GROUP;
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};

/// Why a connection ends.
const CLOSED: &str = "it is not published any more";

pub(super) fn rules(scene: &Scene<'_>, table: &mut Part<'_>) {
    table.set("links", json!("ifname"), super::links(scene));
    let nat = scene
        .bridges
        .iter()
        .filter(|bridge| bridge.network.nat)
        .flat_map(Bridge::link_values)
        .collect();
    table.set("nat", json!("ifname"), nat);
    open(scene, table);
    peers(scene, table);
    input(scene, table);
    forward(scene, table);
    policy::routed(scene, table);
    zone(scene, table);
}

/// Connections that the tenant begins are its own: what another's have for addresses and ports is no matter. Their
/// answers come from links of everybody, so they are not of this zone (`ct original zone`).
fn zone(scene: &Scene<'_>, table: &mut Part<'_>) {
    table.entry("zone", &super::links(scene));
    table.rule(
        "zone",
        "the tenant's own connections",
        vec![
            json!({"mangle": {"key": {"ct": {"key": "zone", "dir": "original"}}, "value": scene.zone}}),
        ],
    );
}

/// What is published now. A connection by something else was published once, and is closed where it is met next.
fn open(scene: &Scene<'_>, table: &mut Part<'_>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for (publish, port) in super::nat::publications(scene) {
        let open = |address: Value| json!({"concat": [publish.protocol.to_string(), publish.port, address, publish.to_port]});
        four.push(open(json!(port.address)));
        six.extend(port.ipv6.map(|address| open(json!(address))));
    }
    let of = |address: &str| json!(["inet_proto", "inet_service", address, "inet_service"]);
    table.set("open4", of("ipv4_addr"), four);
    table.set("open6", of("ipv6_addr"), six);
    table.chain("closed");
    table.rule(
        "closed",
        CLOSED,
        vec![
            is(meta("l4proto"), json!("tcp")),
            json!({"reject": {"type": "tcp reset"}}),
        ],
    );
    table.rule(
        "closed",
        CLOSED,
        vec![json!({"reject": {"type": "icmpx", "expr": "port-unreachable"}})],
    );
}

/// Sends connections away that came by what is not published any more.
fn close(chain: &str, table: &mut Part<'_>) {
    for (family, set) in [("ip", "@open4"), ("ip6", "@open6")] {
        table.rule(
            chain,
            CLOSED,
            vec![
                published(),
                is_not(publication(family), json!(set)),
                goto("closed"),
            ],
        );
    }
}

/// Ways between this tenant's networks and those that others share with it, each way a pair. The other's table says the
/// same, or nothing passes.
fn peers(scene: &Scene<'_>, table: &mut Part<'_>) {
    let mut pairs = Vec::new();
    for partner in &scene.tenant.partners {
        let own = scene
            .bridges
            .iter()
            .filter(|bridge| bridge.network.name == partner.network);
        for own in own.flat_map(Bridge::inside) {
            for link in &partner.links {
                pairs.push(json!({"concat": [own, link]}));
                pairs.push(json!({"concat": [link, own]}));
            }
        }
    }
    table.set("peers", json!(["ifname", "ifname"]), pairs);
    table.chain("peering");
    table.rule("peering", "answers", vec![answers(), accept()]);
    ceilings::connections(scene, "peering", table);
    table.rule("peering", "", vec![jump("rules")]);
    table.rule(
        "peering",
        "both tenants declare the peering",
        vec![counter(), accept()],
    );
}

fn input(scene: &Scene<'_>, table: &mut Part<'_>) {
    table.entry("input", &super::links(scene));
    close("input", table);
    table.rule("input", "answers to the host", vec![answers(), accept()]);
    for bridge in scene.bridges.iter().filter(|bridge| bridge.has_dhcp()) {
        table.rule(
            "input",
            "DHCP",
            vec![
                from(bridge),
                is(
                    field("ip", "daddr"),
                    any_of(&[json!(bridge.gateway), json!("255.255.255.255")]),
                ),
                is(field("udp", "sport"), json!(68)),
                is(field("udp", "dport"), json!(67)),
                accept(),
            ],
        );
    }
    let kinds = [
        "nd-router-solicit",
        "nd-neighbor-solicit",
        "nd-neighbor-advert",
    ]
    .map(|kind| json!(kind));
    table.rule(
        "input",
        "neighbour discovery",
        vec![
            is(field("icmpv6", "type"), any_of(&kinds)),
            is(field("ip6", "hoplimit"), json!(255)),
            accept(),
        ],
    );
    segment::arrivals(scene, table);
    policy::to_host(scene, table);
    table.rule("input", "the host is not the tenant's", vec![drop()]);
}

fn forward(scene: &Scene<'_>, table: &mut Part<'_>) {
    let links = super::links(scene);
    for chain in ["from", "to"] {
        table.entry(chain, &links);
    }
    for chain in ["inbound", "outbound", "between", "rules"] {
        table.chain(chain);
    }
    let peers = || is(concat(&[meta("iifname"), meta("oifname")]), json!("@peers"));
    let ours = |key: &str| is(meta(key), json!("@links"));
    let tenants = |key: &str| is(meta(key), json!(TENANT_LINK_GROUP));

    table.rule(
        "from",
        "between networks",
        vec![ours("oifname"), jump("between")],
    );
    ceilings::bandwidth(scene, "from", table);
    let mut add = |comment: &str, expressions| table.rule("from", comment, expressions);
    add("peering", vec![peers(), jump("peering")]);
    add("another tenant", vec![tenants("oifgroup"), drop()]);
    add("outbound", vec![jump("outbound")]);

    table.rule("to", DECIDED, vec![ours("iifname"), accept()]);
    ceilings::bandwidth(scene, "to", table);
    let mut add = |comment: &str, expressions| table.rule("to", comment, expressions);
    add("peering", vec![peers(), jump("peering")]);
    add("another tenant", vec![tenants("iifgroup"), drop()]);
    add("inbound", vec![jump("inbound")]);

    for chain in ["inbound", "outbound"] {
        close(chain, table);
    }
    for chain in ["inbound", "outbound", "between"] {
        table.rule(chain, "answers", vec![answers(), accept()]);
    }
    // Behind the answers everything is the first packet of a connection.
    for chain in ["inbound", "outbound", "between"] {
        ceilings::connections(scene, chain, table);
    }
    table.rule(
        "inbound",
        "published ports",
        vec![published(), jump("rules")],
    );
    table.rule("inbound", "published ports", vec![published(), accept()]);
    table.rule(
        "inbound",
        "nothing comes in but by published ports",
        vec![drop()],
    );

    let without_nat = is_not(meta("iifname"), json!("@nat"));
    table.rule(
        "outbound",
        "a network without NAT ends here",
        vec![without_nat, drop()],
    );
    table.rule("outbound", "", vec![jump("rules")]);
    table.rule(
        "outbound",
        "a network with NAT reaches the outside",
        vec![accept()],
    );

    for bridge in scene
        .bridges
        .iter()
        .filter(|bridge| !bridge.links.is_empty())
    {
        if bridge.allocated.private {
            let links = || any_of(&bridge.link_values());
            let ends = || vec![from(bridge), is(meta("oifname"), links())];
            let rules = [jump("rules"), accept()];
            for verdict in rules {
                let mut matches = ends();
                matches.push(verdict);
                table.rule("between", "within one network", matches);
            }
            continue;
        }
        if let Some(tunnel) = bridge.tunnel() {
            through(bridge, tunnel, table);
        }
        // Where the kernel shows bridged packets to IP rules; the bridge table has decided on them.
        let to = is(meta("oifname"), json!(bridge.allocated.link));
        table.rule(
            "between",
            "within one network",
            vec![from(bridge), to, accept()],
        );
    }
    table.rule("between", "", vec![jump("rules")]);
    table.rule("between", "networks are apart", vec![drop()]);
}

/// Between a network and what is behind its peers, of whom none speaks for the network's own machines. The tenant's rules
/// decide.
fn through(bridge: &Bridge<'_>, tunnel: &str, table: &mut Part<'_>) {
    let by = |key: &str, link: &str| is(meta(key), json!(link));
    let own = &bridge.allocated;
    let subnet = own.subnet;
    let mut subnets = vec![(
        "ip",
        json!({"prefix": {"addr": subnet.address, "len": subnet.prefix}}),
    )];
    if let Some(prefix) = own.ipv6 {
        subnets.push(("ip6", json!({"prefix": {"addr": prefix, "len": 64}})));
    }
    for (protocol, subnet) in subnets {
        let speaks = is(field(protocol, "saddr"), subnet);
        table.rule(
            "between",
            "another's address",
            vec![by("iifname", tunnel), speaks, drop()],
        );
    }
    for (from, to) in [
        (own.link.as_str(), tunnel),
        (tunnel, own.link.as_str()),
        (tunnel, tunnel),
    ] {
        let way = || vec![by("iifname", from), by("oifname", to)];
        table.rule("between", "", [way(), vec![jump("rules")]].concat());
        table.rule("between", "by the tunnel", [way(), vec![accept()]].concat());
    }
}

/// Comes from this network's own machines.
fn from(bridge: &Bridge<'_>) -> Value {
    is(meta("iifname"), any_of(&bridge.inside()))
}
