mod properties;
mod tunnels;

use super::names::LINK_MAX;
use super::*;
use crate::desired::DesiredTenant;
use crate::model::{Auto, Millis, NetworkDetails, NetworkMode, Publish};
use crate::sample::{at, attachment, name, network, pools, tenant, workload};

fn rules(result: Result<Allocations, Vec<crate::finding::Finding>>) -> Vec<String> {
    let rule = |finding: crate::finding::Finding| format!("{} {}", finding.origin, finding.rule);
    result.unwrap_err().into_iter().map(rule).collect()
}

fn host(tenants: &[&DesiredTenant]) -> Allocations {
    tenants.iter().fold(Allocations::default(), |host, tenant| {
        allocate(&host, tenant, &pools()).unwrap()
    })
}

#[test]
fn first_tenant() {
    let host = host(&[&tenant("shop", &["db", "web"])]);
    let shop = &host.tenants[&name("shop")];
    assert_eq!((shop.number, shop.uid_base), (1, 0x1000_0000));
    let default = &shop.networks[&name("default")];
    assert_eq!(default.link, "br-shop");
    assert_eq!(default.subnet.to_string(), "10.64.0.0/24");
    assert_eq!(default.gateway().unwrap().to_string(), "10.64.0.1");
    let web = &shop.machines[&name("web")];
    assert_eq!(web.machine, "shop-web");
    let interface = &web.interfaces[&name("default")];
    assert_eq!(interface.address.to_string(), "10.64.0.11");
    assert_eq!(interface.link, "v-shop-web");
    let first = u8::from_str_radix(&interface.mac[..2], 16).unwrap();
    assert_eq!(first & 3, 2, "{} is local and unicast", interface.mac);
}

#[test]
fn tenants_follow_each_other() {
    let host = host(&[&tenant("shop", &["web"]), &tenant("blog", &["web"])]);
    let blog = &host.tenants[&name("blog")];
    assert_eq!((blog.number, blog.uid_base), (2, 0x1001_0000));
    assert_eq!(
        blog.networks[&name("default")].subnet.to_string(),
        "10.64.1.0/24"
    );
}

#[test]
fn dashes_do_not_make_two_names_one() {
    let host = host(&[&tenant("a-b", &["c"]), &tenant("a", &["b-c"])]);
    let one = &host.tenants[&name("a-b")].machines[&name("c")];
    let other = &host.tenants[&name("a")].machines[&name("b-c")];
    assert_eq!(one.machine, "a-b-c");
    assert_ne!(one.machine, other.machine);
    let link = |machine: &MachineAllocation| machine.interfaces[&name("default")].link.clone();
    assert_ne!(link(one), link(other));
}

#[test]
fn long_names_are_cut_and_hashed() {
    let long = "a23456789-123456789-123456789-12";
    let host = host(&[&tenant(long, &[long])]);
    let allocation = &host.tenants[&name(long)];
    let bridge = &allocation.networks[&name("default")].link;
    assert!(
        bridge.starts_with("br-a23456") && bridge.len() <= LINK_MAX,
        "{bridge}"
    );
    let machine = &allocation.machines[&name(long)];
    assert!(machine.machine.len() <= 63, "{}", machine.machine);
}

#[test]
fn wanted_bridge_is_granted_when_free() {
    let mut first = tenant("tenant-001", &["main"]);
    first.networks[0].bridge = Some("br-tenant001".into());
    let mut second = tenant("other", &["main"]);
    second.networks[0].bridge = Some("br-tenant001".into());
    let host = host(&[&first, &second]);
    let link = |tenant: &str| {
        host.tenants[&name(tenant)].networks[&name("default")]
            .link
            .clone()
    };
    assert_eq!(link("tenant-001"), "br-tenant001");
    assert_eq!(link("other"), "br-other");
}

#[test]
fn workloads_that_go_keep_what_they_had() {
    let before = host(&[&tenant("shop", &["db", "web"])]);
    let without = allocate(&before, &tenant("shop", &["web"]), &pools()).unwrap();
    assert_eq!(without, before);
    let more = allocate(&without, &tenant("shop", &["api", "web"]), &pools()).unwrap();
    let api = &more.tenants[&name("shop")].machines[&name("api")];
    assert_eq!(
        api.interfaces[&name("default")].address.to_string(),
        "10.64.0.12"
    );
}

