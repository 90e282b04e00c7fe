//! Who has a name or an address.

use super::{Machine, Place, Rules, far};
use crate::allocate::{Allocations, InterfaceAllocation, TenantAllocation};
use crate::model::Name;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of documentation (RFC 5737, RFC 3849), for an outside of which nothing more is known.
const OUTSIDE4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OUTSIDE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// What a person calls one end of a packet's way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// `host`.
    Host,
    /// `outside`.
    Outside,
    /// An address, of whoever has it.
    Address(IpAddr),
    /// A workload; of the tenant that is asked about when no other is named.
    Workload(Option<Name>, Name),
}

impl std::str::FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
        Ok(match text.split_once('/') {
            Some((tenant, workload)) => Self::Workload(Some(name(tenant)?), name(workload)?),
            None if text == "host" => Self::Host,
            None if text == "outside" => Self::Outside,
            None => Self::Workload(None, name(text)?),
        })
    }
}

/// Both ends as somebody asks for them.
#[derive(Debug, Clone)]
pub struct Ends {
    /// The tenant that is asked about.
    pub tenant: Name,
    /// Who sends.
    pub from: Wanted,
    /// Who shall get it.
    pub to: Wanted,
    /// Whether IPv6 is meant; addresses that are written win.
    pub ipv6: bool,
}

/// A name or an address that nobody has.
#[derive(Debug, PartialEq, Eq)]
pub struct NoSuchPlace(String);

impl fmt::Display for NoSuchPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoSuchPlace {}

/// Both places. Workloads that share a network meet there; else each is taken in its first one.
///
/// # Errors
/// When nobody has a name or an address, or the ends have no address of one kind.
pub fn locate(
    rules: &Rules,
    allocations: &Allocations,
    ends: &Ends,
) -> Result<(Place, Place), NoSuchPlace> {
    let six = [&ends.from, &ends.to]
        .iter()
        .find_map(|wanted| match wanted {
            Wanted::Address(address) => Some(address.is_ipv6()),
            _ => None,
        })
        .unwrap_or(ends.ipv6);
    let all = |wanted| candidates(rules, allocations, &ends.tenant, wanted, six);
    let (from, to) = (all(&ends.from)?, all(&ends.to)?);
    let meet = from.iter().find_map(|from| {
        let near = |to: &&Place| to.network().is_some() && to.network() == from.network();
        Some((from.clone(), to.iter().find(near)?.clone()))
    });
    // Who is behind a peer of the tenant speaks by its tunnel, to whomever.
    let peer = |place: &&Place| {
        let whose = place.network().map(|(tenant, _)| tenant);
        matches!(place, Place::Far(_)) && whose == Some(&ends.tenant)
    };
    let speaker = from.iter().find(peer).or_else(|| from.first());
    let first = || Some((speaker?.clone(), to.first()?.clone()));
    let (mut from, mut to) = meet
        .or_else(first)
        .ok_or_else(|| NoSuchPlace("the two ends have no address of one kind".to_owned()))?;
    // Unless an address says otherwise, the host is met where the other end is.
    if ends.from == Wanted::Host {
        from = host_beside(allocations, &to, six);
    }
    if ends.to == Wanted::Host {
        to = host_beside(allocations, &from, six);
    }
    let to = far::led(rules, allocations, &from, to);
    Ok((from, to))
}

fn host_beside(allocations: &Allocations, other: &Place, six: bool) -> Place {
    let unspecified = match six {
        true => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        false => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
    };
    let own = other.links().and_then(|(bridge, _)| {
        gateways(allocations)
            .find(|(link, address)| *link == bridge && address.is_ipv6() == six)
            .map(|(_, address)| address)
    });
    Place::Host {
        address: own.unwrap_or(unspecified),
    }
}

