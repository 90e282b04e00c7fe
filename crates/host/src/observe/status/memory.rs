//! What the host remembers of a tenant, from its files.

use super::TunnelStatus;
use crate::generations;
use crate::host::HostError;
use crate::network;
use crate::observe::health::{self, CheckResult};
use crate::observe::may_end;
use crate::paths::HostRoot;
use crate::reconcile::TenantState;
use bitbuilder_core::allocate::{TenantAllocation, Uplink};
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::model::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// One tenant, apart from its units.
pub(super) struct Memory {
    pub(super) state: TenantState,
    /// The current generation.
    pub(super) manifest: Option<Manifest>,
    /// By workload; those without a check are not in it.
    pub(super) checks: BTreeMap<Name, Check>,
    /// By workload: an address in each network.
    pub(super) addresses: BTreeMap<Name, Vec<String>>,
    /// Units of workloads that may end and then stay so.
    pub(super) may_end: BTreeSet<String>,
    pub(super) tunnels: Vec<TunnelStatus>,
    /// A plan is being executed, or was interrupted.
    pub(super) busy: bool,
}

/// The health check of a workload: the last result of this check, or why that cannot be read.
pub(super) type Check = Result<Option<CheckResult>, String>;

impl Memory {
    pub(super) fn read(
        root: &HostRoot,
        id: &Name,
        allocation: Option<&TenantAllocation>,
    ) -> Result<Self, HostError> {
        let manifest = generations::read_current(root, id)?;
        let mut checks = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for workload in manifest.iter().flat_map(workloads) {
            let digest = manifest
                .as_ref()
                .and_then(|manifest| health::digest_of(manifest, workload));
            if let Some(digest) = digest {
                let result = health::read_result(root, id, workload);
                let result = result.map(|result| result.filter(|result| result.check == digest));
                checks.insert(workload.clone(), result.map_err(|error| error.to_string()));
            }
            let found = allocation.map(|allocation| placed(root, id, workload, allocation));
            addresses.insert(workload.clone(), found.unwrap_or_default());
        }
        let may_end = manifest.as_ref().map(|manifest| may_end(root, manifest));
        Ok(Self {
            state: TenantState::read(root, id)?,
            may_end: may_end.unwrap_or_default(),
            manifest,
            checks,
            addresses,
            tunnels: allocation
                .map_or(Ok(Vec::new()), |allocation| tunnels(root, id, allocation))?,
            busy: root.journal(id).exists(),
        })
    }
}

fn tunnels(
    root: &HostRoot,
    id: &Name,
    allocation: &TenantAllocation,
) -> Result<Vec<TunnelStatus>, HostError> {
    let networks = allocation.networks.iter();
    let mut links = networks.filter_map(|(name, network)| match &network.uplink {
        Some(Uplink::Wireguard { link, port }) => Some((name, link, *port)),
        _ => None,
    });
    // Most tenants have none: nothing is read for them.
    let Some(first) = links.next() else {
        return Ok(Vec::new());
    };
    let keys = network::public_keys(root, id)?;
    let links = std::iter::once(first).chain(links);
    let tunnel = |(name, link, port): (&Name, &String, u16)| {
        Some(TunnelStatus {
            network: name.clone(),
            link: link.clone(),
            port,
            public_key: keys.get(link)?.clone(),
        })
    };
    Ok(links.filter_map(tunnel).collect())
}

fn workloads(manifest: &Manifest) -> impl Iterator<Item = &Name> {
    let units = manifest.units.iter();
    units
        .filter(|unit| unit.kind == UnitKind::Workload)
        .filter_map(|unit| unit.workload.as_ref())
}

/// Addresses of the links that the current generation makes: allocations also keep those of earlier ones.
fn placed(
    root: &HostRoot,
    id: &Name,
    workload: &Name,
    allocation: &TenantAllocation,
) -> Vec<String> {
    let batches = [
        format!("links/{workload}.host"),
        "namespace/host".to_owned(),
    ];
    let batches = batches.map(|batch| fs::read_to_string(root.current(id).join(batch)));
    let made = |link: &str| {
        let mut words = batches
            .iter()
            .flatten()
            .flat_map(|batch| batch.split_whitespace());
        words.any(|word| word == link)
    };
    allocation
        .interfaces_of(workload)
        .filter(|(_, interface)| made(&interface.link))
        .map(|(_, interface)| interface.address.to_string())
        .collect()
}
