//! How a container's interfaces come to be: batches for ip(8) that its unit runs before each start.
//!
//! Booted containers get their inner ends by nspawn and ask the bridge's DHCP server. Commands bring no client, so
//! they enter a network namespace that is configured already, and over which they have no rights.

use super::names::{self, TENANT_LINK_GROUP};
use super::scene::{Bridge, Placed, Port, Scene};
use super::set::{Set, Source};
use crate::model::Init;
use crate::unitfile::UnitFile;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The host's address on every link that has only one machine.
const ROUTER6: &str = "fe80::1";

/// Batch that makes the links, from the host.
pub(super) fn host_batch(workload: &Placed<'_>) -> String {
    format!("links/{}.host", workload.desired.name)
}

/// Batch that configures the namespace of a command.
pub(super) fn inside_batch(workload: &Placed<'_>) -> String {
    format!("links/{}.inside", workload.desired.name)
}

/// Interfaces of a booted container that its own `80-container-host0.network` does not set up: index and file.
pub(super) fn configured<'s>(
    scene: &'s Scene<'_>,
    workload: &'s Placed<'_>,
) -> impl Iterator<Item = (&'s Port<'s>, String)> {
    workload
        .ports
        .iter()
        .enumerate()
        .filter_map(move |(index, port)| {
            let stock = index == 0 && scene.bridges[port.bridge].has_dhcp();
            let path = format!("links/{}.{}.network", workload.desired.name, port.name);
            (!stock).then_some((port, path))
        })
}

/// What the DHCP server gives a booted container, by the host's end of each link. A command has no client, and a machine
/// does not notice what becomes of its tap.
pub(super) fn leases(scene: &Scene<'_>, workload: &Placed<'_>) -> BTreeMap<String, String> {
    if workload.desired.init != Init::Boot || workload.desired.machine().is_some() {
        return BTreeMap::new();
    }
    let lease = |port: &Port<'_>| {
        let bridge = &scene.bridges[port.bridge];
        let prefix = bridge.allocated.subnet.prefix;
        let lease = format!("{}/{prefix} by {}", port.address, bridge.router());
        bridge.has_dhcp().then(|| (port.link.to_owned(), lease))
    };
    workload.ports.iter().filter_map(lease).collect()
}

pub(super) fn render(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    if workload.ports.is_empty() {
        return;
    }
    if workload.shares {
        return shared(scene, workload, set);
    }
    let source = Source::restart(&workload.desired.origin, &workload.unit);
    if workload.desired.machine().is_some() {
        let taps = taps(scene, workload);
        set.add(host_batch(workload), taps.into_bytes(), 0o644, source);
        return;
    }
    match workload.desired.init {
        Init::Boot => {
            set.add(
                host_batch(workload),
                boot(scene, workload).into_bytes(),
                0o644,
                source,
            );
            for (port, path) in configured(scene, workload) {
                let file = inner(&scene.bridges[port.bridge], port, set, workload);
                set.add_unit_file(path, &file, source);
            }
        }
        Init::Command(_) => {
            let outer = into_namespace(
                scene,
                &workload.ports,
                &names::own_namespace(workload.machine),
            );
            set.add(host_batch(workload), outer.into_bytes(), 0o644, source);
            let inner = inside(scene, &workload.ports);
            set.add(inside_batch(workload), inner.into_bytes(), 0o644, source);
        }
    }
}

fn boot(scene: &Scene<'_>, workload: &Placed<'_>) -> String {
    workload
        .ports
        .iter()
        .fold(String::new(), |mut batch, port| {
            // Writing to a String cannot fail.
            let mtu = mtu(scene, port);
            let _ = writeln!(
                batch,
                "link add name {}{mtu} type veth peer name {} address {}{mtu}",
                port.link, port.peer, port.mac
            );
            attach(&mut batch, scene, port);
            batch
        })
}

/// QEMU opens them by their names. What the machine is leased is said, because it asks again only when it is restarted.
fn taps(scene: &Scene<'_>, workload: &Placed<'_>) -> String {
    let ports = workload.ports.iter();
    ports.fold(String::new(), |mut batch, port| {
        let _ = writeln!(batch, "# {} {}", port.link, port.address);
        let _ = writeln!(batch, "tuntap add dev {} mode tap", port.link);
        let mtu = mtu(scene, port);
        if !mtu.is_empty() {
            let _ = writeln!(batch, "link set dev {}{mtu}", port.link);
        }
        attach(&mut batch, scene, port);
        batch
    })
}

