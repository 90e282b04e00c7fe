//! Which tenant has which name on the host.

use super::{Kind, Subject};
use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::reconcile::{self, EffectiveTenant};
use bitbuilder_core::allocate::{Allocations, TenantAllocation};
use bitbuilder_core::model::Name;

/// Names of tenants that are registered or still have something.
pub(super) struct Catalogue<'a> {
    pub(super) root: &'a HostRoot,
    allocations: Allocations,
    registered: Vec<EffectiveTenant>,
}

impl<'a> Catalogue<'a> {
    pub(super) fn read(root: &'a HostRoot) -> Result<Self, HostError> {
        let registry = reconcile::effective_registry(root)?;
        Ok(Self {
            root,
            allocations: atomic::read_json(&root.allocations())?.unwrap_or_default(),
            registered: registry.map_or_else(Vec::new, |registry| registry.tenants),
        })
    }

    /// Ids of all tenants.
    pub(super) fn ids(&self) -> impl Iterator<Item = &Name> {
        let registered = self.registered.iter().map(|tenant| &tenant.id);
        registered.chain(self.allocations.tenants.keys())
    }

    /// The tenant `id`.
    pub(super) fn tenant(&self, id: &str) -> Option<&Name> {
        self.ids().find(|known| known.as_str() == id)
    }

    /// URL of the tenant's repository, as the registry has it now.
    pub(super) fn repository(&self, id: &Name) -> Option<String> {
        let mut registered = self.registered.iter();
        let tenant = registered.find(|tenant| tenant.id == *id)?;
        Some(tenant.registration.repository.clone())
    }

    /// The workload whose machine `name` is.
    pub(super) fn machine(&self, name: &str) -> Option<Subject> {
        self.allocated().find_map(|(id, allocation)| {
            let mut machines = allocation.machines.iter();
            let (workload, _) = machines.find(|(_, machine)| machine.machine == name)?;
            Some(Subject {
                workload: Some(workload.clone()),
                ..Subject::new(Kind::Workload, id)
            })
        })
    }

    /// Name of a workload's machine.
    pub(super) fn machine_of(&self, id: &Name, workload: &Name) -> Option<&str> {
        let allocation = self.allocations.tenants.get(id)?;
        let machine = allocation.machines.get(workload)?;
        Some(&machine.machine)
    }

    /// The bridge or interface whose name `link` is.
    pub(super) fn link(&self, link: &str) -> Option<Subject> {
        self.allocated().find_map(|(id, allocation)| {
            bridge(id, allocation, link).or_else(|| interface(id, allocation, link))
        })
    }

    /// Allocations that are in use.
    fn allocated(&self) -> impl Iterator<Item = (&Name, &TenantAllocation)> {
        let all = self.allocations.tenants.iter();
        all.filter(|(_, allocation)| allocation.released.is_none())
    }
}

/// The bridge of a network, its uplink or its routing domain.
fn bridge(id: &Name, allocation: &TenantAllocation, link: &str) -> Option<Subject> {
    let mut networks = allocation.networks.iter();
    let (name, network) = networks.find(|(_, network)| network.links().any(|own| own == link))?;
    let uplink = network.uplink.as_ref();
    let namespace = network.namespace.as_ref().map(|one| &one.interface);
    if namespace.is_some_and(|interface| interface.link == link) {
        return Some(Subject {
            network: Some(name.clone()),
            unit: Some(format!("netns-tenant@{id}.service")),
            files: vec!["namespace/host".to_owned()],
            ..Subject::new(Kind::Interface, id)
        });
    }
    let (kind, suffix) = match () {
        () if network.link == link => (Kind::Bridge, "netdev"),
        () if uplink.is_some_and(|uplink| uplink.link() == link) => (Kind::Uplink, "network"),
        () => (Kind::Domain, "netdev"),
    };
    Some(Subject {
        network: Some(name.clone()),
        unit: Some(format!("tenant-network@{id}.service")),
        files: vec![format!("network/10-bitbuilder-{link}.{suffix}")],
        ..Subject::new(kind, id)
    })
}

fn interface(id: &Name, allocation: &TenantAllocation, link: &str) -> Option<Subject> {
    allocation.machines.iter().find_map(|(workload, machine)| {
        let mut interfaces = machine.interfaces.iter();
        let (network, _) = interfaces.find(|(_, interface)| interface.link == link)?;
        Some(Subject {
            workload: Some(workload.clone()),
            network: Some(network.clone()),
            files: vec![format!("links/{workload}.host")],
            ..Subject::new(Kind::Interface, id)
        })
    })
}
