//! Links and subnets of a tenant's networks.

use super::taken::{Taken, upper_half};
use super::{NetworkAllocation, TenantAllocation, Uplink, names, namespace, tunnel, uplink};
use crate::desired::DesiredTenant;
use crate::finding::Finding;
use crate::model::{Auto, Name, Network, NetworkMode, Pools, Subnet4};
use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Prefix length of a subnet that the host chooses.
const PREFIX: u8 = 24;
/// Longest prefix of a written subnet: six hosts, one of them the host itself.
const SMALLEST: u8 = 29;

/// Gives every network of `tenant` what it lacks, written wishes first so that a chosen subnet never
/// takes one that another network asks for.
pub(super) fn assign(
    allocation: &mut TenantAllocation,
    tenant: &DesiredTenant,
    pools: &Pools,
    taken: &Taken<'_>,
    findings: &mut Vec<Finding>,
) {
    drop_unused_in_the_way(allocation, tenant);
    free_uplinks(allocation, tenant);
    let (written, chosen): (Vec<_>, Vec<_>) = tenant
        .networks
        .iter()
        .partition(|network| matches!(network.subnet, Auto::Value(_)));
    for network in written.into_iter().chain(chosen) {
        match network_allocation(allocation, tenant, network, pools, taken) {
            Ok(made) => {
                allocation.networks.insert(network.name.clone(), made);
            }
            Err(finding) => findings.push(*finding),
        }
    }
}

/// A network that is no longer declared keeps its subnet for its return, unless one that is declared
/// asks for that very subnet.
fn drop_unused_in_the_way(allocation: &mut TenantAllocation, tenant: &DesiredTenant) {
    allocation.networks.retain(|name, kept| {
        tenant.networks.iter().any(|network| network.name == *name)
            || !tenant.networks.iter().any(|network| match network.subnet {
                Auto::Value(subnet) => subnet.overlaps(&kept.subnet),
                Auto::Auto => false,
            })
    });
}

/// What a network that is no longer declared had of a trunk is free for others. Its tunnel is not: peers know its port.
fn free_uplinks(allocation: &mut TenantAllocation, tenant: &DesiredTenant) {
    for (name, kept) in &mut allocation.networks {
        let of_trunk = matches!(kept.uplink, Some(Uplink::Vlan { .. }));
        if of_trunk && !tenant.networks.iter().any(|network| network.name == *name) {
            kept.uplink = None;
        }
    }
}

fn network_allocation(
    allocation: &TenantAllocation,
    tenant: &DesiredTenant,
    network: &Network,
    pools: &Pools,
    taken: &Taken<'_>,
) -> Result<NetworkAllocation, Box<Finding>> {
    let own = allocation.networks.get(&network.name);
    let others = OwnOthers::of(allocation, &network.name);
    // One that leaves its routing domain cannot take addresses with it that another domain has too.
    let alone = |own: &&NetworkAllocation| {
        let theirs = &taken.apart;
        let shared = theirs.0.iter().any(|subnet| subnet.overlaps(&own.subnet));
        let shared6 = own
            .ipv6
            .is_some_and(|ipv6| theirs.1.contains(&upper_half(ipv6)));
        is_apart(network) || !(shared || shared6)
    };
    let kept = own.filter(alone);
    let subnet = match (network.subnet, kept) {
        (Auto::Value(wanted), _) => written_subnet(network, wanted, pools, taken, &others)?,
        (Auto::Auto, Some(own)) => own.subnet,
        (Auto::Auto, None) => free_subnet(pools, taken, &others)
            .ok_or_else(|| exhausted(network, "IPv4 subnet", "ipv4"))?,
    };
    let kept = kept.and_then(|own| own.ipv6);
    let ipv6 = match (network.ipv6, kept) {
        (None, _) => None,
        (Some(Auto::Value(wanted)), _) => {
            Some(written_ipv6(network, wanted, pools, taken, &others)?)
        }
        (Some(Auto::Auto), Some(kept)) => Some(kept),
        (Some(Auto::Auto), None) => Some(
            free_ipv6(pools, taken, &others)
                .ok_or_else(|| exhausted(network, "IPv6 subnet", "ipv6"))?,
        ),
    };
    tunnel::behind(network, subnet, ipv6)?;
    tunnel::reachable(network, subnet, ipv6)?;
    let link = own.map_or_else(
        || {
            let free = |name: &str| !taken.links.contains(name) && !others.links.contains(name);
            names::bridge(&tenant.id, &network.name, network.bridge.as_deref(), free)
        },
        |own| own.link.clone(),
    );
    Ok(NetworkAllocation {
        uplink: uplink::uplink(network, &tenant.id, own, pools, taken, allocation)?,
        vrf: uplink::vrf(network, &tenant.id, own, taken, allocation),
        namespace: namespace::namespace(network, tenant, subnet, taken, allocation),
        private: matches!(network.mode, NetworkMode::Private | NetworkMode::Netns),
        link,
        subnet,
        ipv6,
    })
}

