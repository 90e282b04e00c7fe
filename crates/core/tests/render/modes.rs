//! Networks of every mode that is not a plain bridge.

use super::{compare, contents, text};
use crate::fixtures::*;
use bitbuilder_core::allocate::TenantAllocation;
use bitbuilder_core::desired::DesiredTenant;
use bitbuilder_core::render::render;

/// Compares what is about the network.
fn golden(case: &str, made: &(DesiredTenant, TenantAllocation)) {
    golden_with(case, made, &[]);
}

/// The same, and what is in `more`.
fn golden_with(
    case: &str,
    (tenant, allocation): &(DesiredTenant, TenantAllocation),
    more: &[&str],
) {
    let mut made = contents(&render(tenant, allocation).unwrap());
    made.retain(|path, _| {
        ["hosts/", "links/", "network/", "nftables/", "uplinks/"]
            .iter()
            .chain(more)
            .any(|directory| path.starts_with(directory))
    });
    compare(case, &made);
}

#[test]
fn a_vlan_is_a_port_of_the_bridge() {
    golden("vlan", &vlan(false));
}

#[test]
fn a_router_of_the_vlan_is_the_way_out_and_the_host_is_none() {
    let (tenant, allocation) = vlan(true);
    let made = render(&tenant, &allocation).unwrap();
    let bridge = text(&made, "network/10-bitbuilder-br-shop-legacy.network");
    for line in [
        "Address=10.64.7.2/24",
        "Router=10.64.7.1",
        "RouterLifetimeSec=0",
    ] {
        assert!(bridge.lines().any(|own| own == line), "{line}: {bridge}");
    }
    let inside = text(&made, "links/db.inside");
    assert!(inside.contains("route add default via 10.64.7.1 dev host0"));
    assert!(!inside.contains("default via fd"), "{inside}");
    let rules = text(&made, "nftables/ruleset.json");
    // Machines may hear it.
    assert!(rules.contains(r#""name":"shop/host-routed","type":"ifname"}"#));
}

#[test]
fn a_routing_domain_has_its_own_table_and_marks() {
    golden("vrf", &vrf());
    let (tenant, allocation) = vrf();
    let made = render(&tenant, &allocation).unwrap();
    let check = "system/tenant-health@shop-db.service.d/50-bitbuilder.conf";
    assert!(text(&made, check).contains("BindNetworkInterface=vrf-shop-legacy"));
}

#[test]
fn a_private_network_is_a_link_for_each_machine() {
    golden("private", &private());
}

#[test]
fn a_link_carries_what_its_attachment_says() {
    for (family, (mut tenant, allocation)) in [
        ("bridge", (shop(), super::allocation(&shop(), 1))),
        ("inet", private()),
    ] {
        let without = render(&tenant, &allocation).unwrap();
        tenant.workloads[0].attachments[0].bandwidth = Some(100);
        let made = render(&tenant, &allocation).unwrap();
        let rules = text(&made, "nftables/ruleset.json");
        let more = rules
            .lines()
            .filter(|line| !text(&without, "nftables/ruleset.json").contains(*line));
        let limits: Vec<&str> = more
            .filter(|line| line.contains(r#""rate":12500000,"#))
            .collect();
        let [sent, got] = limits.as_slice() else {
            panic!("{limits:?}");
        };
        let about = |line: &str, chain: &str, key: &str| {
            [
                family,
                &format!("shop/{chain}"),
                key,
                "containers/web/config.yaml:9: more than 100 Mbit/s",
            ]
            .iter()
            .all(|word| line.contains(&format!("\"{word}\"")))
        };
        assert!(about(sent, "antispoof", "iifname"), "{sent}");
        assert!(about(got, "bandwidth", "oifname"), "{got}");
    }
}

#[test]
fn a_namespace_has_one_interface_for_all() {
    let units = [
        "boot",
        "namespace/",
        "system/netns-tenant@",
        "system/systemd-nspawn@shop-db.service.d/50",
        "system/systemd-nspawn@shop-web.service.d/50",
    ];
    golden_with("netns", &netns(), &units);
}
