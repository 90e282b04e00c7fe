//! Mistakes about networks, from the text of a document to what a person reads: one row a rule, each with the place of what
//! is wrong and what to write instead.

use super::build::{Case, file};
use crate::allocate::{Allocations, allocate, alone, partners};
use crate::desired::DesiredTenant;
use crate::document::read_tenant;
use crate::finding::{Finding, has_errors};
use crate::model::{Name, NetworkMode, PortRange, Protocol};
use crate::sample::{name, pools};
use crate::tree::Tree;

const LAPTOP: &str = "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=";

fn tree(id: &Name, topology: &str, attachment: &str) -> Tree {
    let metadata = format!(r#"{{ "tenant": {{ "id": "{id}", "type": "container" }} }}"#);
    let web = format!("image: {{ template: tenant-container }}\nboot: true\n{attachment}");
    let files = [
        ("metadata.json", metadata.as_str()),
        ("network/topology.yaml", topology),
        ("containers/web/config.yaml", web.as_str()),
    ];
    Tree {
        entries: files
            .map(|(path, text)| (path.to_owned(), file(text)))
            .into(),
        ..Tree::default()
    }
}

/// What a host that has `before` says to a tenant of these documents, and what it gets.
fn asked(
    before: &Allocations,
    id: &str,
    topology: &str,
    attachment: &str,
) -> (Vec<Finding>, Option<Allocations>) {
    let id = name(id);
    let mut case = Case::with(&[]);
    case.tree = tree(&id, &topology.replace("KEY", LAPTOP), attachment);
    let read = read_tenant(&case.tree, Some(&id));
    let Some(tenant) = read.value else {
        return (read.findings, None);
    };
    case.tenant = tenant;
    case.registration.id = id;
    case.registration.limits.networks = Some(3);
    case.registration.allow.publish = vec![PortRange {
        protocol: Protocol::Udp,
        first: 8000,
        last: 60_000,
    }];
    case.registration.allow.networks = vec![
        NetworkMode::IsolatedBridge,
        NetworkMode::Vlan,
        NetworkMode::Vrf,
        NetworkMode::Vxlan,
        NetworkMode::Wireguard,
    ];
    case.policy.pools.trunks = vec!["eno1".into()];
    let resolved = case.resolve();
    let Some(tenant) = resolved.value else {
        return (resolved.findings, None);
    };
    let mut findings = resolved.findings;
    match allocate(before, &tenant, &pools()) {
        Ok(after) => {
            findings.extend(unanswered(&after, &tenant));
            (findings, Some(after))
        }
        Err(refused) => (refused, None),
    }
}

fn unanswered(after: &Allocations, tenant: &DesiredTenant) -> Vec<Finding> {
    let partners = partners(after, &tenant.id, after.tenants.get(&tenant.id));
    alone(tenant, &partners)
}

/// A host with a tenant that has of everything what others may ask for.
fn taken() -> Allocations {
    let topology = "
networks:
  default: { subnet: 10.64.50.0/24, ipv6: 'fd00:bb:0:50::/64' }
  legacy: { mode: vlan, id: 10, parent: eno1, subnet: 10.64.51.0/24 }
  wide: { mode: vxlan, vni: 70, subnet: 10.64.52.0/24, remotes: [192.0.2.1] }
publish: [{ port: 8000, protocol: udp, to: web }]
";
    let web = "networks: [{ mac: '02:00:00:00:00:99' }]\n";
    let (findings, after) = asked(&Allocations::default(), "blog", topology, web);
    assert!(!has_errors(&findings), "{findings:?}");
    after.unwrap()
}

/// Topology, attachments, the rule and place of the one finding, and a word of what to write.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const WIDE: &str = "remotes: [192.0.2.1] }";

/// Of one document.
const WRITTEN: &[Mistake] = &[
    (
        "networks:\n  a: { subnet: 10.64.1.0/24 }\n  b: { subnet: 10.64.1.128/25 }\n",
        "",
        "subnet-overlap 3:16",
        "auto",
    ),
    (
        "networks:\n  a: { subnet: 192.0.2.0/24 }\n",
        "",
        "public-subnet 2:16",
        "10.0.0.0/8",
    ),
    (
        "networks:\n  a: { ipv6: '2001:db8::/64' }\n",
        "",
        "public-subnet 2:14",
        "fd00::/8",
    ),
    (
        "networks:\n  a: { subnet: 10.64.1.0/30 }\n",
        "",
        "subnet-size 2:16",
        "/24",
    ),
    (
        "networks:\n  a: { id: 10 }\n",
        "",
        "foreign-key 2:12",
        "mode: vlan",
    ),
    (
        "networks:\n  a: { mode: vlan }\n",
        "",
        "missing-key 2:3",
        "parent: LINK",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eno1, gateway: 10.64.1.1 }\n",
        "",
        "missing-key 2:51",
        "subnet: 10",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eno1, subnet: 10.64.1.0/24, gateway: 10.64.9.1 }\n",
        "",
        "gateway-unreachable 2:73",
        "10.64.1.1",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eno1, subnet: 10.64.1.0/24, gateway: 10.64.1.255 }\n",
        "",
        "gateway-unreachable 2:73",
        "10.64.1.1",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eno1, subnet: 10.64.1.0/24, gateway: 'fd00::1' }\n",
        "",
        "gateway-unreachable 2:73",
        "10.64.1.1",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: a-link-too-long0 }\n",
        "",
        "interface-name 2:36",
        "shorter",
    ),
    (
        "networks:\n  a:\n    mode: wireguard\n    peers: [{ name: p, publicKey: KEY, allowedIPs: [10.9.0.0/24], endpoint: '127.0.0.1:51820' }]\n",
        "",
        "gateway-unreachable 4:118",
        "where the peer is",
    ),
    (
        "networks:\n  a: { mode: wireguard, peers: [{ name: p, publicKey: abc, allowedIPs: [10.9.0.0/24] }] }\n",
        "",
        "wireguard-key 2:55",
        "wg pubkey",
    ),
    (
        "networks:\n  a: { mode: wireguard, mtu: 1200 }\n",
        "",
        "mtu-too-small 2:30",
        "1280",
    ),
    (
        "networks:\n  a: { mode: vxlan, remotes: ['::1'] }\n",
        "",
        "vxlan-ends 2:31",
        "other hosts",
    ),
    (
        "networks:\n  a: { mode: vxlan }\n",
        "",
        "vxlan-ends 2:3",
        "group: 239",
    ),
    (
        "networks:\n  a: { mode: vxlan, group: 192.0.2.1 }\n",
        "",
        "multicast 2:28",
        "239.0.0.0/8",
    ),
    (
        "publish: [{ port: 8001, to: web, protocol: udp }]\npeering:\n  - { tenant: blog, network: back }\n",
        "",
        "unknown-reference 3:30",
        "default",
    ),
    (
        "networks: { a: { subnet: 10.64.1.0/24 } }\n",
        "networks: [{ network: a, address: 10.64.2.5 }]\n",
        "address web:3:35",
        "10.64.1.2",
    ),
    (
        "networks: { a: {} }\n",
        "networks: [{ network: a, address: 10.64.2.5 }]\n",
        "address-without-subnet web:3:35",
        "dhcp",
    ),
];

