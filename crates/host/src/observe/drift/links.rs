//! Links and packet rules of a tenant.

use super::{Subject, View};
use crate::host::HostError;
use bitbuilder_core::allocate::{NetworkAllocation, TenantAllocation, Uplink};
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::drift::{self, Bridge, ExpectedLinks, Item, Port, Tables};
use bitbuilder_core::model::Name;
use std::collections::BTreeSet;
use std::fs;

/// Links that are not as they shall be.
pub(super) fn look(sight: &View<'_>, subject: &Subject<'_>) -> Result<Vec<Item>, HostError> {
    let Some(allocation) = subject.allocation else {
        return Ok(Vec::new());
    };
    let expected = expected(sight, subject.manifest, allocation);
    if expected.bridges.is_empty() && expected.ports.is_empty() {
        return Ok(Vec::new());
    }
    let found = sight.links()?;
    Ok(found.map_or_else(Vec::new, |found| drift::links(&expected, found)))
}

/// Allocations keep networks and links of earlier generations; files say which ones this generation has.
pub(super) fn expected(
    sight: &View<'_>,
    manifest: &Manifest,
    allocation: &TenantAllocation,
) -> ExpectedLinks {
    let has = |path: &str| manifest.files.contains_key(path);
    let networks = allocation.networks.values();
    let bridges = networks
        .flat_map(links_of)
        .filter(|link| has(&format!("network/10-bitbuilder-{}.network", link.link)));
    let interfaces = || allocation.machines.values().flat_map(|one| &one.interfaces);
    let networks = allocation.networks.values();
    let known = networks.flat_map(NetworkAllocation::links);
    let known = known.chain(interfaces().map(|(_, one)| one.link.as_str()));
    ExpectedLinks {
        bridges: bridges.collect(),
        ports: ports(sight, manifest, allocation),
        known: known.map(str::to_owned).collect(),
    }
}

/// The bridge of a network with the host's addresses, its uplink and its routing domain.
fn links_of(network: &NetworkAllocation) -> impl Iterator<Item = Bridge> {
    let ipv4 = network
        .gateway()
        .map(|gateway| format!("{gateway}/{}", network.subnet.prefix));
    let ipv6 = network.ipv6.map(|prefix| {
        let gateway = u128::from(prefix) | 1;
        format!("{}/64", std::net::Ipv6Addr::from(gateway))
    });
    let vrf = network.vrf.as_ref().map(|vrf| vrf.link.clone());
    let bridge = Bridge {
        link: network.link.clone(),
        addresses: ipv4.into_iter().chain(ipv6).collect(),
        master: vrf.clone(),
    };
    let bare = |link: String, master| Bridge {
        link,
        addresses: BTreeSet::new(),
        master,
    };
    let port = |uplink: &Uplink| uplink.is_port().then(|| network.link.clone());
    let uplink = network
        .uplink
        .as_ref()
        .map(|uplink| bare(uplink.link().to_owned(), port(uplink)));
    let vrf = vrf.map(|vrf| bare(vrf, None));
    [Some(bridge), uplink, vrf].into_iter().flatten()
}

/// Ports of the workloads that run.
fn ports(sight: &View<'_>, manifest: &Manifest, allocation: &TenantAllocation) -> Vec<Port> {
    let running = manifest.units.iter().filter(|unit| {
        let state = sight.presence.units.get(&unit.name);
        // A command that waits for the health of another one has no links yet.
        unit.kind == UnitKind::Workload && state.is_some_and(|state| state.sub == "running")
    });
    let mut ports = Vec::from_iter(namespace(sight, manifest, allocation));
    for unit in running {
        let Some(workload) = &unit.workload else {
            continue;
        };
        let made = made(sight, manifest, workload);
        let machine = allocation.machines.get(workload);
        for (network, interface) in machine.into_iter().flat_map(|one| &one.interfaces) {
            if let Some(network) = allocation.networks.get(network)
                && made.split_whitespace().any(|word| word == interface.link)
            {
                ports.push(Port {
                    link: interface.link.clone(),
                    bridge: (!network.private).then(|| network.link.clone()),
                    unit: unit.name.clone(),
                });
            }
        }
    }
    ports
}

/// The link of the namespace that workloads share.
fn namespace(sight: &View<'_>, manifest: &Manifest, allocation: &TenantAllocation) -> Option<Port> {
    let mut units = manifest.units.iter();
    let unit = units.find(|unit| unit.kind == UnitKind::Namespace)?;
    let state = sight.presence.units.get(&unit.name)?;
    let interface = allocation.shared().next()?;
    (state.active == "active").then(|| Port {
        link: interface.link.clone(),
        bridge: None,
        unit: unit.name.clone(),
    })
}

/// The batch that makes the links of a workload.
fn made(sight: &View<'_>, manifest: &Manifest, workload: &Name) -> String {
    let root = sight.host.root();
    let path = root
        .generation(&manifest.tenant, manifest.number)
        .join(format!("links/{workload}.host"));
    // One that is gone is a file that is gone.
    fs::read_to_string(path).unwrap_or_default()
}

impl View<'_> {
    /// Tables that are not as they were rendered.
    pub(super) fn rules(&self, manifest: &Manifest) -> Result<Vec<Item>, HostError> {
        const RULESET: &str = "nftables/ruleset.json";
        let Some(record) = manifest.files.get(RULESET) else {
            return Ok(Vec::new());
        };
        let path = self
            .host
            .root()
            .generation(&manifest.tenant, manifest.number)
            .join(RULESET);
        let wanted = fs::read(path).unwrap_or_default();
        // Against a file that was changed nothing can be compared; that it was is an item of its own.
        if bitbuilder_core::digest::sha256(&wanted) != record.sha256 {
            return Ok(Vec::new());
        }
        let found = self.tables()?;
        Ok(found.map_or_else(Vec::new, |found| {
            drift::rules(&drift::rendered(&wanted), found)
        }))
    }

    pub(super) fn tables(&self) -> Result<Option<&Tables>, HostError> {
        let read = || match self.host.ruleset()? {
            None => Ok(None),
            Some(listing) => drift::tables(&listing)
                .map(Some)
                .map_err(|error| HostError::Tool {
                    command: "nft -j list ruleset".to_owned(),
                    message: format!("its answer is not understood: {error}"),
                }),
        };
        super::once(&self.sight.tables, read).map(Option::as_ref)
    }
}
