//! Segments between container hosts on one wire: a multicast group, and other ends that speak IPv6. Both at once.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, wait_healthy};
use serde_json::json;

/// Name of the network, the first numbers of its subnet, bytes of its largest packet.
const SEGMENTS: [(&str, &str, u32); 2] = [("group", "10.64.30", 1450), ("six", "10.64.31", 1430)];

/// A host whose one machine is in both segments; `number` is its last one everywhere.
fn end(name: &str, number: u8, other: u8) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    host.sh(&format!(
        "ip -6 address add fd99::{number}/64 dev up0 nodad"
    ));
    let system = Repository::new();
    let tenant = json!({
        "id": name, "repository": format!("file:///var/lib/bitbuilder/git/{name}.git"),
        "allow": { "networks": ["vxlan"] },
    });
    let registry = json!({ "tenants": [tenant] }).to_string();
    system.write("tenants/registry.json", &registry);
    system.write(
        ".gitops/config.yaml",
        "pools: { trunks: [up0], vni: 70000-70099 }\n",
    );
    host.push_ok("system", system.path());
    let tenant = Repository::tenant(name);
    let subnet = |index: usize| format!("{}.0/24", SEGMENTS[index].1);
    let topology = json!({ "networks": {
        "group": { "mode": "vxlan", "vni": 70001, "subnet": subnet(0), "group": "239.1.1.1", "parent": "up0" },
        "six": { "mode": "vxlan", "vni": 70002, "subnet": subnet(1), "remotes": [format!("fd99::{other}")] },
    } });
    tenant.write("network/topology.yaml", &topology.to_string());
    let attached = SEGMENTS.map(|(network, subnet, _)| {
        json!({ "network": network, "address": format!("{subnet}.{number}") })
    });
    let serve = format!(
        "mkdir /tmp/www; echo {name} >/tmp/www/index.html; exec busybox httpd -f -p 80 -h /tmp/www"
    );
    let more = format!("networks: {}\n", json!(attached));
    tenant.write("containers/web/config.yaml", &command(&serve, &more));
    host.push_ok(name, tenant.path());
    wait_healthy(&host, name);
    host
}

#[test]
fn segments_by_a_group_and_by_ipv6() {
    let (east, west) = (end("east", 11, 12), end("west", 12, 11));
    for (from, name, to, number) in [(&east, "east", "west", 12), (&west, "west", "east", 11)] {
        let inside = |command: &str| format!("ip netns exec machine-{name}-web {command}");
        for (network, subnet, mtu) in SEGMENTS {
            let address = format!("{subnet}.{number}");
            from.wait_sh(&inside(&format!("ping -c 1 -W 2 {address}")));
            let page = from.sh(&inside(&format!("busybox wget -qO- http://{address}/")));
            assert_eq!(page, format!("{to}\n"), "{network}");
            let size = |bytes: u32| inside(&format!("ping -M do -c 1 -W 5 -s {bytes} {address}"));
            from.sh(&size(mtu - 28));
            let larger = from.sh_try(&size(mtu - 27));
            assert!(!larger.status.success(), "{network}: {larger:?}");
        }
    }
    // The wire carries each in its own protocol.
    let ends = east.sh("bridge fdb show | grep dst");
    assert!(
        ends.contains("dst 239.1.1.1") && ends.contains("dst fd99::12"),
        "{ends}"
    );
}