/// What the tenant itself has apart from one network.
struct OwnOthers<'a> {
    links: HashSet<&'a str>,
    subnets: Vec<Subnet4>,
    ipv6: Vec<u64>,
}

impl<'a> OwnOthers<'a> {
    fn of(allocation: &'a TenantAllocation, network: &Name) -> Self {
        let networks = || {
            allocation
                .networks
                .iter()
                .filter(|(name, _)| *name != network)
                .map(|(_, allocation)| allocation)
        };
        let interfaces = allocation
            .machines
            .values()
            .flat_map(|machine| machine.interfaces.values());
        Self {
            links: networks()
                .flat_map(NetworkAllocation::links)
                .chain(interfaces.map(|interface| interface.link.as_str()))
                .collect(),
            subnets: networks().map(|network| network.subnet).collect(),
            ipv6: networks()
                .filter_map(|network| network.ipv6.map(upper_half))
                .collect(),
        }
    }
}

fn written_subnet(
    network: &Network,
    wanted: Subnet4,
    pools: &Pools,
    taken: &Taken<'_>,
    others: &OwnOthers<'_>,
) -> Result<Subnet4, Box<Finding>> {
    let pool = pool4(pools);
    let name = &network.name;
    let refuse = |rule, message: String, help: String| {
        let finding = Finding::error(network.origin.clone(), rule, message);
        Err(Box::new(finding.help(help)))
    };
    let another = || format!("write `auto`, or another subnet within {pool}");
    if wanted.prefix < pool.prefix || !pool.contains(wanted.address) {
        let message = format!("subnet {wanted} of network `{name}` is outside the host's pool");
        let help = format!("write `auto`, or a subnet within {pool}");
        return refuse("subnet-outside-pool", message, help);
    }
    if wanted.prefix > SMALLEST {
        let message = format!("subnet {wanted} of network `{name}` has no room for machines");
        let help = format!("write a prefix length of at most {SMALLEST}");
        return refuse("subnet-too-small", message, help);
    }
    // Two routing domains of their own can have the same addresses; the host's has them once.
    let apart = taken.apart.0.iter().filter(|_| !is_apart(network));
    let mut theirs = taken.subnets.iter().chain(apart);
    if theirs.any(|subnet| subnet.overlaps(&wanted)) {
        let message = format!(
            "subnet {wanted} of network `{name}` overlaps one of another tenant of this host"
        );
        return refuse("subnet-overlap", message, another());
    }
    let own = others.subnets.iter().find(|own| own.overlaps(&wanted));
    own.map_or(Ok(wanted), |own| {
        let message = format!("subnet {wanted} of network `{name}` overlaps {own} of this tenant");
        refuse("subnet-overlap", message, another())
    })
}

fn is_apart(network: &Network) -> bool {
    network.mode == NetworkMode::Vrf
}

