//! Names of links and machines: readable when they fit and are free, else a prefix and a hash.

use crate::digest::sha256_parts;
use crate::model::Name;

/// Longest name of a network interface: IFNAMSIZ less its NUL.
pub(crate) const LINK_MAX: usize = 15;
/// Longest name of a machine, as of a host name: HOST_NAME_MAX less one.
pub(crate) const MACHINE_MAX: usize = 63;

const LINK_HASH: usize = 5;
const MACHINE_HASH: usize = 8;

/// The bridge of `network`: the wanted name, `br-<tenant>` for the default network and
/// `br-<tenant>-<network>` for others, or a prefix and a hash; the first that fits and is free.
pub(super) fn bridge(
    tenant: &Name,
    network: &Name,
    wanted: Option<&str>,
    free: impl Fn(&str) -> bool,
) -> String {
    wanted
        .filter(|name| is_bridge(name) && free(name))
        .map_or_else(|| device("br", tenant, network, &free), str::to_owned)
}

/// A link of `network` of the kind that `prefix` says.
pub(super) fn device(
    prefix: &str,
    tenant: &Name,
    network: &Name,
    free: impl Fn(&str) -> bool,
) -> String {
    let plain = if network.as_str() == "default" {
        format!("{prefix}-{tenant}")
    } else {
        format!("{prefix}-{tenant}-{network}")
    };
    if plain.len() <= LINK_MAX && free(&plain) {
        return plain;
    }
    // The name of the kind is part of allocations that are kept.
    let kind = if prefix == "br" { "bridge" } else { prefix };
    let parts = [kind, tenant.as_str(), network.as_str()];
    hashed(&plain, LINK_MAX, LINK_HASH, &parts, free)
}

/// The host end of the link of `machine` in `network`; `first` tells whether it is its first link.
pub(super) fn link(
    tenant: &Name,
    workload: &Name,
    network: &Name,
    first: bool,
    free: impl Fn(&str) -> bool,
) -> String {
    let plain = if first {
        format!("v-{tenant}-{workload}")
    } else {
        format!("v-{tenant}-{workload}-{network}")
    };
    if plain.len() <= LINK_MAX && free(&plain) {
        return plain;
    }
    let parts = ["link", tenant.as_str(), workload.as_str(), network.as_str()];
    hashed(&plain, LINK_MAX, LINK_HASH, &parts, free)
}

/// The machine of `workload`.
pub(super) fn machine(tenant: &Name, workload: &Name, free: impl Fn(&str) -> bool) -> String {
    let plain = format!("{tenant}-{workload}");
    if plain.len() <= MACHINE_MAX && free(&plain) {
        return plain;
    }
    let parts = ["machine", tenant.as_str(), workload.as_str()];
    hashed(&plain, MACHINE_MAX, MACHINE_HASH, &parts, free)
}

/// A locally administered unicast MAC address.
pub(super) fn mac(
    tenant: &Name,
    workload: &Name,
    network: &Name,
    free: impl Fn(&str) -> bool,
) -> String {
    let parts = ["mac", tenant.as_str(), workload.as_str(), network.as_str()];
    let mut candidate = String::new();
    for digest in digests(&parts) {
        // The two low bits of the first octet: locally administered, not a group.
        let nibble = match digest.as_bytes().get(1) {
            Some(b'0'..=b'3') => '2',
            Some(b'4'..=b'7') => '6',
            Some(b'8' | b'9' | b'a' | b'b') => 'a',
            _ => 'e',
        };
        candidate = format!(
            "{}{nibble}:{}:{}:{}:{}:{}",
            &digest[0..1],
            &digest[2..4],
            &digest[4..6],
            &digest[6..8],
            &digest[8..10],
            &digest[10..12]
        );
        if free(&candidate) {
            break;
        }
    }
    candidate
}

/// Whether `name` may be the name of a tenant's bridge: `br-[a-z0-9-]{1,12}`.
pub(crate) fn is_bridge(name: &str) -> bool {
    name.strip_prefix("br-").is_some_and(|rest| {
        (1..=LINK_MAX - 3).contains(&rest.len())
            && rest
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    })
}

fn hashed(
    plain: &str,
    max: usize,
    length: usize,
    parts: &[&str],
    free: impl Fn(&str) -> bool,
) -> String {
    let prefix: String = plain.chars().take(max - length - 1).collect();
    let prefix = prefix.trim_end_matches('-');
    let mut candidate = String::new();
    for digest in digests(parts) {
        candidate = format!("{prefix}-{}", &digest[..length]);
        if free(&candidate) {
            break;
        }
    }
    candidate
}

/// Digests over `parts` and a counter: the first is nearly always free, so the sequence ends early.
fn digests(parts: &[&str]) -> impl Iterator<Item = String> {
    (0_u32..).map(move |attempt| {
        let attempt = attempt.to_le_bytes();
        sha256_parts(
            parts
                .iter()
                .map(|part| part.as_bytes())
                .chain([attempt.as_slice()]),
        )
    })
}
