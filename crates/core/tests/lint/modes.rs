//! What networks of other modes than a plain bridge make passes, and not a step more.

use crate::Case;
use crate::fixtures::*;
use bitbuilder_core::allocate::{Partner, TenantAllocation};
use bitbuilder_core::desired::DesiredTenant;

fn case((tenant, allocation): (DesiredTenant, TenantAllocation)) -> Case {
    Case::with(&tenant, allocation)
}

#[test]
fn networks_of_every_mode_pass() {
    for made in [vlan(false), vlan(true), vrf(), private(), netns()] {
        let case = case(made);
        assert_eq!(case.findings(), []);
    }
}

/// `edit` of the text at `path` is refused as `rule`.
#[track_caller]
fn refused(made: (DesiredTenant, TenantAllocation), path: &str, from: &str, to: &str, rule: &str) {
    let mut case = case(made);
    let file = case.artefacts.files.get_mut(path).unwrap();
    let text = String::from_utf8(file.content.clone()).unwrap();
    let edited = text.replacen(from, to, 1);
    assert_ne!(edited, text, "{path} has no `{from}`");
    file.content = edited.into_bytes();
    let findings = case.findings();
    assert!(
        findings.iter().any(|finding| finding.rule == rule),
        "{path} with `{to}`: {findings:#?}"
    );
}

#[test]
fn another_vlan_or_trunk_is_refused() {
    let path = "uplinks/vl-shop-legacy";
    for (from, to) in [
        ("id 1100", "id 1101"),
        ("link eno2", "link eno1"),
        ("vl-shop-legacy", "eno1"),
        ("\n", "\nlink delete dev eno1\n"),
    ] {
        refused(vlan(false), path, from, to, "link-command");
    }
    let path = "network/10-bitbuilder-vl-shop-legacy.network";
    for (from, to) in [
        ("Bridge=br-shop-legacy", "Bridge=br-other"),
        ("Name=vl-shop-legacy", "Name=eno1"),
        ("LinkLocalAddressing=no", "DHCP=yes"),
    ] {
        refused(vlan(false), path, from, to, "setting");
    }
}

#[test]
fn an_uplink_without_its_rules_is_refused() {
    let path = "nftables/ruleset.json";
    for (from, to) in [
        ("@shop/own-macs", "@shop/own-ipv4"),
        (
            r#"["vl-shop-legacy",{"goto":{"target":"shop/uplink"}}]"#,
            r#"["eno1",{"goto":{"target":"shop/uplink"}}]"#,
        ),
        (
            r#""name":"shop/host-routed","type":"ifname","elem":["vl-shop-legacy"]"#,
            r#""name":"shop/host-routed","type":"ifname""#,
        ),
        (
            "nd-redirect\"]}}},{\"counter\":null},{\"drop\":null}]",
            "nd-redirect\"]}}},{\"accept\":null}]",
        ),
    ] {
        refused(vlan(false), path, from, to, "packet-rule");
    }
}

#[test]
fn another_routing_domain_is_refused() {
    let path = "network/10-bitbuilder-vrf-shop-legacy.network";
    for (from, to) in [
        ("FirewallMark=48059000\n", ""),
        ("FirewallMark=48059000", "FirewallMark=48059001"),
        ("Table=48059000", "Table=254"),
        ("Priority=900", "Priority=1"),
    ] {
        refused(vrf(), path, from, to, "setting");
    }
    let device = "network/10-bitbuilder-vrf-shop-legacy.netdev";
    refused(vrf(), device, "Table=48059000", "Table=254", "setting");
    let bridge = "network/10-bitbuilder-br-shop-legacy.network";
    refused(vrf(), bridge, "VRF=vrf-shop-legacy\n", "", "setting");
    refused(
        vrf(),
        bridge,
        "VRF=vrf-shop-legacy",
        "VRF=vrf-other",
        "setting",
    );
}