fn pool4(pools: &Pools) -> Subnet4 {
    Subnet4::containing(pools.ipv4.0, pools.ipv4.1)
}

/// The first subnet of the pool that overlaps nothing: walks the taken ones in order of address.
fn free_subnet(pools: &Pools, taken: &Taken<'_>, others: &OwnOthers<'_>) -> Option<Subnet4> {
    let pool = pool4(pools);
    let prefix = PREFIX.max(pool.prefix);
    let size = 1_u64 << (32 - u32::from(prefix));
    let mut busy: Vec<(u64, u64)> = taken
        .subnets
        .iter()
        .chain(&taken.apart.0)
        .chain(&others.subnets)
        .map(range)
        .collect();
    busy.sort_unstable();
    let (mut start, end) = range(&pool);
    for (first, last) in busy {
        if last < start {
            continue;
        }
        if first > start + size - 1 {
            break;
        }
        start = (last + 1).next_multiple_of(size);
    }
    let address = u32::try_from(start)
        .ok()
        .filter(|_| start + size - 1 <= end)?;
    Some(Subnet4 {
        address: Ipv4Addr::from(address),
        prefix,
    })
}

/// First and last address.
fn range(subnet: &Subnet4) -> (u64, u64) {
    let first = u64::from(u32::from(subnet.address));
    (
        first,
        first + (1_u64 << (32 - u32::from(subnet.prefix))) - 1,
    )
}

fn written_ipv6(
    network: &Network,
    wanted: Ipv6Addr,
    pools: &Pools,
    taken: &Taken<'_>,
    others: &OwnOthers<'_>,
) -> Result<Ipv6Addr, Box<Finding>> {
    let (first, last) = pool6(pools);
    let half = upper_half(wanted);
    let problem = if !(first..=last).contains(&half) {
        ("subnet-outside-pool", "is outside the host's pool")
    } else if taken.ipv6.contains(&half) || (taken.apart.1.contains(&half) && !is_apart(network)) {
        ("subnet-overlap", "is that of another tenant of this host")
    } else if others.ipv6.contains(&half) {
        (
            "subnet-overlap",
            "is that of another network of this tenant",
        )
    } else {
        return Ok(Ipv6Addr::from(u128::from(half) << 64));
    };
    let message = format!(
        "IPv6 subnet {wanted}/64 of network `{}` {}",
        network.name, problem.1
    );
    let (prefix, length) = pools.ipv6;
    let help = format!("write `auto`, or another /64 within {prefix}/{length}");
    let finding = Finding::error(network.origin.clone(), problem.0, message);
    Err(Box::new(finding.help(help)))
}

/// Upper halves of the first and last /64 of the pool.
fn pool6(pools: &Pools) -> (u64, u64) {
    let (address, prefix) = pools.ipv6;
    let free_bits = 64 - u32::from(prefix.min(64));
    let mask = u64::MAX.checked_shl(free_bits).unwrap_or(0);
    let first = upper_half(address) & mask;
    (first, first | !mask)
}

fn free_ipv6(pools: &Pools, taken: &Taken<'_>, others: &OwnOthers<'_>) -> Option<Ipv6Addr> {
    let (first, last) = pool6(pools);
    (first..=last)
        .find(|half| {
            let own = others.ipv6.contains(half);
            !own && !taken.ipv6.contains(half) && !taken.apart.1.contains(half)
        })
        .map(|half| Ipv6Addr::from(u128::from(half) << 64))
}

fn exhausted(network: &Network, what: &str, pool: &str) -> Box<Finding> {
    Box::new(
        Finding::error(
            network.origin.clone(),
            "pool-exhausted",
            format!(
                "no {what} is left on this host for network `{}`",
                network.name
            ),
        )
        .help(format!(
            "the operator can widen `pools.{pool}` in .gitops/config.yaml"
        )),
    )
}
