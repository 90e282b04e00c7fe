//! Links and packet rules of a tenant.

use super::{Subject, View};
use crate::host::HostError;
use bitbuilder_core::allocate::TenantAllocation;
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::drift::{self, Bridge, ExpectedLinks, Item, Port, Tables};
use bitbuilder_core::model::Name;
use std::fs;

/// Links that are not as they shall be.
pub(super) fn look(sight: &View<'_>, subject: &Subject<'_>) -> Result<Vec<Item>, HostError> {
    let Some(allocation) = subject.allocation else {
        return Ok(Vec::new());
    };
    let expected = expected(sight, subject.manifest, allocation);
    if expected.bridges.is_empty() {
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
    let bridges = allocation
        .networks
        .values()
        .filter(|network| has(&format!("network/10-bitbuilder-{}.netdev", network.link)))
        .map(|network| {
            let ipv4 = network
                .gateway()
                .map(|gateway| format!("{gateway}/{}", network.subnet.prefix));
            let ipv6 = network.ipv6.map(|prefix| {
                let gateway = u128::from(prefix) | 1;
                format!("{}/64", std::net::Ipv6Addr::from(gateway))
            });
            Bridge {
                link: network.link.clone(),
                addresses: ipv4.into_iter().chain(ipv6).collect(),
            }
        });
    let interfaces = || allocation.machines.values().flat_map(|one| &one.interfaces);
    ExpectedLinks {
        bridges: bridges.collect(),
        ports: ports(sight, manifest, allocation),
        known: interfaces().map(|(_, one)| one.link.clone()).collect(),
    }
}

/// Ports of the workloads that run.
fn ports(sight: &View<'_>, manifest: &Manifest, allocation: &TenantAllocation) -> Vec<Port> {
    let running = manifest.units.iter().filter(|unit| {
        let state = sight.presence.units.get(&unit.name);
        // A command that waits for the health of another one has no links yet.
        unit.kind == UnitKind::Workload && state.is_some_and(|state| state.sub == "running")
    });
    let mut ports = Vec::new();
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
                    bridge: network.link.clone(),
                    unit: unit.name.clone(),
                });
            }
        }
    }
    ports
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
