//! Batches of ip(8), which run as the host's root: every line of known words.

use super::Lint;
use super::expected::{GROUP, Interface, Machine, gateway6};
use super::tunnel::{is_network, is_size};
use std::net::Ipv6Addr;

pub(super) fn check(lint: &mut Lint<'_>) {
    let expected = lint.expected;
    for (path, text) in lint.texts("links/") {
        let (workload, kind) = path["links/".len()..].split_once('.').unwrap_or_default();
        if let Some(machine) = expected.machine(workload) {
            batch(lint, path, text, machine, kind);
        }
    }
    for (path, text) in lint.texts("namespace/") {
        if let Some(machine) = &expected.namespace {
            batch(lint, path, text, machine, &path["namespace/".len()..]);
        }
    }
}

fn batch(lint: &mut Lint<'_>, path: &str, text: &str, machine: &Machine<'_>, kind: &str) {
    let known: fn(&Machine<'_>, &[&str]) -> bool = match kind {
        "host" => outer,
        "inside" => inner,
        // Handed to networkd in the container, which is the container's own business.
        _ => return,
    };
    for line in text.split_terminator('\n') {
        let words: Vec<&str> = line.split(' ').collect();
        if !known(machine, &words) {
            lint.refuse(
                path,
                "link-command",
                format!("`{line}` is not about the links of this workload"),
            );
        }
    }
}

fn outer(machine: &Machine<'_>, words: &[&str]) -> bool {
    // The size of packets may be said of both ends.
    let mut plain = words.to_vec();
    while let Some(at) = plain.iter().position(|word| *word == "mtu") {
        let size = plain.get(at + 1).is_some_and(|size| is_size(size));
        if !size {
            return false;
        }
        plain.drain(at..at + 2);
    }
    let (link, rest) = match plain.as_slice() {
        ["#", link, address] => {
            let own = machine.interface(link).map(|own| own.allocated.address);
            return own.is_some_and(|own| own.to_string() == *address);
        }
        ["tuntap", "add", "dev", link, "mode", "tap"] | ["link", "set", "dev", link] => {
            return machine.interface(link).is_some();
        }
        [
            "link",
            "add",
            "name",
            link,
            "type",
            "veth",
            "peer",
            "name",
            rest @ ..,
        ] => (*link, rest),
        [
            "link",
            "set",
            "dev",
            link,
            "addrgenmode",
            "none",
            "master",
            bridge,
            "up",
        ] => {
            let own = machine.interface(link).map(|own| own.network);
            return own.is_some_and(|own| !own.private && own.link == *bridge);
        }
        _ => return routed(machine, words),
    };
    let Some(own) = machine.interface(link) else {
        return false;
    };
    match rest {
        [peer, "address", mac] => *peer == own.peer && *mac == own.allocated.mac,
        [name, "address", mac, "netns", namespace] => {
            is_inner(name) && *mac == own.allocated.mac && *namespace == machine.namespace
        }
        _ => false,
    }
}

/// A link without a bridge: its one machine behind it, the host's own addresses on it.
fn routed(machine: &Machine<'_>, words: &[&str]) -> bool {
    let own = |link: &str| machine.interface(link).filter(|own| own.network.private);
    let group = GROUP.to_string();
    match words {
        [
            "link",
            "set",
            "dev",
            link,
            "addrgenmode",
            "none",
            "group",
            number,
            "up",
        ] => own(link).is_some() && *number == group,
        ["address", "add", address, "dev", link] => own(link).is_some_and(|own| {
            let gateway = own.network.gateway().map(|gateway| format!("{gateway}/32"));
            gateway.as_deref() == Some(*address)
        }),
        ["address", "add", "fe80::1/64", "dev", link, "nodad"] => own(link).is_some(),
        ["route", "add", to, "dev", link] => own(link).is_some_and(|own| is_alone(own, to)),
        _ => false,
    }
}

/// Whether `address` is that of the machine, and of nobody else.
fn is_alone(own: &Interface<'_>, address: &str) -> bool {
    let ipv6 = own.network.ipv6.and_then(|_| own.ipv6().last().copied());
    address == format!("{}/32", own.allocated.address)
        || ipv6.is_some_and(|own| address == format!("{own}/128"))
}

fn inner(machine: &Machine<'_>, words: &[&str]) -> bool {
    match words {
        ["link", "set", "dev", "lo", "up"] => true,
        ["link", "set", "dev", name, "up"] => is_inner(name),
        ["address", "add", address, "dev", name] => {
            is_inner(name) && machine.interfaces.iter().any(|own| is_ipv4(own, address))
        }
        ["address", "add", address, "dev", name, "nodad"] if address.ends_with("/128") => {
            let mut private = machine.interfaces.iter().filter(|own| own.network.private);
            is_inner(name) && private.any(|own| is_alone(own, address))
        }
        ["address", "add", address, "dev", name, "nodad"] => {
            let address = address.strip_suffix("/64").map(str::parse::<Ipv6Addr>);
            let Some(Ok(address)) = address else {
                return false;
            };
            is_inner(name)
                && machine
                    .interfaces
                    .iter()
                    .any(|own| own.ipv6().contains(&address))
        }
        ["route", "add", network, "via", gateway, "dev", name] if *gateway != "fe80::1" => {
            is_inner(name)
                && (*network == "default" || is_network(network))
                && machine
                    .interfaces
                    .iter()
                    .any(|own| is_gateway(own, gateway))
        }
        ["route", "add", to, "via", router, "dev", name] => {
            is_inner(name) && is_behind(machine, to, router)
        }
        ["route", "add", to, "via", router, "dev", name, "onlink"] => {
            is_inner(name) && is_behind(machine, to, router)
        }
        _ => false,
    }
}

/// Whether `to` is reached by the host, where each machine is alone on its link.
fn is_behind(machine: &Machine<'_>, to: &str, router: &str) -> bool {
    let mut private = machine.interfaces.iter().filter(|own| own.network.private);
    private.any(|own| {
        let network = own.network;
        let gateway = network.gateway().map(|gateway| gateway.to_string());
        let ipv6 = network.ipv6.map(|prefix| format!("{prefix}/64"));
        let known = to == "default" || to == network.subnet.to_string();
        match router {
            "fe80::1" => to == "default" || ipv6.as_deref() == Some(to),
            _ => known && gateway.as_deref() == Some(router),
        }
    })
}

/// `host0`.
fn is_inner(name: &str) -> bool {
    let number = name.strip_prefix("host").map(str::parse::<u8>);
    number.is_some_and(|number| number.is_ok())
}

fn is_ipv4(own: &Interface<'_>, address: &str) -> bool {
    let prefix = if own.network.private {
        32
    } else {
        own.network.subnet.prefix
    };
    address == format!("{}/{prefix}", own.allocated.address)
}

fn is_gateway(own: &Interface<'_>, address: &str) -> bool {
    let router = own
        .network
        .foreign_router()
        .or_else(|| own.network.gateway());
    let ipv4 = router.map(|router| router.to_string());
    let ipv6 = own.network.ipv6.map(|prefix| gateway6(prefix).to_string());
    ipv4.as_deref() == Some(address) || ipv6.as_deref() == Some(address)
}
