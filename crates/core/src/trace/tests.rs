use super::*;
use crate::allocate::{Allocations, allocate};
use crate::desired::DesiredTenant;
use crate::model::{Endpoint, FirewallAction, FirewallRule, NetworkMode, Protocol, Publish};
use crate::sample::{at, attachment, name, network, pools, tenant};

/// `shop` has `web` and `db` in `default`, `db` also in `back`; `blog` has `main`.
fn shop() -> DesiredTenant {
    let mut shop = tenant("shop", &["web", "db"]);
    shop.networks[0].nat = true;
    shop.networks.push(network("back"));
    shop.workloads[1].attachments.push(attachment("back"));
    let mut lone = crate::sample::workload("lone");
    lone.attachments = vec![attachment("back")];
    shop.workloads.push(lone);
    shop
}

fn rule(line: u32, from: Endpoint, to: Endpoint, action: FirewallAction) -> FirewallRule {
    FirewallRule {
        origin: at("network/firewall/web.yaml", line),
        from,
        to,
        protocol: Some(Protocol::Tcp),
        ports: vec![(5432, 5432)],
        action,
        log: false,
    }
}

struct Case {
    rules: Rules,
    allocations: Allocations,
}

impl Case {
    fn of(tenants: &[DesiredTenant]) -> Self {
        let mut case = Self {
            rules: Rules::default(),
            allocations: Allocations::default(),
        };
        for tenant in tenants {
            case.allocations = allocate(&case.allocations, tenant, &pools()).unwrap();
            let made = &case.allocations.tenants[&tenant.id];
            let artefacts = crate::render::render(tenant, made).unwrap();
            let ruleset = &artefacts.files["nftables/ruleset.json"].content;
            case.rules.add(&tenant.id, ruleset).unwrap();
            for (path, file) in &artefacts.files {
                if path.contains("-wg-") && path.ends_with(".netdev") {
                    case.rules.add_tunnel(&tenant.id, &file.content).unwrap();
                }
            }
        }
        case
    }

    fn trace(&self, from: &str, to: &str, port: u16) -> Trace {
        self.sent(from, to, Transport::Tcp, port)
    }

    fn sent(&self, from: &str, to: &str, transport: Transport, port: u16) -> Trace {
        let ends = Ends {
            tenant: name("shop"),
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            ipv6: false,
        };
        let places = locate(&self.rules, &self.allocations, &ends).unwrap();
        trace(
            &self.rules,
            &self.allocations,
            places,
            transport,
            Some(port),
        )
        .unwrap()
    }

    fn says(&self, from: &str, to: &str, port: u16) -> (Verdict, String) {
        let trace = self.trace(from, to, port);
        let decided = trace.decided.map(|step| step.rule);
        (trace.verdict, decided.unwrap_or_default())
    }
}

#[test]
fn what_is_built_in_has_its_reason() {
    let case = Case::of(&[shop(), tenant("blog", &["main"])]);
    for (from, to, verdict, reason) in [
        ("web", "db", Verdict::Accept, "IPv4"),
        ("web", "lone", Verdict::Drop, "networks are apart"),
        ("web", "blog/main", Verdict::Drop, "another tenant"),
        ("blog/main", "web", Verdict::Drop, "another tenant"),
        ("web", "host", Verdict::Drop, "the host is not the tenant's"),
        (
            "web",
            "outside",
            Verdict::Accept,
            "a network with NAT reaches the outside",
        ),
        (
            "lone",
            "198.51.100.7",
            Verdict::Drop,
            "a network without NAT ends here",
        ),
        (
            "outside",
            "web",
            Verdict::Drop,
            "nothing comes in but by published ports",
        ),
        ("host", "web", Verdict::Accept, ""),
    ] {
        assert_eq!(
            case.says(from, to, 80),
            (verdict, reason.to_owned()),
            "{from} -> {to}"
        );
    }
}

