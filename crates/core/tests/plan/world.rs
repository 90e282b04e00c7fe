//! Generations of tenants, and hosts on which they run.

use bitbuilder_core::artefact::{Artefacts, Manifest, Provenance, UnitKind, manifest};
use bitbuilder_core::desired::DesiredTenant;
use bitbuilder_core::plan::{Action, Input, Observed, Plan, plan};
use bitbuilder_core::render::render;
use std::collections::BTreeSet;

use crate::fixtures::allocation;

/// A rendered generation with its record.
#[derive(Clone)]
pub(crate) struct Generation {
    pub(crate) artefacts: Artefacts,
    pub(crate) manifest: Manifest,
}

pub(crate) fn generation(tenant: &DesiredTenant, number: u64) -> Generation {
    let artefacts = render(tenant, &allocation(tenant, 1)).unwrap();
    let provenance = Provenance {
        tenant: tenant.id.clone(),
        number,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        commit: number.to_string().repeat(40),
        reference: "refs/heads/main".into(),
        repository: "https://git.example/shop.git".into(),
        system: "f".repeat(40),
        signer: None,
        inputs: "0".repeat(64),
        created: 1_000,
    };
    Generation {
        manifest: manifest(provenance, &artefacts),
        artefacts,
    }
}

/// Everything of `generation` is there, and everything that starts with the tenant runs.
pub(crate) fn running(generation: &Generation) -> Observed {
    let units = &generation.manifest.units;
    let enabled = units
        .iter()
        .any(|unit| unit.kind == UnitKind::Tenant && unit.autostart);
    let mut active: BTreeSet<String> = units
        .iter()
        .filter(|unit| {
            unit.autostart || enabled && matches!(unit.kind, UnitKind::Slice | UnitKind::Network)
        })
        .map(|unit| unit.name.clone())
        .collect();
    for _ in 0..3 {
        let required: Vec<String> = units
            .iter()
            .filter(|unit| active.contains(&unit.name))
            .flat_map(|unit| unit.requires.clone())
            .collect();
        active.extend(required);
    }
    Observed {
        active,
        layers: generation
            .manifest
            .layers
            .iter()
            .map(|layer| layer.key.clone())
            .collect(),
        directories: generation
            .manifest
            .directories
            .iter()
            .map(|directory| directory.path.clone())
            .collect(),
    }
}

/// The plan from `current` to `target` on a host that is in the state `observed`.
pub(crate) fn between(
    current: Option<&Generation>,
    target: Option<&Generation>,
    observed: &Observed,
) -> Plan {
    let tenant = &current.or(target).unwrap().manifest.tenant;
    let contents = |path: &str| {
        let file = current?.artefacts.files.get(path)?;
        Some(file.content.clone())
    };
    plan(&Input {
        current: current.map(|one| &one.manifest),
        target: target.map(|one| (&one.manifest, &one.artefacts)),
        contents: &contents,
        diffs: true,
        ..Input::new(tenant, observed)
    })
}

/// From one running tenant to another.
pub(crate) fn change(from: &DesiredTenant, to: &DesiredTenant) -> Plan {
    let (current, target) = (generation(from, 1), generation(to, 2));
    between(Some(&current), Some(&target), &running(&current))
}

/// Units of all stops, in order.
pub(crate) fn stopped(plan: &Plan) -> Vec<&str> {
    let units = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Stop { units } => Some(units),
        _ => None,
    });
    units.flatten().map(String::as_str).collect()
}

/// Units of all starts, in order.
pub(crate) fn started(plan: &Plan) -> Vec<&str> {
    let units = plan.steps.iter().filter_map(|step| match &step.action {
        Action::Start { units } => Some(units),
        _ => None,
    });
    units.flatten().map(String::as_str).collect()
}