#[test]
fn marks_of_another_domain_are_refused() {
    let path = "nftables/ruleset.json";
    for (from, to) in [
        (r#""value":48059000"#, r#""value":48059001"#),
        (r#"{"set":[0,48059000]}"#, r#"{"set":[0,48059001]}"#),
        (
            r#"{"ct":{"key":"mark"}},"value":48059000}},{"mangle""#,
            r#"{"ct":{"key":"mark"}},"value":0}},{"mangle""#,
        ),
        (
            r#","chain":"shop/dstnat","expr""#,
            r#","chain":"shop/dstnat-host","expr""#,
        ),
    ] {
        refused(vrf(), path, from, to, "packet-rule");
    }
}

#[test]
fn a_private_link_leads_to_its_machine_only() {
    let path = "links/web.host";
    for (from, to) in [
        ("route add 10.64.0.10/32", "route add 10.64.0.0/24"),
        ("route add 10.64.0.10/32", "route add default"),
        ("route add 10.64.0.10/32", "route add 10.64.0.11/32"),
        ("address add 10.64.0.1/32", "address add 10.64.0.1/24"),
        ("group 48059", "group 0"),
        ("group 48059", "master br-shop-legacy"),
        ("dev v-", "dev lo-"),
    ] {
        refused(private(), path, from, to, "link-command");
    }
    let path = "links/db.inside";
    for (from, to) in [
        ("via 10.64.0.1 ", "via 10.64.0.9 "),
        ("via fe80::1 ", "via fe80::2 "),
    ] {
        refused(private(), path, from, to, "link-command");
    }
}

#[test]
fn a_private_link_without_its_rules_is_refused() {
    let path = "nftables/ruleset.json";
    for (from, to) in [
        (
            r#""@shop/macs"}},{"counter":null},{"drop":null}"#,
            r#""@shop/macs"}},{"accept":null}"#,
        ),
        (
            r#"["v-shop-web",{"goto":{"target":"shop/antispoof"}}]"#,
            r#"["eno1",{"goto":{"target":"shop/antispoof"}}]"#,
        ),
        (
            r#""name":"shop/links","type":"ifname","elem":["v-shop-web""#,
            r#""name":"shop/links","type":"ifname","elem":["v-other""#,
        ),
    ] {
        refused(private(), path, from, to, "packet-rule");
    }
}

#[test]
fn shared_private_networks_are_shared_by_their_links() {
    let (mut tenant, allocation) = private();
    let network = tenant.networks[0].name.clone();
    let partner = |link: &str| Partner {
        tenant: name("blog"),
        network: network.clone(),
        links: [link.to_owned()].into(),
    };
    tenant.partners = vec![partner("v2-main-0")];
    let mut case = Case::with(&tenant, allocation);
    assert_eq!(case.findings(), []);
    // Rendered for another one.
    case.partners = vec![partner("v3-main-0")];
    assert_ne!(case.findings(), []);
}

#[test]
fn another_namespace_is_refused() {
    const UNIT: &str = "system/netns-tenant@shop.service.d/50-bitbuilder.conf";
    const WEB: &str = "system/systemd-nspawn@shop-web.service.d/50-bitbuilder.conf";
    const BOOT: &str = "boot";
    for (path, from, to, rule) in [
        (
            "namespace/host",
            "netns tenant-shop",
            "netns tenant-other",
            "link-command",
        ),
        ("namespace/host", "ns-shop-legacy", "eno1", "link-command"),
        (
            "namespace/host",
            "10.64.0.10/32",
            "10.64.0.0/12",
            "link-command",
        ),
        (
            "namespace/inside",
            "10.64.0.10/32",
            "10.64.9.9/32",
            "link-command",
        ),
        (
            "namespace/inside",
            "\n",
            "\nnetns exec tenant-shop sh\n",
            "link-command",
        ),
        (UNIT, "dev ns-shop-legacy", "dev eno1", "setting"),
        (UNIT, "ExecStopPost=-ip", "ExecStop=-ip", "setting"),
        (WEB, "Requires=netns-tenant@shop.service\n", "", "setting"),
        (WEB, "After=netns-tenant@shop.service\n", "", "setting"),
        (
            WEB,
            "Requires=netns-tenant@shop",
            "Requires=netns-tenant@other",
            "setting",
        ),
        (
            WEB,
            "/run/netns/tenant-shop",
            "/run/netns/tenant-other",
            "command",
        ),
        (
            WEB,
            "/run/netns/tenant-shop",
            "/run/netns/machine-shop-web",
            "command",
        ),
        (
            BOOT,
            "netns-tenant@shop.service\t",
            "netns-tenant@other.service\t",
            "boot-link",
        ),
    ] {
        refused(netns(), path, from, to, rule);
    }
}

#[test]
fn a_namespace_is_for_its_members() {
    let (tenant, mut allocation) = netns();
    let network = allocation.networks.values_mut().next().unwrap();
    let namespace = network.namespace.as_mut().unwrap();
    namespace.members.retain(|name| name.as_str() != "web");
    let findings = Case::with(&tenant, allocation).findings();
    assert!(
        findings.iter().any(|finding| finding.rule == "command"),
        "{findings:#?}"
    );
}
