//! Batches of ip(8), which run as the host's root: every line of known words.

use super::Lint;
use super::expected::{Interface, Machine, gateway6};
use std::net::Ipv6Addr;

pub(super) fn check(lint: &mut Lint<'_>) {
    for (path, text) in lint.texts("links/") {
        let (workload, kind) = path["links/".len()..].split_once('.').unwrap_or_default();
        let Some(machine) = lint.expected.machine(workload) else {
            continue;
        };
        let known: fn(&Machine<'_>, &[&str]) -> bool = match kind {
            "host" => outer,
            "inside" => inner,
            // Handed to networkd in the container, which is the container's own business.
            _ => continue,
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
}

fn outer(machine: &Machine<'_>, words: &[&str]) -> bool {
    let (link, rest) = match words {
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
            return machine
                .interface(link)
                .is_some_and(|own| own.network.link == *bridge);
        }
        _ => return false,
    };
    let Some(own) = machine.interface(link) else {
        return false;
    };
    match rest {
        [peer, "address", mac] => *peer == own.peer && *mac == own.allocated.mac,
        [name, "address", mac, "netns", namespace] => {
            is_inner(name) && *mac == own.allocated.mac && *namespace == machine.name
        }
        _ => false,
    }
}

fn inner(machine: &Machine<'_>, words: &[&str]) -> bool {
    match words {
        ["link", "set", "dev", "lo", "up"] => true,
        ["link", "set", "dev", name, "up"] => is_inner(name),
        ["address", "add", address, "dev", name] => {
            is_inner(name) && machine.interfaces.iter().any(|own| is_ipv4(own, address))
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
        ["route", "add", "default", "via", gateway, "dev", name] => {
            is_inner(name)
                && machine
                    .interfaces
                    .iter()
                    .any(|own| is_gateway(own, gateway))
        }
        _ => false,
    }
}

/// `host0`.
fn is_inner(name: &str) -> bool {
    let number = name.strip_prefix("host").map(str::parse::<u8>);
    number.is_some_and(|number| number.is_ok())
}

fn is_ipv4(own: &Interface<'_>, address: &str) -> bool {
    let prefix = own.network.subnet.prefix;
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
