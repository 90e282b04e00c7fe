//! Name tables, hosts(5): a workload finds those with which it shares a network, and nobody else.
//!
//! `hosts/<workload>` of the generation is copied over `/var/lib/tenants/<id>/hosts/<workload>` in place, because
//! that file is mounted into the container.

use super::scene::{Placed, Scene};
use super::set::{Set, Source};
use crate::model::Name;
use std::fmt::Write as _;
use std::net::IpAddr;

pub(super) fn render(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    set.directory("hosts".into(), 0, 0o755);
    let mut text =
        String::from("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
    if workload.ports.is_empty() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "127.0.1.1\t{}", workload.desired.name);
    }
    for port in &workload.ports {
        let bridge = &scene.bridges[port.bridge];
        let own = &workload.desired.name;
        for (name, addresses) in neighbours(scene, port.network) {
            if *name == *own || bridge.network.dns {
                for address in addresses {
                    let _ = writeln!(text, "{address}\t{name}.{} {name}", port.network);
                }
            }
        }
    }
    let path = format!("hosts/{}", workload.desired.name);
    set.add(
        path,
        text.into_bytes(),
        0o644,
        Source::live(&workload.desired.origin),
    );
}

fn neighbours<'s>(
    scene: &'s Scene<'_>,
    network: &'s Name,
) -> impl Iterator<Item = (&'s Name, Vec<IpAddr>)> {
    scene.workloads.iter().flat_map(move |other| {
        other
            .ports
            .iter()
            .filter(move |port| port.network == network)
            .map(move |port| {
                let addresses = [Some(IpAddr::V4(port.address)), port.ipv6.map(IpAddr::V6)];
                (
                    &other.desired.name,
                    addresses.into_iter().flatten().collect(),
                )
            })
    })
}
