//! Plans as a pass makes them, of what the manifests say.

use super::scene::{Target, name};
use crate::generations;
use crate::host::{Host, UnitState};
use bitbuilder_core::artefact::{Manifest, UnitKind, UpdateClass};
use bitbuilder_core::plan::{Action, Phase, Plan, Step};
use std::collections::BTreeSet;

/// From what is current to `target`.
pub(super) fn plan(host: &dyn Host, target: &Target) -> Plan {
    let manifest = &target.manifest;
    let current = generations::read_current(host.root(), &manifest.tenant).unwrap();
    let mut steps = prepare(manifest);
    let mut stopped = BTreeSet::new();
    let mut network = true;
    if let Some(current) = &current {
        let changed: Vec<&String> = differing(current, manifest);
        network = changed
            .iter()
            .any(|path| path.starts_with("network/") || path.starts_with("nftables/"));
        stopped = stops(current, manifest, &changed);
        let of_kind = |mounts: bool| -> Vec<String> {
            let units = stopped.iter();
            units
                .filter(|unit| unit.ends_with(".mount") == mounts)
                .cloned()
                .collect()
        };
        for units in [of_kind(false), of_kind(true)] {
            if !units.is_empty() {
                steps.push(step(Phase::Stop, Action::Stop { units }));
            }
        }
        for unit in changed
            .iter()
            .filter_map(|path| path.strip_suffix(".d/60-limits.conf"))
        {
            let unit = unit.trim_start_matches("system/").to_owned();
            let properties = vec![("MemoryMax".to_owned(), "1".to_owned())];
            steps.push(step(
                Phase::Start,
                Action::SetProperties { unit, properties },
            ));
        }
    }
    steps.push(step(
        Phase::Switch,
        Action::Switch {
            number: manifest.number,
        },
    ));
    if network {
        steps.push(step(Phase::Start, Action::ReloadNetwork));
    }
    let start = |unit: &&bitbuilder_core::artefact::OwnedUnit| match &current {
        None => unit.kind == UnitKind::Tenant,
        Some(_) => unit.kind == UnitKind::Workload && stopped.contains(&unit.name),
    };
    let units: Vec<String> = manifest
        .units
        .iter()
        .filter(start)
        .map(|unit| unit.name.clone())
        .collect();
    if !units.is_empty() {
        steps.push(step(Phase::Start, Action::Start { units }));
    }
    steps.sort_by_key(|step| step.phase);
    Plan {
        tenant: manifest.tenant.clone(),
        from: current.map(|current| current.number),
        to: Some(manifest.number),
        commit: Some(manifest.commit.clone()),
        steps,
        changes: Vec::new(),
        findings: Vec::new(),
    }
}

/// Away with `id`.
pub(super) fn removal(host: &dyn Host, id: &str) -> Plan {
    let tenant = name(id);
    let current = generations::read_current(host.root(), &tenant).unwrap();
    let units: Vec<String> = current
        .iter()
        .flat_map(|m| &m.units)
        .map(|unit| unit.name.clone())
        .collect();
    let patterns: Vec<&str> = units.iter().map(String::as_str).collect();
    let states = host.units(&patterns).unwrap();
    let active = states
        .into_iter()
        .filter(|(_, state): &(String, UnitState)| state.active != "inactive");
    let (mounts, others): (Vec<String>, Vec<String>) = active
        .map(|(unit, _)| unit)
        .partition(|unit| unit.ends_with(".mount"));
    Plan {
        tenant,
        from: current.map(|current| current.number),
        to: None,
        commit: None,
        steps: vec![
            step(Phase::Stop, Action::Stop { units: others }),
            step(Phase::Stop, Action::Stop { units: mounts }),
            step(Phase::Switch, Action::Unlink),
            step(Phase::Start, Action::ReloadNetwork),
        ],
        changes: Vec::new(),
        findings: Vec::new(),
    }
}

fn prepare(manifest: &Manifest) -> Vec<Step> {
    let layers = manifest.layers.iter().cloned().map(Action::PrepareLayer);
    let directories = manifest
        .directories
        .iter()
        .cloned()
        .map(Action::MakeDirectory);
    let write = Action::WriteGeneration {
        number: manifest.number,
    };
    layers
        .chain(directories)
        .chain([write])
        .map(|action| step(Phase::Prepare, action))
        .collect()
}

fn differing<'a>(old: &'a Manifest, new: &'a Manifest) -> Vec<&'a String> {
    let paths: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
    paths
        .into_iter()
        .filter(|path| {
            old.files.get(*path).map(|f| &f.sha256) != new.files.get(*path).map(|f| &f.sha256)
        })
        .collect()
}

/// Units of changed files, and what stands on them.
fn stops(old: &Manifest, new: &Manifest, changed: &[&String]) -> BTreeSet<String> {
    let record = |path: &String| old.files.get(path).or(new.files.get(path));
    let mut stops: BTreeSet<String> = changed
        .iter()
        .filter_map(|path| record(path))
        .filter(|file| file.class > UpdateClass::Live)
        .filter_map(|file| file.unit.clone())
        .collect();
    loop {
        let above = old
            .units
            .iter()
            .filter(|unit| unit.requires.iter().any(|mount| stops.contains(mount)));
        let more: Vec<String> = above
            .map(|unit| unit.name.clone())
            .filter(|unit| !stops.contains(unit))
            .collect();
        if more.is_empty() {
            return stops;
        }
        stops.extend(more);
    }
}

fn step(phase: Phase, action: Action) -> Step {
    Step {
        phase,
        action,
        reason: "test".into(),
        class: UpdateClass::Live,
        origin: None,
    }
}
