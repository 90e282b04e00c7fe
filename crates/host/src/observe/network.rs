//! Tenants' networks as they are: addresses, links, published ports, peerings, rules and what they counted.

use crate::atomic;
use crate::generations;
use crate::host::{Host, HostError};
use crate::source::{TreeLimits, open, read_tree};
use bitbuilder_core::allocate::{
    Allocations, InterfaceAllocation, NetworkAllocation, TenantAllocation,
};
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::document::read_tenant;
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::{Name, NetworkMode, Protocol, Subnet4, Tenant};
use bitbuilder_core::trace::{self, Counted, Rules, TraceError};
use serde::Serialize;
use std::net::{Ipv4Addr, Ipv6Addr};

const RULESET: &str = "nftables/ruleset.json";

/// The networks of one tenant.
#[derive(Debug, Clone, Serialize)]
pub struct TenantNetworks {
    /// The tenant.
    pub tenant: Name,
    /// Its current generation.
    pub generation: u64,
    /// Networks, by name.
    pub networks: Vec<NetworkView>,
    /// Published ports, by port.
    pub published: Vec<PublishView>,
    /// Peerings.
    pub peerings: Vec<PeeringView>,
    /// Firewall rules that people wrote, in order.
    pub rules: Vec<RuleView>,
    /// Rules that are built in and refused something that they counted, or would have.
    pub built_in: Vec<Counted>,
    /// Why documents could not be read: modes, published ports, peerings and texts of rules are missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A network.
#[derive(Debug, Clone, Serialize)]
pub struct NetworkView {
    /// Its name.
    pub name: Name,
    /// How it carries packets.
    pub mode: Option<NetworkMode>,
    /// File and line.
    pub origin: Option<String>,
    /// Link of the host that all its machines are behind: a bridge, or that of their namespace; `null` when each has its own.
    pub link: Option<String>,
    /// IPv4 subnet.
    pub subnet: Subnet4,
    /// Address of the host.
    pub gateway: Option<Ipv4Addr>,
    /// IPv6 subnet, a /64.
    pub ipv6: Option<Ipv6Addr>,
    /// Whether it reaches the outside.
    pub nat: Option<bool>,
    /// Interfaces in it.
    pub interfaces: Vec<InterfaceView>,
}

/// An interface of a workload.
#[derive(Debug, Clone, Serialize)]
pub struct InterfaceView {
    /// The workload.
    pub workload: Name,
    /// Its IPv4 address.
    pub address: Ipv4Addr,
    /// MAC address.
    pub mac: String,
    /// The host's end of the link.
    pub link: String,
}

/// A published port.
#[derive(Debug, Clone, Serialize)]
pub struct PublishView {
    /// Transport.
    pub protocol: Protocol,
    /// Port of the host.
    pub port: u16,
    /// The workload that answers.
    pub to: Name,
    /// Its port.
    pub to_port: u16,
    /// File and line.
    pub origin: String,
    /// Connections that came, since the rules were last changed.
    pub connections: u64,
}

/// A peering.
#[derive(Debug, Clone, Serialize)]
pub struct PeeringView {
    /// The other tenant.
    pub tenant: Name,
    /// The network of this one.
    pub network: Name,
    /// File and line.
    pub origin: String,
}

/// A firewall rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleView {
    /// File and line.
    pub origin: String,
    /// What it says.
    pub text: String,
    /// Packets that it decided on, since the rules were last changed.
    pub packets: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// The networks of every tenant that has a generation, or only of `only`.
///
/// # Errors
/// When the host's own state or the kernel's rules cannot be read.
pub fn networks(host: &dyn Host, only: Option<&Name>) -> Result<Vec<TenantNetworks>, HostError> {
    let root = host.root();
    let allocations: Allocations = atomic::read_json(&root.allocations())?.unwrap_or_default();
    let listing = host.ruleset()?.unwrap_or_else(|| b"{}".to_vec());
    let tenants = allocations
        .tenants
        .iter()
        .filter(|(id, _)| only.is_none_or(|only| *id == only));
    let mut found = Vec::new();
    for (id, allocation) in tenants {
        if let Some(manifest) = generations::read_current(root, id)? {
            found.push(one(host, allocation, &manifest, &listing)?);
        }
    }
    Ok(found)
}

/// The rules of all tenants' current generations, and the allocations that they were made with.
///
/// # Errors
/// When they cannot be read.
pub fn rules(host: &dyn Host) -> Result<(Rules, Allocations), HostError> {
    let root = host.root();
    let allocations: Allocations = atomic::read_json(&root.allocations())?.unwrap_or_default();
    let mut rules = Rules::default();
    for (id, allocation) in &allocations.tenants {
        add(host, id, &mut rules)?;
        for link in allocation
            .networks
            .values()
            .filter_map(NetworkAllocation::tunnel)
        {
            add_tunnel(host, id, link, &mut rules)?;
        }
    }
    Ok((rules, allocations))
}

fn add(host: &dyn Host, id: &Name, rules: &mut Rules) -> Result<(), HostError> {
    current(host, id, RULESET, |text| rules.add(id, text))
}

/// The tunnel `link`, unless the current generation has it no more.
fn add_tunnel(host: &dyn Host, id: &Name, link: &str, rules: &mut Rules) -> Result<(), HostError> {
    let file = format!("network/10-bitbuilder-{link}.netdev");
    current(host, id, &file, |text| rules.add_tunnel(id, text))
}

/// What `take` makes of a file of the current generation, when it is there.
fn current(
    host: &dyn Host,
    id: &Name,
    file: &str,
    take: impl FnOnce(&[u8]) -> Result<(), TraceError>,
) -> Result<(), HostError> {
    let path = host.root().current(id).join(file);
    match std::fs::read(&path) {
        Ok(text) => take(&text).map_err(|error| HostError::damaged(&path, error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(HostError::file(&path)(error)),
    }
}

fn one(
    host: &dyn Host,
    allocation: &TenantAllocation,
    manifest: &Manifest,
    listing: &[u8],
) -> Result<TenantNetworks, HostError> {
    let id = &manifest.tenant;
    let counted = trace::counted(listing, id).map_err(|error| HostError::Tool {
        command: "nft -j list ruleset".to_owned(),
        message: format!("its answer is not understood: {error}"),
    })?;
    let mut rules = Rules::default();
    add(host, id, &mut rules)?;
    let (documents, error) = match documents(host, manifest) {
        Ok(documents) => (Some(documents), None),
        Err(error) => (None, Some(error)),
    };
    let documents = documents.as_ref();
    let topology = documents.map(|documents| &documents.topology);
    let packets = |place: &str| -> (u64, u64) {
        let own = counted.iter();
        let own = own.filter(|one| trace::origin(&one.rule) == Some(place));
        own.fold((0, 0), |sum, one| (sum.0 + one.packets, sum.1 + one.bytes))
    };
    Ok(TenantNetworks {
        tenant: id.clone(),
        generation: manifest.number,
        networks: allocation
            .networks
            .keys()
            .filter_map(|name| network(allocation, name, documents, &rules))
            .collect(),
        published: topology
            .into_iter()
            .flat_map(|topology| &topology.publish)
            .map(|entry| PublishView {
                protocol: entry.protocol,
                port: entry.port,
                to: entry.to.clone(),
                to_port: entry.to_port,
                origin: entry.origin.place(),
                connections: packets(&entry.origin.place()).0,
            })
            .collect(),
        peerings: topology
            .into_iter()
            .flat_map(|topology| &topology.peering)
            .map(|peering| PeeringView {
                tenant: peering.tenant.clone(),
                network: peering.network.clone(),
                origin: peering.origin.place(),
            })
            .collect(),
        rules: documents
            .into_iter()
            .flat_map(|documents| &documents.firewall)
            .map(|rule| {
                let origin = rule.origin.place();
                let (packets, bytes) = packets(&origin);
                RuleView {
                    text: rule.to_string(),
                    origin,
                    packets,
                    bytes,
                }
            })
            .collect(),
        built_in: counted
            .iter()
            .filter(|one| trace::origin(&one.rule).is_none())
            .cloned()
            .collect(),
        error,
    })
}

/// The documents of the commit that a generation was made of.
fn documents(host: &dyn Host, manifest: &Manifest) -> Result<Tenant, String> {
    let mirror = host.root().mirror(&manifest.tenant);
    let repository = open(&mirror).map_err(|error| error.to_string())?;
    let commit = &manifest.commit;
    let reading = read_tree(&repository, commit, &TreeLimits::default())
        .map_err(|error| error.to_string())?;
    let checked = read_tenant(&reading.tree, Some(&manifest.tenant));
    checked
        .value
        .ok_or_else(|| format!("the documents of commit {commit} are not readable any more"))
}

/// A network that is in use; one that is only kept for its return is not there.
fn network(
    allocation: &TenantAllocation,
    name: &Name,
    documents: Option<&Tenant>,
    rules: &Rules,
) -> Option<NetworkView> {
    let own = allocation.networks.get(name)?;
    let machines = || {
        let interfaces = |workload| allocation.interfaces_of(workload);
        let all = allocation.machines.keys();
        let all =
            all.flat_map(move |workload| interfaces(workload).map(move |one| (workload, one)));
        all.filter(|(_, (network, _))| *network == name)
            .map(|(workload, (_, interface))| (workload, interface))
    };
    // One without a bridge is the links of its machines.
    let any_link = |knows: &dyn Fn(&str) -> bool| match own.private {
        true => own.links().any(knows) || machines().any(|(_, one)| knows(&one.link)),
        false => knows(&own.link),
    };
    if !any_link(&|link| rules.knows_link(link)) {
        return None;
    }
    let declared = documents.and_then(|documents| {
        let mut networks = documents.topology.networks.iter();
        networks.find(|network| network.name == *name)
    });
    let metadata = documents.map(|documents| &documents.metadata);
    let interface = |(workload, one): (&Name, &InterfaceAllocation)| InterfaceView {
        workload: workload.clone(),
        address: one.address,
        mac: one.mac.clone(),
        link: one.link.clone(),
    };
    Some(NetworkView {
        name: name.clone(),
        mode: declared
            .map(|network| network.mode)
            .or(metadata.map(|metadata| metadata.network_mode)),
        origin: declared
            .map(|network| &network.origin)
            .or(metadata.map(|metadata| &metadata.network_origin))
            .map(Origin::place),
        link: match &own.namespace {
            Some(namespace) => Some(namespace.interface.link.clone()),
            None => (!own.private).then(|| own.link.clone()),
        },
        subnet: own.subnet,
        gateway: own.gateway(),
        ipv6: own.ipv6,
        nat: documents.map(|_| any_link(&|link| rules.knows_nat(link))),
        interfaces: machines()
            .filter(|(_, one)| rules.knows_port(&one.link))
            .map(interface)
            .collect(),
    })
}