#[test]
fn a_rule_is_named_by_file_and_line() {
    let mut shop = shop();
    let workload = |text: &str| Endpoint::Workload(name(text));
    shop.firewall = vec![
        rule(3, workload("web"), workload("lone"), FirewallAction::Accept),
        rule(7, workload("web"), workload("db"), FirewallAction::Reject),
        rule(9, workload("web"), Endpoint::Outside, FirewallAction::Drop),
        rule(11, Endpoint::Host, workload("db"), FirewallAction::Drop),
    ];
    let case = Case::of(&[shop]);
    for (from, to, port, verdict, line) in [
        ("web", "lone", 5432, Verdict::Accept, Some(3)),
        ("web", "lone", 5433, Verdict::Drop, None),
        // Within one network nobody can answer for the machine.
        ("web", "db", 5432, Verdict::Drop, Some(7)),
        ("db", "web", 5432, Verdict::Accept, None),
        ("web", "outside", 5432, Verdict::Drop, Some(9)),
        ("web", "outside", 5433, Verdict::Accept, None),
        ("host", "db", 5432, Verdict::Drop, Some(11)),
    ] {
        let trace = case.trace(from, to, port);
        let expected = line.map(|line| format!("network/firewall/web.yaml:{line}"));
        assert_eq!(
            (trace.verdict, trace.origin),
            (verdict, expected),
            "{from} -> {to}:{port}"
        );
    }
}

#[test]
fn a_published_port_leads_to_its_machine() {
    let mut shop = shop();
    shop.publish.push(Publish {
        origin: at("network/topology.yaml", 9),
        port: 8080,
        protocol: Protocol::Tcp,
        to: name("web"),
        to_port: 80,
    });
    let case = Case::of(&[shop, tenant("blog", &["main"])]);
    let open = case.trace("outside", "host", 8080);
    assert_eq!(open.verdict, Verdict::Accept, "{open:?}");
    let Place::Machine(machine) = &open.to else {
        panic!("{open:?}");
    };
    assert_eq!(machine.workload, name("web"));
    let led = open
        .steps
        .iter()
        .find(|step| matches!(step.action, Action::Dnat { port: 80, .. }));
    assert_eq!(origin(&led.unwrap().rule), Some("network/topology.yaml:9"));
    // Not for others by way of the host, and no other port.
    assert_eq!(case.says("blog/main", "host", 8080).0, Verdict::Drop);
    assert_eq!(case.trace("outside", "host", 8081).steps, []);
}

#[test]
fn nobody_has_every_name() {
    let case = Case::of(&[shop()]);
    let find = |to: &str| {
        let ends = Ends {
            tenant: name("shop"),
            from: Wanted::Host,
            to: to.parse().unwrap(),
            ipv6: false,
        };
        locate(&case.rules, &case.allocations, &ends)
    };
    assert!(find("nobody").unwrap_err().to_string().contains("`nobody`"));
    assert!(
        find("10.64.0.99")
            .unwrap_err()
            .to_string()
            .contains("10.64.0.99")
    );
    assert!("No Name".parse::<Wanted>().is_err());
}

#[test]
fn a_comment_of_a_person_begins_with_its_place() {
    assert_eq!(
        origin("network/firewall/a.yaml:12"),
        Some("network/firewall/a.yaml:12")
    );
    assert_eq!(
        origin("network/topology.yaml:3: tcp/80"),
        Some("network/topology.yaml:3")
    );
    for text in ["", "ARP", "networks are apart", "a:b", "x:1"] {
        assert_eq!(origin(text), None, "{text}");
    }
}

#[test]
fn what_is_not_understood_is_not_guessed() {
    let mut rules = Rules::default();
    let text = r#"{"nftables":[
        {"add":{"table":{"family":"inet","name":"t"}}},
        {"add":{"chain":{"family":"inet","table":"t","name":"c","type":"filter","hook":"output","prio":0}}},
        {"add":{"rule":{"family":"inet","table":"t","chain":"c","expr":[{"queue":null}],"comment":"odd"}}}]}"#;
    rules.add(&name("shop"), text.as_bytes()).unwrap();
    let host = Place::Host {
        address: [127, 0, 0, 1].into(),
    };
    let outside = Place::Outside {
        address: [192, 0, 2, 1].into(),
    };
    let found = trace(
        &rules,
        &Allocations::default(),
        (host, outside),
        Transport::Udp,
        Some(1),
    );
    assert!(
        matches!(found, Err(TraceError::Unknown { .. })),
        "{found:?}"
    );
    assert!(rules.add(&name("shop"), b"{").is_err());
}