#[test]
fn a_written_address_is_honoured() {
    let mut shop = tenant("shop", &["db", "web"]);
    shop.workloads[1].attachments[0].address = Some("10.64.0.10".parse().unwrap());
    let host = host(&[&shop]);
    let machines = &host.tenants[&name("shop")].machines;
    let address = |workload: &str| {
        machines[&name(workload)].interfaces[&name("default")]
            .address
            .to_string()
    };
    assert_eq!(address("web"), "10.64.0.10");
    assert_eq!(address("db"), "10.64.0.11");
}

#[test]
fn a_written_address_may_be_that_of_a_workload_that_is_gone() {
    let before = host(&[&tenant("shop", &["db"])]);
    let mut shop = tenant("shop", &["web"]);
    shop.workloads[0].attachments[0].address = Some("10.64.0.10".parse().unwrap());
    let after = allocate(&before, &shop, &pools()).unwrap();
    let machines = &after.tenants[&name("shop")].machines;
    assert!(machines[&name("db")].interfaces.is_empty());
    let web = &machines[&name("web")].interfaces[&name("default")];
    assert_eq!(web.address.to_string(), "10.64.0.10");
}

#[test]
fn two_workloads_may_exchange_their_addresses() {
    let with = |db: &str, web: &str| {
        let mut shop = tenant("shop", &["db", "web"]);
        shop.workloads[0].attachments[0].address = Some(db.parse().unwrap());
        shop.workloads[1].attachments[0].address = Some(web.parse().unwrap());
        shop
    };
    let before = host(&[&with("10.64.0.20", "10.64.0.21")]);
    let after = allocate(&before, &with("10.64.0.21", "10.64.0.20"), &pools()).unwrap();
    let machines = &after.tenants[&name("shop")].machines;
    let db = &machines[&name("db")].interfaces[&name("default")];
    assert_eq!(db.address.to_string(), "10.64.0.21");
}

#[test]
fn wrong_addresses_are_findings_at_their_line() {
    let cases = [
        ("10.64.0.11", "address-taken"),
        ("10.64.0.1", "address-reserved"),
        ("10.64.0.255", "address-reserved"),
        ("10.99.0.7", "address-outside-subnet"),
    ];
    let before = host(&[&tenant("shop", &["db", "web"])]);
    for (address, rule) in cases {
        let mut shop = tenant("shop", &["db", "web"]);
        shop.workloads[0].attachments[0].origin = at("containers/db/config.yaml", 9);
        shop.workloads[0].attachments[0].address = Some(address.parse().unwrap());
        assert_eq!(
            rules(allocate(&before, &shop, &pools())),
            [format!("containers/db/config.yaml:9:1 {rule}")],
            "{address}"
        );
    }
}

#[test]
fn wrong_subnets_are_findings() {
    let before = host(&[&tenant("blog", &["web"])]);
    let cases = [
        ("10.64.0.0/24", "subnet-overlap"),
        ("192.168.1.0/24", "subnet-outside-pool"),
        ("10.0.0.0/8", "subnet-outside-pool"),
        ("10.64.9.0/30", "subnet-too-small"),
    ];
    for (subnet, rule) in cases {
        let mut shop = tenant("shop", &[]);
        let (address, prefix) = subnet.split_once('/').unwrap();
        shop.networks[0].subnet = Auto::Value(Subnet4 {
            address: address.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
        });
        assert_eq!(
            rules(allocate(&before, &shop, &pools())),
            [format!("network/topology.yaml:2:1 {rule}")],
            "{subnet}"
        );
    }
}

#[test]
fn a_subnet_that_changes_moves_its_machines() {
    let mut shop = tenant("shop", &["web"]);
    let before = host(&[&shop]);
    shop.networks[0].subnet = Auto::Value(Subnet4::containing("10.65.1.0".parse().unwrap(), 28));
    let after = allocate(&before, &shop, &pools()).unwrap();
    let web = &after.tenants[&name("shop")].machines[&name("web")];
    assert_eq!(
        web.interfaces[&name("default")].address.to_string(),
        "10.65.1.10"
    );
    shop.networks[0].subnet = Auto::Auto;
    assert_eq!(allocate(&after, &shop, &pools()).unwrap(), after);
}