/// Nothing in the container sets up an interface that is not its own.
fn shared(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    if workload.desired.init != Init::Boot {
        return;
    }
    let source = Source::restart(&workload.desired.origin, &workload.unit);
    for (port, path) in configured(scene, workload) {
        let mut file = set.unit_file(&workload.desired.origin, "Match");
        file.verbatim("Name", &port.name)
            .section("Link")
            .verbatim("Unmanaged", "yes");
        set.add_unit_file(path, &file, source);
    }
}

/// Batch that makes links whose inner ends are in a namespace that is there already.
pub(super) fn into_namespace(scene: &Scene<'_>, ports: &[Port<'_>], namespace: &str) -> String {
    ports.iter().fold(String::new(), |mut batch, port| {
        let mtu = mtu(scene, port);
        let _ = writeln!(
            batch,
            "link add name {}{mtu} type veth peer name {} address {}{mtu} netns {}",
            port.link, port.name, port.mac, namespace
        );
        attach(&mut batch, scene, port);
        batch
    })
}

/// The host's end of a link of its own: the same router on each of them, and a route to the one machine behind it.
fn route(batch: &mut String, bridge: &Bridge<'_>, port: &Port<'_>) {
    let link = port.link;
    let _ = writeln!(
        batch,
        "link set dev {link} addrgenmode none group {TENANT_LINK_GROUP} up"
    );
    let _ = writeln!(batch, "address add {}/32 dev {link}", bridge.gateway);
    let _ = writeln!(batch, "route add {}/32 dev {link}", port.address);
    if let Some(address) = port.ipv6 {
        let _ = writeln!(batch, "address add {ROUTER6}/64 dev {link} nodad");
        let _ = writeln!(batch, "route add {address}/128 dev {link}");
    }
}

/// The machine's end: everybody else is behind the router.
fn alone(batch: &mut String, bridge: &Bridge<'_>, port: &Port<'_>, first: bool) {
    let name = &port.name;
    let _ = writeln!(batch, "address add {}/32 dev {name}", port.address);
    if let Some(address) = port.ipv6 {
        let _ = writeln!(batch, "address add {address}/128 dev {name} nodad");
    }
    let _ = writeln!(batch, "link set dev {name} up");
    let (to, to6) = destinations(bridge, first);
    let _ = writeln!(
        batch,
        "route add {to} via {} dev {name} onlink",
        bridge.gateway
    );
    if let Some(to6) = to6 {
        let _ = writeln!(batch, "route add {to6} via {ROUTER6} dev {name}");
    }
}

/// What is reached by an interface: everything by the first, its own network by others.
fn destinations(bridge: &Bridge<'_>, first: bool) -> (String, Option<String>) {
    let ipv6 = bridge.allocated.ipv6;
    if first {
        return ("default".to_owned(), ipv6.map(|_| "default".to_owned()));
    }
    let ipv6 = ipv6.map(|prefix| format!("{prefix}/64"));
    (bridge.allocated.subnet.to_string(), ipv6)
}

/// Both ends carry what the network carries.
fn mtu(scene: &Scene<'_>, port: &Port<'_>) -> String {
    let mtu = scene.bridges[port.bridge].mtu();
    mtu.map_or_else(String::new, |mtu| format!(" mtu {mtu}"))
}

/// The host end has no address of its own, not even a link-local one.
fn attach(batch: &mut String, scene: &Scene<'_>, port: &Port<'_>) {
    let bridge = &scene.bridges[port.bridge];
    if bridge.allocated.private {
        return route(batch, bridge, port);
    }
    let _ = writeln!(
        batch,
        "link set dev {} addrgenmode none master {} up",
        port.link, scene.bridges[port.bridge].allocated.link
    );
}