#[test]
fn what_fits_in_several_ways_is_one_rule() {
    let rule = |comment: &str, packets: u64| {
        serde_json::json!({"rule": {"family": "inet", "table": "bitbuilder", "chain": "shop/rules", "comment": comment,
            "expr": [{"counter": {"packets": packets, "bytes": packets * 60}}, {"drop": null}]}})
    };
    let mut other = rule("a.yaml:1", 100);
    other["rule"]["chain"] = "other/rules".into();
    let listing = serde_json::json!({"nftables": [
        {"metainfo": {}}, rule("a.yaml:1", 1), rule("a.yaml:4", 0), rule("a.yaml:1", 2), other,
    ]});
    let found = counted(listing.to_string().as_bytes(), &name("shop")).unwrap();
    let found: Vec<(&str, u64, u64)> = found
        .iter()
        .map(|one| (one.rule.as_str(), one.packets, one.bytes))
        .collect();
    assert_eq!(found, [("a.yaml:1", 3, 180), ("a.yaml:4", 0, 0)]);
}

/// What `shop` shares, whether `blog` shares it too, and what mode both networks are of.
fn sharing(both: bool, mode: NetworkMode) -> Case {
    let peering = |tenant: &str, network: &str| crate::model::Peering {
        origin: at("network/topology.yaml", 5),
        tenant: name(tenant),
        network: name(network),
    };
    let (mut shop, mut blog) = (shop(), tenant("blog", &["main"]));
    (shop.networks[1].mode, blog.networks[0].mode) = (mode, mode);
    shop.peering.push(peering("blog", "back"));
    if both {
        blog.peering.push(peering("shop", "default"));
    }
    let mut allocations = Allocations::default();
    for tenant in [&shop, &blog] {
        allocations = allocate(&allocations, tenant, &pools()).unwrap();
    }
    for tenant in [&mut shop, &mut blog] {
        let own = &allocations.tenants[&tenant.id];
        tenant.partners = crate::allocate::partners(&allocations, &tenant.id, Some(own));
    }
    assert_eq!(
        crate::allocate::alone(&shop, &shop.partners).is_empty(),
        both
    );
    Case::of(&[shop, blog])
}

#[test]
fn a_peering_needs_both_sides() {
    for mode in [NetworkMode::IsolatedBridge, NetworkMode::Private] {
        let reason = "both tenants declare the peering".to_owned();
        let case = sharing(true, mode);
        let open = (Verdict::Accept, reason);
        assert_eq!(case.says("lone", "blog/main", 80), open, "{mode}");
        assert_eq!(case.says("blog/main", "lone", 80), open, "{mode}");
        // Only the network that is shared; and nobody is hidden behind the host.
        assert_eq!(case.says("web", "blog/main", 80).0, Verdict::Drop);
        let steps = case.trace("lone", "blog/main", 80).steps;
        assert!(
            !steps.iter().any(|step| step.action == Action::Masquerade),
            "{steps:?}"
        );
        let case = sharing(false, mode);
        let closed = (Verdict::Drop, "another tenant".to_owned());
        assert_eq!(case.says("lone", "blog/main", 80), closed, "{mode}");
        assert_eq!(case.says("blog/main", "lone", 80), closed, "{mode}");
    }
}

#[test]
fn one_packet_is_within_every_rate() {
    let mut shop = shop();
    shop.ceilings.connections = Some(10);
    for mode in [NetworkMode::IsolatedBridge, NetworkMode::Private] {
        let mut shop = shop.clone();
        shop.networks[0].mode = mode;
        for workload in &mut shop.workloads {
            workload.attachments[0].bandwidth = Some(1);
        }
        let case = Case::of(&[shop]);
        let reason = "a network with NAT reaches the outside".to_owned();
        assert_eq!(case.says("web", "outside", 80), (Verdict::Accept, reason));
        assert_eq!(case.says("web", "db", 80).0, Verdict::Accept);
        assert_eq!(case.says("host", "db", 80).0, Verdict::Accept);
    }
}