/// Of the registry and the policy.
const ALLOWED: &[Mistake] = &[
    (
        "networks:\n  a: { mode: private }\n",
        "",
        "not-allowed 2:3",
        "registry.json",
    ),
    (
        "networks: { default: {}, a: {}, b: {},\n  c: {} }\n",
        "",
        "too-many-networks 2:3",
        "fewer",
    ),
    (
        "publish: [{ port: 22, to: web }]\n",
        "",
        "not-allowed 1:11",
        "udp/8000-60000",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eth0 }\n",
        "",
        "not-a-trunk 2:3",
        "pools.trunks",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 200, parent: eno1 }\n",
        "",
        "vlan-outside-pool 2:3",
        "1 to 100",
    ),
    (
        "networks:\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, parent: eth0, WIDE\n",
        "",
        "unknown-parent 2:3",
        "eno1",
    ),
    (
        "networks:\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, group: 239.1.1.1 }\n",
        "",
        "vxlan-ends 2:3",
        "trunk",
    ),
    (
        "networks:\n  t: { mode: wireguard, peers: [{ name: p, publicKey: KEY, allowedIPs: [10.9.0.0/24] }] }\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, ipv6: off, parent: t, WIDE\n",
        "",
        "gateway-unreachable 3:3",
        "allowedIPs",
    ),
    (
        "networks:\n  t: { mode: wireguard }\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, mtu: 1400, parent: t, WIDE\n",
        "",
        "mtu-too-large 3:3",
        "1370",
    ),
    (
        "networks:\n  t: { mode: wireguard, mtu: 1300 }\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, parent: t, WIDE\n",
        "",
        "mtu-too-small 3:3",
        "1280",
    ),
    (
        "networks:\n  a: { mode: vxlan, WIDE\n",
        "",
        "segment-differs 2:3",
        "subnet: 10.64.30.0/24, vni: 70001",
    ),
    (
        "networks: { a: { mode: vrf } }\npeering:\n  - { tenant: blog, network: a }\n",
        "",
        "peering-of-domain 3:5",
        "another mode",
    ),
    (
        "peering:\n  - { tenant: shop, network: default }\n",
        "",
        "peering-with-itself 2:5",
        "the other tenant's id",
    ),
];

