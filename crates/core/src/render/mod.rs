//! Desired state and allocations to artefacts: every file of a generation, and what apply must know of it.
//!
//! Each module writes one kind of file; [`scene`] brings together what they share. The texts say where they come
//! from (`X-BitBuilder-Tenant=`, `X-BitBuilder-File=`) but neither commit nor line: those change without a
//! reason to restart anything, and are in the record of the generation.

mod boot;
mod capabilities;
mod container;
mod health;
mod hosts;
mod limits;
mod links;
mod machine;
mod mounts;
mod names;
mod namespace;
mod network;
mod nspawn;
mod ruleset;
mod scene;
mod service;
mod set;
mod tenant;
mod uplink;
mod vmspawn;
mod vxlan;
mod wireguard;

pub use health::HealthCheck;
pub(crate) use names::TENANT_LINK_GROUP;
pub(crate) use scene::{join, modified_eui64};

use crate::allocate::TenantAllocation;
use crate::artefact::Artefacts;
use crate::desired::DesiredTenant;
use crate::finding::Finding;
use scene::Scene;
use set::Set;

/// Renders everything that `tenant` consists of, with the numbers and names that it was given.
///
/// Equal arguments give equal artefacts, byte for byte. Paths in the result are relative to the generation
/// directory; paths in the texts go through `/var/lib/tenants/<id>/current/`.
///
/// # Errors
/// Values that systemd's syntax cannot carry, names of units that become too long, and missing allocations.
pub fn render(
    tenant: &DesiredTenant,
    allocation: &TenantAllocation,
) -> Result<Artefacts, Vec<Finding>> {
    let scene = Scene::new(tenant, allocation)?;
    let mut set = Set::new(tenant);
    tenant::render(&scene, &mut set);
    network::render(&scene, &mut set);
    uplink::render(&scene, &mut set);
    namespace::render(&scene, &mut set);
    ruleset::render(&scene, &mut set);
    mounts::render(&scene, &mut set);
    for workload in &scene.workloads {
        service::render(&scene, workload, &mut set);
        links::render(&scene, workload, &mut set);
        hosts::render(&scene, workload, &mut set);
        health::render(&scene, workload, &mut set);
    }
    boot::render(&scene, &mut set);
    set.finish()
}