#[test]
fn private_networks_and_routing_domains() {
    for mode in [NetworkMode::Private, NetworkMode::Vrf] {
        let mut shop = tenant("shop", &["web", "db"]);
        shop.networks[0].mode = mode;
        shop.networks[0].nat = true;
        let case = Case::of(&[shop, tenant("blog", &["main"])]);
        for (from, to, verdict) in [
            ("web", "db", Verdict::Accept),
            ("web", "outside", Verdict::Accept),
            ("outside", "web", Verdict::Drop),
            ("web", "blog/main", Verdict::Drop),
            ("blog/main", "web", Verdict::Drop),
            ("web", "host", Verdict::Drop),
        ] {
            let (seen, rule) = case.says(from, to, 80);
            assert_eq!(seen, verdict, "{mode}: {from} -> {to}: {rule}");
        }
    }
}

/// `shop` with `web` and `db` in the segment `default` and `far` in `office`, which has two peers.
fn tunnels() -> DesiredTenant {
    use crate::model::{Auto, NetworkDetails, WireguardPeer};
    let mut shop = tenant("shop", &["web", "db"]);
    shop.networks[0].mode = NetworkMode::Vxlan;
    shop.networks[0].details = NetworkDetails::Vxlan {
        vni: Auto::Auto,
        group: None,
        remotes: vec!["192.0.2.1".parse().unwrap()],
        parent: None,
        mtu: None,
    };
    let peer = |text: &str, allowed: &[&str]| WireguardPeer {
        origin: at("network/topology.yaml", 7),
        name: name(text),
        public_key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=".into(),
        endpoint: None,
        allowed_ips: allowed.iter().map(|text| (*text).to_owned()).collect(),
        keepalive: None,
        preshared_key: None,
    };
    let mut office = network("office");
    office.mode = NetworkMode::Wireguard;
    office.ipv6 = Some(Auto::Auto);
    office.details = NetworkDetails::Wireguard {
        listen_port: Auto::Auto,
        peers: vec![
            peer("branch", &["10.99.0.0/16", "203.0.113.0/24"]),
            peer("laptop", &["10.99.0.2/32", "fd00:99::2/128"]),
        ],
        mtu: None,
    };
    shop.networks.push(office);
    let mut far = crate::sample::workload("far");
    far.attachments = vec![attachment("office")];
    shop.workloads.push(far);
    shop
}

#[test]
fn a_packet_to_a_peer_goes_by_its_tunnel() {
    let mut shop = tunnels();
    let subnet = crate::model::Subnet4::containing([10, 99, 0, 2].into(), 32);
    shop.firewall = vec![rule(
        3,
        Endpoint::Subnet4(subnet),
        Endpoint::Network(name("office")),
        FirewallAction::Drop,
    )];
    let case = Case::of(&[shop]);
    let peer = |place: &Place| match place {
        Place::Far(far) => far.peer.clone(),
        _ => None,
    };
    for (from, to, port, by, verdict, reason) in [
        (
            "far",
            "10.99.0.2",
            80,
            Some("laptop"),
            Verdict::Accept,
            "by the tunnel",
        ),
        (
            "far",
            "10.99.0.3",
            80,
            Some("branch"),
            Verdict::Accept,
            "by the tunnel",
        ),
        (
            "far",
            "fd00:99::2",
            80,
            Some("laptop"),
            Verdict::Accept,
            "by the tunnel",
        ),
        (
            "far",
            "192.0.2.9",
            80,
            None,
            Verdict::Drop,
            "a network without NAT ends here",
        ),
        // Only the network itself has these ways.
        (
            "web",
            "10.99.0.2",
            80,
            None,
            Verdict::Drop,
            "a network without NAT ends here",
        ),
        (
            "10.99.0.2",
            "far",
            80,
            None,
            Verdict::Accept,
            "by the tunnel",
        ),
        (
            "10.99.0.2",
            "far",
            5432,
            None,
            Verdict::Drop,
            "network/firewall/web.yaml:3",
        ),
        (
            "10.99.0.2",
            "203.0.113.7",
            80,
            Some("branch"),
            Verdict::Accept,
            "by the tunnel",
        ),
        (
            "10.99.0.3",
            "host",
            80,
            None,
            Verdict::Drop,
            "the host is not the tenant's",
        ),
        (
            "10.99.0.2",
            "web",
            80,
            None,
            Verdict::Drop,
            "networks are apart",
        ),
    ] {
        let trace = case.trace(from, to, port);
        let decided = trace.decided.as_ref().map(|step| step.rule.as_str());
        assert_eq!(
            (peer(&trace.to).as_deref(), trace.verdict, decided),
            (by, verdict, Some(reason)),
            "{from} -> {to}:{port} {trace:?}"
        );
    }
}