#[test]
fn chosen_subnets_avoid_written_ones() {
    let mut shop = tenant("shop", &[]);
    let mut back = network("back");
    back.subnet = Auto::Value(Subnet4::containing("10.64.0.128".parse().unwrap(), 25));
    shop.networks.push(back);
    let host = host(&[&shop]);
    let networks = &host.tenants[&name("shop")].networks;
    assert_eq!(
        networks[&name("default")].subnet.to_string(),
        "10.64.1.0/24"
    );
    assert_eq!(networks[&name("back")].link, "br-shop-back");
}

#[test]
fn exhausted_pools_are_findings() {
    let mut small = pools();
    small.ipv4.1 = 24;
    let first = allocate(&Allocations::default(), &tenant("one", &[]), &small).unwrap();
    assert_eq!(
        rules(allocate(&first, &tenant("two", &[]), &small)),
        ["network/topology.yaml:2:1 pool-exhausted"]
    );
    small.ipv4.1 = 29;
    let full = ["a", "b", "c", "d", "e", "f"];
    assert_eq!(
        rules(allocate(
            &Allocations::default(),
            &tenant("one", &full),
            &small
        )),
        ["containers/web/config.yaml:5:1 pool-exhausted"]
    );
}

#[test]
fn ipv6_networks_are_disjoint() {
    let with_ipv6 = |id| {
        let mut tenant = tenant(id, &[]);
        tenant.networks[0].ipv6 = Some(Auto::Auto);
        tenant
    };
    let host = host(&[&with_ipv6("one"), &with_ipv6("two")]);
    let of = |id| host.tenants[&name(id)].networks[&name("default")].ipv6;
    assert_eq!(of("one").unwrap().to_string(), "fd00:bb::");
    assert_eq!(of("two").unwrap().to_string(), "fd00:bb:0:1::");
}

#[test]
fn written_macs_are_unique_on_the_host() {
    let mut shop = tenant("shop", &["web"]);
    shop.workloads[0].attachments[0].mac = Some("02:00:00:00:00:07".into());
    let before = host(&[&shop]);
    shop.id = name("blog");
    let twice = allocate(&before, &shop, &pools());
    assert_eq!(rules(twice), ["containers/web/config.yaml:5:1 mac-taken"]);
    shop.workloads[0].attachments[0].mac = Some("03:00:00:00:00:07".into());
    let group = allocate(&before, &shop, &pools());
    assert_eq!(rules(group), ["containers/web/config.yaml:5:1 mac-invalid"]);
}

#[test]
fn a_port_belongs_to_one_tenant() {
    let publishing = |id| {
        let mut tenant = tenant(id, &["web"]);
        tenant.publish.push(Publish {
            origin: at("network/topology.yaml", 7),
            port: 8080,
            protocol: Protocol::Tcp,
            to: name("web"),
            to_port: 80,
        });
        tenant
    };
    let before = host(&[&publishing("shop")]);
    assert_eq!(
        rules(allocate(&before, &publishing("blog"), &pools())),
        ["network/topology.yaml:7:1 port-taken"]
    );
    let quiet = allocate(&before, &tenant("shop", &["web"]), &pools()).unwrap();
    assert!(allocate(&quiet, &publishing("blog"), &pools()).is_ok());
}

#[test]
fn released_numbers_wait_for_their_time() {
    let mut host = host(&[&tenant("shop", &["web"])]);
    let before = host.clone();
    release(&mut host, &name("shop"), 1_000);
    release(&mut host, &name("shop"), 2_000);
    count(&mut host, 59);
    assert!(expire(&mut host, Millis(60_000)).is_empty());
    let blog = allocate(&host, &tenant("blog", &[]), &pools()).unwrap();
    assert_eq!(blog.tenants[&name("blog")].number, 2);
    let back = allocate(&host, &tenant("shop", &["web"]), &pools()).unwrap();
    assert_eq!(back, before);
    count(&mut host, 1);
    assert_eq!(expire(&mut host, Millis(60_000)), [name("shop")]);
    let blog = allocate(&host, &tenant("blog", &[]), &pools()).unwrap();
    assert_eq!(blog.tenants[&name("blog")].number, 1);
}

