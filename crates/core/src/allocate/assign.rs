//! One tenant's allocation, from what it has and what others have.

use super::taken::Taken;
use super::{Allocations, TenantAllocation, machines, networks};
use crate::desired::DesiredTenant;
use crate::finding::{Finding, Origin};
use crate::model::{Name, Pools, Protocol, Publish, VXLAN_PORT};
use std::collections::{BTreeMap, BTreeSet};

/// First host uid of the first tenant: above what distributions, homed and nspawn's `pick` hand out
/// to the users of a host, and a multiple of 65,536.
const FIRST_UID: u32 = 0x1000_0000;
/// Uids of one tenant.
const UIDS: u32 = 0x1_0000;
/// Tenant numbers end where systemd's container uid range ends (0x6fff_ffff, uids-gids of systemd).
const LAST_NUMBER: u32 = (0x7000_0000 - FIRST_UID) / UIDS;

/// `current` with everything that `tenant` needs.
///
/// The same input gives the same output. What the tenant has stays as it is unless its own documents
/// now ask for another value; a tenant that comes back before its retention time has passed gets
/// what it had.
///
/// # Errors
/// The findings, each at the line that asks: a pool is exhausted, or a value is outside the pools or
/// taken. `current` is not changed then.
pub fn allocate(
    current: &Allocations,
    tenant: &DesiredTenant,
    pools: &Pools,
) -> Result<Allocations, Vec<Finding>> {
    let allocation = assign(current, tenant, pools)?;
    let mut next = current.clone();
    next.tenants.insert(tenant.id.clone(), allocation);
    Ok(next)
}

/// What `tenant` gets beside the others of `current`; [`allocate`] without the copy of the whole host.
///
/// # Errors
/// As [`allocate`].
pub fn assign(
    current: &Allocations,
    tenant: &DesiredTenant,
    pools: &Pools,
) -> Result<TenantAllocation, Vec<Finding>> {
    let mut findings = Vec::new();
    let taken = Taken::by_others(current, &tenant.id);
    let own = current.tenants.get(&tenant.id);
    let Some(mut allocation) = own.cloned().or_else(|| fresh(&taken)) else {
        return Err(vec![Finding::error(
            Origin::file("metadata.json"),
            "pool-exhausted",
            "no tenant number is left on this host",
        )]);
    };
    allocation.restore();
    allocation.ports = ports(&taken, &tenant.publish, &mut findings);
    allocation.peerings = peerings(tenant);
    networks::assign(&mut allocation, tenant, pools, &taken, &mut findings);
    machines::assign(&mut allocation, tenant, &taken, &mut findings);
    if findings.is_empty() {
        Ok(allocation)
    } else {
        findings.sort();
        findings.dedup();
        Err(findings)
    }
}

fn fresh(taken: &Taken<'_>) -> Option<TenantAllocation> {
    let number = (1..=LAST_NUMBER).find(|number| !taken.numbers.contains(number))?;
    Some(TenantAllocation {
        number,
        uid_base: FIRST_UID + (number - 1) * UIDS,
        networks: BTreeMap::new(),
        machines: BTreeMap::new(),
        ports: BTreeSet::new(),
        peerings: BTreeSet::new(),
        released: None,
        kept: 0,
    })
}

fn peerings(tenant: &DesiredTenant) -> BTreeSet<(Name, Name)> {
    let declared = tenant.peering.iter();
    declared
        .map(|peering| (peering.tenant.clone(), peering.network.clone()))
        .collect()
}

fn ports(
    taken: &Taken<'_>,
    publish: &[Publish],
    findings: &mut Vec<Finding>,
) -> BTreeSet<(Protocol, u16)> {
    let mut ports = BTreeSet::new();
    for entry in publish {
        let port = (entry.protocol, entry.port);
        let of_tunnel = entry.protocol == Protocol::Udp
            && (taken.tunnels.contains(&entry.port) || entry.port == VXLAN_PORT);
        if of_tunnel {
            let message = format!("port udp/{} is that of a tunnel of this host", entry.port);
            findings.push(taken_port(entry, message));
        }
        if taken.ports.contains(&port) {
            let message = format!(
                "port {}/{} is published by another tenant of this host",
                entry.protocol, entry.port
            );
            findings.push(taken_port(entry, message));
        }
        ports.insert(port);
    }
    ports
}

fn taken_port(entry: &Publish, message: String) -> Finding {
    let help = "write another `port` of those that the registry allows";
    Finding::error(entry.origin.clone(), "port-taken", message).help(help)
}
