//! Random histories of a host keep the invariants.

use crate::allocate::{Allocations, TenantAllocation, allocate, count, expire, release};
use crate::desired::DesiredTenant;
use crate::model::{Auto, Millis, Name, Subnet4};
use crate::sample::{attachment, name, network, pools, tenant};
use proptest::prelude::*;
use std::collections::HashSet;
use std::net::Ipv4Addr;

/// Ids and workloads whose joins meet: `a-b`+`c` and `a`+`b-c`.
const IDS: [&str; 6] = [
    "a",
    "a-b",
    "a-b-c",
    "b",
    "a-very-long-tenant-name",
    "a-very-long-tenant-nam2",
];
const WORKLOADS: [&str; 5] = ["c", "b-c", "b", "main", "a-very-long-workload-name"];
const RETENTION: Millis = Millis(10_000);

#[derive(Debug, Clone)]
enum Event {
    Change(Box<DesiredTenant>),
    Remove(Name),
    Wait(u64),
}

fn wish() -> impl Strategy<Value = DesiredTenant> {
    (
        0..IDS.len(),
        proptest::sample::subsequence(WORKLOADS.to_vec(), 0..=WORKLOADS.len()),
        any::<bool>(),
        proptest::option::of((0_u8..4, 24_u8..28)),
        proptest::option::of(2_u8..40),
    )
        .prop_map(|(id, workloads, back, subnet, address)| {
            let mut wish = tenant(IDS[id], &workloads);
            wish.networks[0].ipv6 = Some(Auto::Auto);
            wish.networks[0].bridge = Some("br-a".into());
            if let Some((third, prefix)) = subnet {
                let address = Ipv4Addr::new(10, 64, third, 0);
                wish.networks[0].subnet = Auto::Value(Subnet4::containing(address, prefix));
                let written = address_in(address, back.then_some(7));
                if let Some(first) = wish.workloads.first_mut() {
                    first.attachments[0].address = written;
                }
            }
            if let (Some(last), Some(first)) = (address, wish.workloads.first_mut()) {
                first.attachments[0].address = Some(Ipv4Addr::new(10, 64, 0, last));
            }
            if back {
                wish.networks.push(network("back"));
                for workload in &mut wish.workloads {
                    workload.attachments.push(attachment("back"));
                }
            }
            wish
        })
}

fn address_in(network: Ipv4Addr, host: Option<u32>) -> Option<Ipv4Addr> {
    host.map(|host| Ipv4Addr::from(u32::from(network) + host))
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => wish().prop_map(|wish| Event::Change(Box::new(wish))),
        2 => (0..IDS.len()).prop_map(|id| Event::Remove(name(IDS[id]))),
        1 => (0_u64..15).prop_map(Event::Wait),
    ]
}

fn disjoint<T: std::hash::Hash + Eq + std::fmt::Debug>(what: &str, values: Vec<T>) {
    let mut seen = HashSet::new();
    for value in values {
        let text = format!("{value:?}");
        assert!(seen.insert(value), "{what} {text} was given twice");
    }
}

fn every<T>(host: &Allocations, of: impl Fn(&TenantAllocation) -> Vec<T>) -> Vec<T> {
    host.tenants.values().flat_map(of).collect()
}

fn check(host: &Allocations) {
    disjoint("number", every(host, |tenant| vec![tenant.number]));
    disjoint("uid base", every(host, |tenant| vec![tenant.uid_base]));
    let links = every(host, |tenant| {
        let interfaces = tenant.machines.values().flat_map(|m| m.interfaces.values());
        let networks = tenant.networks.values().map(|network| network.link.clone());
        networks.chain(interfaces.map(|i| i.link.clone())).collect()
    });
    assert!(links.iter().all(|link| link.len() <= 15), "{links:?}");
    disjoint("link", links);
    disjoint(
        "machine",
        every(host, |tenant| {
            tenant
                .machines
                .values()
                .map(|m| m.machine.clone())
                .collect()
        }),
    );
    disjoint(
        "MAC",
        every(host, |tenant| {
            let interfaces = tenant.machines.values().flat_map(|m| m.interfaces.values());
            interfaces.map(|i| i.mac.clone()).collect()
        }),
    );
    disjoint(
        "IPv6 network",
        every(host, |tenant| {
            tenant.networks.values().filter_map(|n| n.ipv6).collect()
        }),
    );
    let subnets = every(host, |tenant| {
        tenant.networks.values().map(|n| n.subnet).collect()
    });
    for (index, one) in subnets.iter().enumerate() {
        for other in &subnets[index + 1..] {
            assert!(!one.overlaps(other), "{one} and {other}");
        }
    }
}

/// What the last wish of a tenant must find in its allocation.
fn check_wish(wish: &DesiredTenant, allocation: &TenantAllocation) {
    let mut addresses = Vec::new();
    for workload in &wish.workloads {
        let machine = &allocation.machines[&workload.name];
        for attachment in &workload.attachments {
            let network = &allocation.networks[&attachment.network];
            let interface = &machine.interfaces[&attachment.network];
            assert!(network.subnet.contains(interface.address));
            assert_ne!(Some(interface.address), network.gateway());
            if let Some(written) = attachment.address {
                assert_eq!(written, interface.address);
            }
            addresses.push(interface.address);
        }
    }
    disjoint("address", addresses);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn histories_keep_the_invariants(events in proptest::collection::vec(event(), 1..40)) {
        let mut host = Allocations::default();
        let mut now = 1_000;
        for event in events {
            let mut before = host.clone();
            let changed = match event {
                Event::Change(wish) => {
                    // A refusal changes nothing; an acceptance is stable.
                    if let Ok(next) = allocate(&host, &wish, &pools()) {
                        prop_assert_eq!(&allocate(&next, &wish, &pools()).unwrap(), &next);
                        check_wish(&wish, &next.tenants[&wish.id]);
                        host = next;
                    }
                    Some(wish.id.clone())
                }
                Event::Remove(id) => {
                    release(&mut host, &id, now);
                    Some(id)
                }
                Event::Wait(seconds) => {
                    now += seconds;
                    count(&mut host, seconds);
                    count(&mut before, seconds);
                    for gone in expire(&mut host, RETENTION) {
                        prop_assert!(before.tenants[&gone].released.unwrap() + 10 <= now);
                    }
                    None
                }
            };
            check(&host);
            for (id, kept) in &host.tenants {
                if Some(id) != changed.as_ref() {
                    prop_assert_eq!(Some(kept), before.tenants.get(id));
                } else if let Some(old) = before.tenants.get(id) {
                    prop_assert_eq!((kept.number, kept.uid_base), (old.number, old.uid_base));
                    for (workload, machine) in &old.machines {
                        prop_assert_eq!(&kept.machines[workload].machine, &machine.machine);
                    }
                }
            }
        }
    }
}