#[test]
fn several_links_of_one_workload() {
    let mut shop = tenant("shop", &[]);
    shop.networks.push(network("back"));
    let mut web = workload("web");
    web.attachments.push(attachment("back"));
    shop.workloads.push(web);
    let host = host(&[&shop]);
    let web = &host.tenants[&name("shop")].machines[&name("web")];
    assert_eq!(web.interfaces[&name("default")].link, "v-shop-web");
    assert_eq!(web.interfaces[&name("back")].link, "v-shop-web-back");
}

fn with_vlan(id: &str, vlan: u16, router: Option<&str>) -> DesiredTenant {
    let mut tenant = tenant(id, &["web"]);
    let network = &mut tenant.networks[0];
    network.mode = NetworkMode::Vlan;
    network.subnet = Auto::Value(Subnet4::containing(
        std::net::Ipv4Addr::new(10, 64, u8::try_from(vlan).unwrap(), 0),
        28,
    ));
    network.details = NetworkDetails::Vlan {
        id: vlan,
        parent: "eno2".into(),
        router: router.map(|router| router.parse().unwrap()),
    };
    tenant
}

#[test]
fn a_vlan_is_one_tenants_until_its_network_is_gone() {
    let before = host(&[&with_vlan("shop", 7, None)]);
    let uplink = &before.tenants[&name("shop")].networks[&name("default")].uplink;
    assert_eq!(uplink.as_ref().unwrap().link(), "vl-shop");
    let mut blog = with_vlan("blog", 7, None);
    blog.networks[0].subnet = Auto::Auto;
    assert_eq!(
        rules(allocate(&before, &blog, &pools())),
        ["network/topology.yaml:2:1 vlan-taken"]
    );
    // The same number on another trunk is another VLAN.
    let mut elsewhere = blog.clone();
    let details = &mut elsewhere.networks[0].details;
    if let NetworkDetails::Vlan { parent, .. } = details {
        *parent = "eno3".into();
    }
    assert!(allocate(&before, &elsewhere, &pools()).is_ok());
    let mut shop = tenant("shop", &["web"]);
    shop.networks[0].name = name("other");
    shop.workloads[0].attachments[0].network = name("other");
    let without = allocate(&before, &shop, &pools()).unwrap();
    assert!(allocate(&without, &blog, &pools()).is_ok());
}

#[test]
fn two_networks_of_a_tenant_have_two_vlans() {
    let mut shop = with_vlan("shop", 7, None);
    let mut back = with_vlan("shop", 7, None).networks.remove(0);
    back.name = name("back");
    back.subnet = Auto::Auto;
    shop.networks.push(back);
    let found = rules(allocate(&Allocations::default(), &shop, &pools()));
    assert_eq!(found, ["network/topology.yaml:2:1 vlan-taken"]);
}

#[test]
fn nobody_has_the_address_of_a_router() {
    for (router, gateway) in [("10.64.7.1", "10.64.7.2"), ("10.64.7.10", "10.64.7.1")] {
        let mut shop = with_vlan("shop", 7, Some(router));
        let made = host(&[&shop]);
        let shop_made = &made.tenants[&name("shop")];
        let network = &shop_made.networks[&name("default")];
        assert_eq!(network.gateway().unwrap().to_string(), gateway);
        let address = shop_made.machines[&name("web")].interfaces[&name("default")].address;
        assert_ne!(address.to_string(), router);
        for taken in [router, gateway] {
            shop.workloads[0].attachments[0].address = Some(taken.parse().unwrap());
            assert_eq!(
                rules(allocate(&made, &shop, &pools())),
                ["containers/web/config.yaml:5:1 address-reserved"]
            );
        }
    }
}