fn candidates(
    rules: &Rules,
    allocations: &Allocations,
    tenant: &Name,
    wanted: &Wanted,
    six: bool,
) -> Result<Vec<Place>, NoSuchPlace> {
    let outside = |address| vec![Place::Outside { address }];
    Ok(match wanted {
        Wanted::Host => vec![host_beside(allocations, &outside(OUTSIDE4.into())[0], six)],
        Wanted::Outside if six => outside(OUTSIDE6.into()),
        Wanted::Outside => outside(OUTSIDE4.into()),
        Wanted::Address(address) => {
            let holder = holder(rules, allocations, *address)?;
            let mut all = vec![holder];
            // Who it is for some networks only.
            if !matches!(all[0], Place::Host { .. }) {
                all.extend(far::behind(rules, allocations, *address, false));
            }
            all
        }
        Wanted::Workload(other, workload) => {
            let tenant = other.as_ref().unwrap_or(tenant);
            let found: Vec<Place> = machines(rules, allocations)
                .filter(|(machine, _)| machine.tenant == *tenant && machine.workload == *workload)
                .filter_map(|(machine, addresses)| {
                    let address = addresses.into_iter().find(|one| one.is_ipv6() == six)?;
                    Some(Place::Machine(Machine { address, ..machine }))
                })
                .collect();
            if found.is_empty() {
                let kind = if six { "IPv6" } else { "IPv4" };
                return Err(NoSuchPlace(format!(
                    "tenant `{tenant}` has no workload `{workload}` with an {kind} address on this host: \
                     run `bbctl network show {tenant}`"
                )));
            }
            found
        }
    })
}

/// Who has an address.
fn holder(rules: &Rules, allocations: &Allocations, address: IpAddr) -> Result<Place, NoSuchPlace> {
    if let Some(machine) = machine(rules, allocations, address) {
        return Ok(Place::Machine(machine));
    }
    if address.is_loopback() || gateways(allocations).any(|(_, own)| own == address) {
        return Ok(Place::Host { address });
    }
    for (tenant, name, network) in far::networks(allocations) {
        let inside = match address {
            IpAddr::V4(address) => network.subnet.contains(address),
            IpAddr::V6(address) => network
                .ipv6
                .is_some_and(|prefix| u128::from(prefix) >> 64 == u128::from(address) >> 64),
        };
        if inside {
            if let Some(station) = far::station(tenant, name, network, rules, address) {
                return Ok(station);
            }
            return Err(NoSuchPlace(format!(
                "nobody has {address}, of a network of tenant `{tenant}`"
            )));
        }
    }
    Ok(Place::Outside { address })
}

/// The machine that has an address.
pub(super) fn machine(
    rules: &Rules,
    allocations: &Allocations,
    address: IpAddr,
) -> Option<Machine> {
    machines(rules, allocations)
        .find(|(_, addresses)| addresses.contains(&address))
        .map(|(machine, _)| Machine { address, ..machine })
}

/// The host's addresses in tenants' networks.
fn gateways(allocations: &Allocations) -> impl Iterator<Item = (&str, IpAddr)> {
    let networks = allocations
        .tenants
        .values()
        .flat_map(|one| one.networks.values());
    networks.flat_map(|network| {
        let six = network
            .ipv6
            .map(|prefix| IpAddr::from(Ipv6Addr::from(u128::from(prefix) | 1)));
        let four = network.gateway().map(IpAddr::from);
        [four, six]
            .into_iter()
            .flatten()
            .map(|address| (network.link.as_str(), address))
    })
}

/// Interfaces of workloads that the rules know, with their addresses. What is allocated and not in use is not there.
fn machines(
    rules: &Rules,
    allocations: &Allocations,
) -> impl Iterator<Item = (Machine, Vec<IpAddr>)> {
    let all = allocations.tenants.iter().flat_map(|(tenant, allocation)| {
        allocation.machines.keys().flat_map(move |workload| {
            let interfaces = allocation.interfaces_of(workload);
            interfaces.filter_map(move |(network, interface)| {
                one(tenant, allocation, workload, network, interface)
            })
        })
    });
    all.filter(|(machine, _)| rules.knows_port(&machine.link))
}

fn one(
    tenant: &Name,
    allocation: &TenantAllocation,
    workload: &Name,
    network: &Name,
    interface: &InterfaceAllocation,
) -> Option<(Machine, Vec<IpAddr>)> {
    let own = allocation.networks.get(network)?;
    let six = own.ipv6.and_then(|prefix| {
        let identifier = crate::render::modified_eui64(&interface.mac)?;
        Some(crate::render::join(prefix, identifier).into())
    });
    let address = interface.address.into();
    let machine = Machine {
        tenant: tenant.clone(),
        workload: workload.clone(),
        shared_with: own
            .namespace
            .iter()
            .flat_map(|namespace| &namespace.members)
            .filter(|member| *member != workload)
            .cloned()
            .collect(),
        network: network.clone(),
        bridge: if own.private {
            &interface.link
        } else {
            &own.link
        }
        .clone(),
        link: interface.link.clone(),
        mac: interface.mac.clone(),
        address,
    };
    Some((
        machine,
        [Some(address), six].into_iter().flatten().collect(),
    ))
}