/// Of what the host and others have.
const TAKEN: &[Mistake] = &[
    (
        "networks:\n  a: { subnet: 10.200.1.0/24 }\n",
        "",
        "subnet-outside-pool 2:3",
        "10.64.0.0/",
    ),
    (
        "networks:\n  a: { subnet: 10.64.50.0/25 }\n",
        "",
        "subnet-overlap 2:3",
        "another subnet",
    ),
    (
        "networks:\n  a: { ipv6: 'fd00:bb:0:50::/64' }\n",
        "",
        "subnet-overlap 2:3",
        "another /64",
    ),
    (
        "networks:\n  a: { mode: vlan, id: 10, parent: eno1 }\n",
        "",
        "vlan-taken 2:3",
        "another `id`",
    ),
    (
        "networks:\n  a: { mode: vxlan, vni: 70, subnet: 10.64.1.0/24, WIDE\n",
        "",
        "number-taken 2:3",
        "auto",
    ),
    (
        "networks:\n  a: { mode: wireguard, listenPort: 22 }\n",
        "",
        "number-outside-pool 2:3",
        "auto",
    ),
    (
        "networks:\n  a:\n    mode: wireguard\n    subnet: 10.64.1.0/24\n    peers:\n      - { name: p, publicKey: KEY, allowedIPs: [10.64.1.64/26] }\n",
        "",
        "peer-overlap 6:17",
        "subnets of their own",
    ),
    (
        "networks:\n  a:\n    mode: wireguard\n    subnet: 10.64.1.0/24\n    peers:\n      - { name: p, publicKey: KEY, allowedIPs: [10.9.0.0/24], endpoint: '10.64.1.7:51820' }\n",
        "",
        "gateway-unreachable 6:17",
        "endpoint",
    ),
    (
        "networks:\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, remotes: [10.64.1.9] }\n",
        "",
        "gateway-unreachable 2:3",
        "remotes",
    ),
    (
        "publish:\n  - { port: 8000, protocol: udp, to: web }\n",
        "",
        "port-taken 2:5",
        "another `port`",
    ),
    (
        "networks: { a: { subnet: 10.64.1.0/24 } }\n",
        "networks: [{ network: a, mac: '02:00:00:00:00:99' }]\n",
        "mac-taken web:3:12",
        "another one",
    ),
    (
        "networks: { a: { mode: vlan, id: 11, parent: eno1, subnet: 10.64.1.0/24, gateway: 10.64.1.254 } }\n",
        "networks: [{ network: a, address: 10.64.1.254 }]\n",
        "address-reserved web:3:12",
        "dhcp",
    ),
    (
        "peering:\n  - { tenant: blog, network: default }\n",
        "",
        "peering-without-partner 2:5",
        "peering: [{ tenant: shop",
    ),
    (
        "peering:\n  - { tenant: nobody, network: default }\n",
        "",
        "peering-without-partner 2:5",
        "it declares",
    ),
];

#[test]
fn each_mistake_has_its_place_and_what_to_write() {
    let before = taken();
    for (topology, attachment, expected, word) in [WRITTEN, ALLOWED, TAKEN].concat() {
        let topology = topology.replace("WIDE", WIDE);
        let (findings, _) = asked(&before, "shop", &topology, attachment);
        let place = |finding: &Finding| {
            let place = finding.origin.to_string();
            let place = place.replace("network/topology.yaml:", "");
            let place = place.replace("containers/web/config.yaml", "web");
            format!("{} {place}", finding.rule)
        };
        let found: Vec<String> = findings.iter().map(place).collect();
        assert_eq!(found, [expected], "{topology}{findings:#?}");
        let [finding] = findings.as_slice() else {
            unreachable!("it is one");
        };
        assert!(finding.origin.line > 0 && finding.origin.column > 0);
        let help = finding.help.as_deref().unwrap_or_default();
        assert!(help.contains(word), "{expected}: {help}");
    }
}

#[test]
fn what_is_right_is_said_nothing_about() {
    let before = taken();
    for topology in [
        "networks: { a: { mode: vrf, subnet: 10.64.9.0/24 } }\n",
        "networks: { a: { mode: vlan, id: 11, parent: eno1, subnet: 10.64.1.0/24, gateway: 10.64.1.1 } }\n",
        // The other end has no key yet, so there is no peer: the segment leads nowhere for now.
        "networks: { t: { mode: wireguard }, a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, parent: t, WIDE }\n",
        // Everything is behind the peer, also where the peer is: packets of the host do not go by it.
        "networks: { a: { mode: wireguard, peers: [{ name: p, publicKey: KEY, allowedIPs: [0.0.0.0/0, '::/0'], endpoint: '192.0.2.7:51820' }] } }\n",
        "networks: { t: { mode: wireguard, peers: [{ name: p, publicKey: KEY, allowedIPs: [192.0.2.0/24] }] },\n  a: { mode: vxlan, vni: 71, subnet: 10.64.1.0/24, parent: t, WIDE }\n",
    ] {
        let topology = topology.replace("WIDE", WIDE);
        let (findings, after) = asked(&before, "shop", &topology, "");
        assert_eq!(findings, [], "{topology}");
        assert!(after.is_some());
    }
}