#[test]
fn everything_may_be_behind_a_peer() {
    let mut shop = tunnels();
    let crate::model::NetworkDetails::Wireguard { peers, .. } = &mut shop.networks[1].details
    else {
        panic!("it is a tunnel");
    };
    peers[0].allowed_ips = vec!["0.0.0.0/0".into()];
    let case = Case::of(&[shop, tenant("blog", &["main"])]);
    for to in ["outside", "203.0.113.7", "blog/main"] {
        let trace = case.trace("far", to, 80);
        assert!(matches!(trace.to, Place::Far(_)), "{to} {trace:?}");
        assert_eq!(trace.verdict, Verdict::Accept);
    }
    // Not its own network, not the host; and not everybody who calls is behind it.
    assert_eq!(case.says("far", "host", 80).0, Verdict::Drop);
    assert!(matches!(
        case.trace("203.0.113.7", "host", 80).from,
        Place::Outside { .. }
    ));
}

#[test]
fn a_station_of_a_segment_is_the_outside_of_its_bridge() {
    let mut shop = tunnels();
    shop.firewall = vec![
        rule(
            3,
            Endpoint::Workload(name("web")),
            Endpoint::Outside,
            FirewallAction::Drop,
        ),
        rule(
            4,
            Endpoint::Outside,
            Endpoint::Workload(name("db")),
            FirewallAction::Drop,
        ),
    ];
    let case = Case::of(&[shop]);
    let station = "10.64.0.200";
    for (from, to, port, verdict, reason) in [
        (
            "web",
            station,
            5432,
            Verdict::Drop,
            "network/firewall/web.yaml:3",
        ),
        ("web", station, 80, Verdict::Accept, "IPv4"),
        (station, "web", 5432, Verdict::Accept, ""),
        (
            station,
            "db",
            5432,
            Verdict::Drop,
            "network/firewall/web.yaml:4",
        ),
        (
            station,
            "host",
            80,
            Verdict::Drop,
            "the host is not the tenant's",
        ),
        (station, "far", 80, Verdict::Drop, "networks are apart"),
        ("host", station, 80, Verdict::Accept, ""),
        // Its own machine is no station out there.
        ("web", "db", 80, Verdict::Accept, "IPv4"),
    ] {
        let reason = (verdict, reason.to_owned());
        assert_eq!(case.says(from, to, port), reason, "{from} -> {to}:{port}");
    }
    // What the host says to its own machines does not leave it, and a packet to the port of segments is of none.
    for (from, to, port, verdict) in [
        ("host", station, 67, Verdict::Drop),
        ("web", "host", 4789, Verdict::Drop),
        (station, "web", 68, Verdict::Drop),
    ] {
        let made = case.sent(from, to, Transport::Udp, port);
        assert_eq!(made.verdict, verdict, "{from} -> {to}:{port} {made:?}");
    }
}

#[test]
fn a_router_in_a_vlan_is_the_way_out() {
    use crate::model::{Auto, NetworkDetails, Subnet4};
    let mut shop = tenant("shop", &["web", "db"]);
    shop.networks[0].mode = NetworkMode::Vlan;
    shop.networks[0].subnet = Auto::Value(Subnet4::containing([10, 64, 7, 0].into(), 24));
    let vlan = |router| NetworkDetails::Vlan {
        id: 10,
        parent: "eno2".into(),
        router,
    };
    shop.networks[0].details = vlan(Some([10, 64, 7, 1].into()));
    let out = |shop: &DesiredTenant| {
        let trace = Case::of(std::slice::from_ref(shop)).trace("web", "outside", 80);
        (trace.verdict, matches!(trace.to, Place::Far(_)))
    };
    assert_eq!(out(&shop), (Verdict::Accept, true));
    shop.networks[0].details = vlan(None);
    assert_eq!(out(&shop), (Verdict::Drop, false), "the host is the router");
}