/// Batch that configures the inner ends.
pub(super) fn inside(scene: &Scene<'_>, ports: &[Port<'_>]) -> String {
    let mut batch = String::from("link set dev lo up\n");
    for (index, port) in ports.iter().enumerate() {
        let bridge = &scene.bridges[port.bridge];
        if bridge.allocated.private {
            alone(&mut batch, bridge, port, index == 0);
            continue;
        }
        let _ = writeln!(
            batch,
            "address add {}/{} dev {}",
            port.address, bridge.allocated.subnet.prefix, port.name
        );
        if let Some(address) = port.ipv6 {
            // No duplicates can be there: packet rules let nobody else use it.
            let _ = writeln!(batch, "address add {address}/64 dev {} nodad", port.name);
        }
        let _ = writeln!(batch, "link set dev {} up", port.name);
        if index == 0 {
            let _ = writeln!(
                batch,
                "route add default via {} dev {}",
                bridge.router(),
                port.name
            );
            if let Some(gateway) = bridge.router6() {
                let _ = writeln!(batch, "route add default via {gateway} dev {}", port.name);
            }
        } else {
            for (network, gateway) in beyond(bridge) {
                let _ = writeln!(batch, "route add {network} via {gateway} dev {}", port.name);
            }
        }
    }
    batch
}

/// What is behind the peers of a network that is not a workload's first one, and the way there.
fn beyond<'s>(bridge: &'s Bridge<'_>) -> impl Iterator<Item = (&'s str, IpAddr)> {
    bridge.behind().filter_map(|network| {
        let gateway = match network.contains(':') {
            true => bridge.gateway6()?.into(),
            false => bridge.gateway.into(),
        };
        Some((network, gateway))
    })
}

/// Configuration for networkd in the container, mounted where it looks.
fn inner(bridge: &Bridge<'_>, port: &Port<'_>, set: &Set, workload: &Placed<'_>) -> UnitFile {
    let mut file = set.unit_file(&workload.desired.origin, "Match");
    file.verbatim("Name", &port.name).section("Network");
    if bridge.allocated.private {
        inner_alone(bridge, port, &mut file);
    } else if bridge.network.dhcp {
        file.verbatim("DHCP", "ipv4")
            .section("DHCPv4")
            .verbatim("UseGateway", "no");
        if port.ipv6.is_some() {
            file.section("IPv6AcceptRA").verbatim("UseGateway", "no");
        }
    } else {
        inner_fixed(bridge, port, &mut file);
    }
    if port.name != "host0" {
        for (network, gateway) in beyond(bridge) {
            file.section("Route")
                .verbatim("Destination", network)
                .verbatim("Gateway", gateway);
        }
    }
    file
}

/// Where the host tells nobody an address.
fn inner_fixed(bridge: &Bridge<'_>, port: &Port<'_>, file: &mut UnitFile) {
    let first = port.name == "host0";
    let prefix = bridge.allocated.subnet.prefix;
    file.verbatim("Address", format!("{}/{prefix}", port.address));
    if first {
        file.verbatim("Gateway", bridge.router());
    }
    let Some(address) = port.ipv6 else {
        return;
    };
    file.verbatim("Address", format!("{address}/64"));
    // A router that is not the host tells of itself.
    if let Some(router) = bridge.router6() {
        if first {
            file.verbatim("Gateway", router);
        }
        file.verbatim("IPv6AcceptRA", "no");
    }
}

/// Of a link that has only this machine and the host.
fn inner_alone(bridge: &Bridge<'_>, port: &Port<'_>, file: &mut UnitFile) {
    let first = port.name == "host0";
    let (to, to6) = destinations(bridge, first);
    let mut addresses = vec![format!("{}/32", port.address)];
    addresses.extend(port.ipv6.map(|address| format!("{address}/128")));
    for address in addresses {
        file.verbatim("Address", address);
    }
    file.verbatim("IPv6AcceptRA", "no");
    let router = bridge.gateway.to_string();
    let routes = [Some((to, router)), to6.map(|to| (to, ROUTER6.to_owned()))];
    for (to, router) in routes.into_iter().flatten() {
        file.section("Route");
        if !first {
            file.verbatim("Destination", to);
        }
        file.verbatim("Gateway", router)
            .verbatim("GatewayOnLink", "yes");
    }
}
