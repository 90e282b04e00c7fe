//! Plans as a pass makes them.

use super::scene::{Target, name};
use crate::generations;
use crate::host::Host;
use crate::observe::{Presence, observed};
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Input, Observed, Plan};
use std::fs;

/// From what is current to `target`.
pub(super) fn plan(host: &dyn Host, target: &Target) -> Plan {
    let tenant = &target.manifest.tenant;
    let current = generations::read_current(host.root(), tenant).unwrap();
    let seen = see(host, tenant, [current.as_ref(), Some(&target.manifest)]);
    let directory = host.root().current(tenant);
    let contents = |path: &str| fs::read(directory.join(path)).ok();
    let mut input = Input::new(tenant, &seen);
    input.current = current.as_ref();
    input.target = Some((&target.manifest, &target.artefacts));
    input.contents = &contents;
    bitbuilder_core::plan::plan(&input)
}

/// Away with `id`.
pub(super) fn removal(host: &dyn Host, id: &str) -> Plan {
    let tenant = name(id);
    let current = generations::read_current(host.root(), &tenant).unwrap();
    let seen = see(host, &tenant, [current.as_ref(), None]);
    let mut input = Input::new(&tenant, &seen);
    input.current = current.as_ref();
    bitbuilder_core::plan::plan(&input)
}

fn see(host: &dyn Host, tenant: &Name, manifests: [Option<&Manifest>; 2]) -> Observed {
    let units = manifests.into_iter().flatten().flat_map(|m| &m.units);
    let units: Vec<&str> = units.map(|unit| unit.name.as_str()).collect();
    let presence = Presence::read(host).unwrap();
    observed(host, &presence, tenant, &units).unwrap()
}