#[test]
fn two_routing_domains_may_have_the_same_addresses_and_no_other_networks() {
    let with = |id: &str, mode, subnet: &str| {
        let mut tenant = tenant(id, &["web"]);
        let (address, prefix) = subnet.split_once('/').unwrap();
        let subnet = Subnet4::containing(address.parse().unwrap(), prefix.parse().unwrap());
        tenant.networks[0].mode = mode;
        tenant.networks[0].subnet = Auto::Value(subnet);
        tenant.networks[0].ipv6 = Some(Auto::Value("fd00:bb:0:7::".parse().unwrap()));
        tenant
    };
    let (vrf, plain) = (NetworkMode::Vrf, NetworkMode::IsolatedBridge);
    let one = host(&[&with("one", vrf, "10.64.7.0/24")]);
    let two = allocate(&one, &with("two", vrf, "10.64.7.0/25"), &pools()).unwrap();
    assert_eq!(crate::lint::host(&two), []);
    let domain = |id: &str| {
        two.tenants[&name(id)].networks[&name("default")]
            .vrf
            .clone()
            .unwrap()
    };
    assert_eq!(domain("one").link, "vrf-one");
    assert_ne!(domain("one").table, domain("two").table);

    // The host's own domain is everybody's.
    let found = rules(allocate(
        &one,
        &with("two", plain, "10.64.7.0/25"),
        &pools(),
    ));
    assert_eq!(found, ["network/topology.yaml:2:1 subnet-overlap"]);
    let bare = host(&[&with("one", plain, "10.64.7.0/24")]);
    let found = rules(allocate(&bare, &with("two", vrf, "10.64.7.0/25"), &pools()));
    assert_eq!(found, ["network/topology.yaml:2:1 subnet-overlap"]);

    // One that leaves its domain leaves what is not its alone.
    let mut leaves = with("two", plain, "10.64.7.0/25");
    leaves.networks[0].subnet = Auto::Auto;
    leaves.networks[0].ipv6 = Some(Auto::Auto);
    let left = allocate(&two, &leaves, &pools()).unwrap();
    assert_eq!(crate::lint::host(&left), []);
    assert_eq!(
        left.tenants[&name("two")].networks[&name("default")].vrf,
        None
    );
    // What nobody chose overlaps nothing.
    let three = allocate(&two, &tenant("three", &["web"]), &pools()).unwrap();
    assert_eq!(crate::lint::host(&three), []);
}

#[test]
fn a_namespace_has_one_interface_for_all() {
    let mut shop = tenant("shop", &["db", "web"]);
    let before = allocate(&Allocations::default(), &shop, &pools()).unwrap();
    shop.networks[0].mode = NetworkMode::Netns;
    let after = allocate(&before, &shop, &pools()).unwrap();
    let own = &after.tenants[&name("shop")];
    let network = &own.networks[&name("default")];
    let namespace = network.namespace.as_ref().unwrap();
    assert_eq!(namespace.interface.link, "ns-shop");
    assert_eq!(namespace.interface.address.to_string(), "10.64.0.10");
    assert_eq!(namespace.members, [name("db"), name("web")].into());
    for workload in ["db", "web"].map(name) {
        assert_eq!(own.machines[&workload].interfaces, [].into());
        let interfaces: Vec<_> = own.interfaces_of(&workload).collect();
        assert_eq!(interfaces, [(&name("default"), &namespace.interface)]);
    }
    // What it has stays, and nobody else gets it.
    assert_eq!(allocate(&after, &shop, &pools()).unwrap(), after);
    let mut other = tenant("other", &["web"]);
    other.workloads[0].attachments[0].mac = Some(namespace.interface.mac.clone());
    let refused = rules(allocate(&after, &other, &pools()));
    assert_eq!(refused, ["containers/web/config.yaml:5:1 mac-taken"]);
    // Back: everybody has an interface again.
    shop.networks[0].mode = NetworkMode::IsolatedBridge;
    let back = allocate(&after, &shop, &pools()).unwrap();
    let own = &back.tenants[&name("shop")];
    assert_eq!(own.shared().count(), 0);
    assert_eq!(own.machines[&name("web")].interfaces.len(), 1);
}

#[test]
fn an_interface_is_not_given_the_address_of_a_namespace() {
    let mut shop = tenant("shop", &["db", "web"]);
    let mut pod = network("pod");
    pod.mode = NetworkMode::Netns;
    shop.networks.push(pod);
    shop.workloads[0].attachments = vec![attachment("pod")];
    let host = host(&[&shop]);
    let namespace = host.tenants[&name("shop")].shared().next().unwrap();
    shop.workloads[1].attachments[0].mac = Some(namespace.mac.clone());
    assert_eq!(
        rules(allocate(&host, &shop, &pools())),
        ["containers/web/config.yaml:5:1 mac-taken"]
    );
}
