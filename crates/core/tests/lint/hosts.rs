//! What tenants must not share.

use crate::fixtures::*;
use bitbuilder_core::allocate::{Allocations, TenantAllocation};
use bitbuilder_core::lint::host;
use bitbuilder_core::model::Protocol;

fn two() -> Allocations {
    let (shop, quick) = (shop(), quick());
    Allocations {
        format: 1,
        tenants: [
            (shop.id.clone(), allocation(&shop, 1)),
            (quick.id.clone(), allocation(&quick, 2)),
        ]
        .into(),
        counted: None,
    }
}

#[track_caller]
fn refused(rule: &str, text: &str, edit: impl FnOnce(&mut TenantAllocation, &TenantAllocation)) {
    let mut allocations = two();
    let other = allocations.tenants[&name("tenant-001")].clone();
    edit(allocations.tenants.get_mut(&name("shop")).unwrap(), &other);
    let findings = host(&allocations);
    assert!(
        findings
            .iter()
            .any(|f| f.rule == rule && f.message.contains(text)),
        "{findings:#?}"
    );
}

#[test]
fn tenants_apart_pass() {
    assert_eq!(host(&two()), []);
    assert_eq!(host(&Allocations::default()), []);
}

#[test]
fn whatever_is_shared_is_refused() {
    refused("shared", "number 2", |one, other| one.number = other.number);
    refused("uid-range", "share uids", |one, other| {
        one.uid_base = other.uid_base + 65_535;
    });
    refused("uid-range", "begin at 0", |one, _| one.uid_base = 0);
    refused("uid-range", "begin at", |one, _| {
        one.uid_base = u32::MAX - 10
    });
    refused("shared", "overlap", |one, other| {
        let network = one.networks.get_mut(&name("back")).unwrap();
        network.subnet = other.networks[&name("default")].subnet;
        network.subnet.prefix = 20;
    });
    refused("shared", "everybody's", |one, _| {
        let network = one.networks.get_mut(&name("back")).unwrap();
        network.subnet.address = [0, 0, 0, 0].into();
        network.subnet.prefix = 0;
    });
    refused("shared", "is no network", |one, _| {
        one.networks.get_mut(&name("back")).unwrap().subnet.prefix = 8;
    });
    refused("shared", "IPv6 network", |one, other| {
        let network = one.networks.get_mut(&name("back")).unwrap();
        network.ipv6 = other.networks[&name("default")].ipv6;
    });
    refused("shared", "link br-tenant-001", |one, other| {
        let network = one.networks.get_mut(&name("back")).unwrap();
        network.link = other.networks[&name("default")].link.clone();
    });
    refused("link-name", "no name of a link", |one, _| {
        one.networks.get_mut(&name("back")).unwrap().link = "br-sixteen-bytes".into();
    });
    refused("link-name", "no name of a link", |one, _| {
        one.networks.get_mut(&name("back")).unwrap().link = "a b".into();
    });
    refused("shared", "machine tenant-001-main", |one, _| {
        one.machines.get_mut(&name("web")).unwrap().machine = "tenant-001-main".into();
    });
    refused("shared", "MAC address", |one, other| {
        let other = &other.machines[&name("main")].interfaces[&name("default")];
        let machine = one.machines.get_mut(&name("web")).unwrap();
        machine.interfaces.get_mut(&name("back")).unwrap().mac = other.mac.clone();
    });
    let mut allocations = two();
    for tenant in allocations.tenants.values_mut() {
        tenant.ports.insert((Protocol::Tcp, 8080));
    }
    assert_eq!(
        host(&allocations)[0].message,
        "tenants shop and tenant-001 both have port tcp/8080"
    );
}
