//! Numbers of tunnels.

use super::*;
use crate::allocate::Uplink;
use crate::model::{NetworkDetails, NetworkMode, Protocol, WireguardPeer};

/// A tenant with one network of mode wireguard, one of mode vxlan.
fn tunnels(id: &str, port: Auto<u16>, vni: Auto<u32>, allowed: &str) -> DesiredTenant {
    let mut tenant = tenant(id, &[]);
    let peer = WireguardPeer {
        origin: at("network/topology.yaml", 7),
        name: name("laptop"),
        public_key: "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=".into(),
        endpoint: None,
        allowed_ips: vec![allowed.into()],
        keepalive: None,
        preshared_key: None,
    };
    let mut office = network("office");
    office.mode = NetworkMode::Wireguard;
    office.details = NetworkDetails::Wireguard {
        listen_port: port,
        peers: vec![peer],
        mtu: None,
    };
    let mut wide = network("wide");
    wide.mode = NetworkMode::Vxlan;
    wide.origin.line = 9;
    wide.details = NetworkDetails::Vxlan {
        vni,
        group: None,
        remotes: vec!["192.0.2.1".parse().unwrap()],
        parent: None,
        mtu: None,
    };
    tenant.networks = vec![office, wide];
    tenant
}

fn auto(id: &str) -> DesiredTenant {
    tunnels(id, Auto::Auto, Auto::Auto, "10.99.0.0/24")
}

fn numbers(host: &Allocations, id: &str) -> Vec<String> {
    let networks = host.tenants[&name(id)].networks.values();
    let number = |uplink: &Uplink| match uplink {
        Uplink::Wireguard { link, port } => format!("{link} {port}"),
        Uplink::Vxlan { link, vni } => format!("{link} {vni}"),
        Uplink::Vlan { link, .. } => link.clone(),
    };
    networks
        .filter_map(|network| network.uplink.as_ref().map(number))
        .collect()
}

#[test]
fn numbers_are_disjoint_and_kept() {
    let both = host(&[&auto("shop"), &auto("blog")]);
    assert_eq!(
        numbers(&both, "shop"),
        ["wg-shop-office 51820", "vx-shop-wide 1"]
    );
    assert_eq!(
        numbers(&both, "blog"),
        ["wg-blog-office 51821", "vx-blog-wide 2"]
    );
    // Neither a pool that moves nor a network that goes for a while takes them away.
    let mut moved = pools();
    moved.wireguard = (40000, 40001);
    moved.vni = (500, 501);
    let mut without = auto("shop");
    without.networks.clear();
    let gone = allocate(&both, &without, &moved).unwrap();
    let new = allocate(&gone, &auto("news"), &moved).unwrap();
    assert_eq!(
        numbers(&new, "news"),
        ["wg-news-office 40000", "vx-news-wide 500"]
    );
    let back = allocate(&new, &auto("shop"), &moved).unwrap();
    assert_eq!(numbers(&back, "shop"), numbers(&both, "shop"));
}

#[test]
fn numbers_that_cannot_be_are_findings_at_their_line() {
    let before = host(&[&auto("blog")]);
    let cases = [
        (
            Auto::Value(22),
            Auto::Auto,
            "10.99.0.0/24",
            "2:1 number-outside-pool",
        ),
        (
            Auto::Value(51820),
            Auto::Auto,
            "10.99.0.0/24",
            "2:1 number-taken",
        ),
        (
            Auto::Auto,
            Auto::Value(0),
            "10.99.0.0/24",
            "9:1 number-outside-pool",
        ),
        (
            Auto::Auto,
            Auto::Value(101),
            "10.99.0.0/24",
            "9:1 number-outside-pool",
        ),
        (
            Auto::Auto,
            Auto::Value(1),
            "10.99.0.0/24",
            "9:1 number-taken",
        ),
        (Auto::Auto, Auto::Auto, "10.64.0.0/12", "7:1 peer-overlap"),
    ];
    for (port, vni, allowed, rule) in cases {
        let shop = tunnels("shop", port, vni, allowed);
        let found = rules(allocate(&before, &shop, &pools()));
        assert_eq!(
            found,
            [format!("network/topology.yaml:{rule}")],
            "{port:?} {vni:?} {allowed}"
        );
    }
    let all = tunnels("shop", Auto::Auto, Auto::Auto, "0.0.0.0/0");
    assert!(allocate(&before, &all, &pools()).is_ok());
    let mut small = pools();
    (small.wireguard, small.vni) = ((51820, 51820), (1, 1));
    let found = rules(allocate(&before, &auto("shop"), &small));
    let expected = [2, 9].map(|line| format!("network/topology.yaml:{line}:1 pool-exhausted"));
    assert_eq!(found, expected);
}

#[test]
fn a_published_port_and_a_tunnel_exclude_each_other() {
    let publishing = |id: &str, port| {
        let mut tenant = tenant(id, &["web"]);
        tenant.publish = vec![Publish {
            origin: at("network/topology.yaml", 8),
            port,
            protocol: Protocol::Udp,
            to: name("web"),
            to_port: port,
        }];
        tenant
    };
    let taken = ["network/topology.yaml:8:1 port-taken"];
    let before = host(&[&auto("shop")]);
    for port in [51820, 4789] {
        assert_eq!(
            rules(allocate(&before, &publishing("blog", port), &pools())),
            taken
        );
    }
    // The next one is chosen instead of one that is published.
    let after = host(&[&publishing("blog", 51820), &auto("shop")]);
    assert_eq!(numbers(&after, "shop")[0], "wg-shop-office 51821");
}
