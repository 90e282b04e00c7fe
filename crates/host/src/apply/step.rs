//! Executes one step.

use super::StepResult;
use super::journal::Journal;
use super::{LayerSource, Work, prepare};
use crate::atomic::Written;
use crate::host::{Host, HostError, UnitState};
use crate::{generations, network, teardown};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Action;
use std::collections::BTreeMap;

/// What the steps of the first phase need beside the host.
#[derive(Clone, Copy)]
pub(super) struct Sources<'a> {
    pub(super) layers: &'a dyn LayerSource,
    pub(super) work: Work<'a>,
}

/// Executes `action` for `tenant`. `sources` is absent in a recovery, which never prepares.
pub(super) fn execute(
    host: &dyn Host,
    tenant: &Name,
    action: &Action,
    sources: Option<Sources<'_>>,
    journal: &mut Journal,
) -> StepResult {
    let result = match action {
        Action::PrepareLayer(layer) => needs(host, tenant, sources)
            .and_then(|from| prepare::layer(host, from.layers, tenant, layer, from.work.owner)),
        Action::MakeDirectory(directory) => prepare::directory(host, tenant, directory),
        Action::MakeDisk(disk) => prepare::disk(host, tenant, disk),
        Action::WriteGeneration { number } => needs(host, tenant, sources)
            .and_then(|from| write_generation(host, tenant, *number, from.work)),
        Action::Stop { units } => stop(host, tenant, units, journal),
        Action::Switch { number } => {
            generations::switch(host.root(), tenant, *number).map(is_change)
        }
        Action::Unlink => generations::unlink(host.root(), tenant),
        Action::ReloadNetwork => reload_network(host, tenant),
        Action::RenewLeases { links } => host.renew_leases(links).map(|()| true),
        Action::SetProperties { unit, properties } => {
            host.set_properties(unit, properties).map(|()| true)
        }
        Action::Start { units } => start(host, units),
        Action::Erase { units } => teardown::erase(host, tenant, units),
        Action::RestoreFiles { number } => {
            needs(host, tenant, sources).and_then(|from| restore(host, tenant, *number, from.work))
        }
        Action::Revert { units } => host.revert(units).map(|()| true),
        // The manager reloads when the phase of switches is over and one of them did something.
        Action::Reload => Ok(true),
        Action::FixLinks { fixes } => host.fix_links(fixes).map(|()| true),
    };
    match result {
        Ok(true) => StepResult::Done,
        Ok(false) => StepResult::Unchanged,
        Err(error) => StepResult::Failed {
            error: error.to_string(),
        },
    }
}

fn needs<'a>(
    host: &dyn Host,
    tenant: &Name,
    sources: Option<Sources<'a>>,
) -> Result<Sources<'a>, HostError> {
    sources.ok_or_else(|| {
        let path = host.root().tenant(tenant);
        HostError::damaged(&path, "what it is prepared from is not at hand")
    })
}

fn write_generation(
    host: &dyn Host,
    tenant: &Name,
    number: u64,
    work: Work<'_>,
) -> Result<bool, HostError> {
    match work.target {
        Some((manifest, artefacts)) if manifest.number == number && manifest.tenant == *tenant => {
            generations::write(host.root(), manifest, artefacts).map(is_change)
        }
        _ => {
            let path = host.root().generation(tenant, number);
            Err(HostError::damaged(
                &path,
                "the plan writes another generation than was compiled",
            ))
        }
    }
}

fn restore(host: &dyn Host, tenant: &Name, number: u64, work: Work<'_>) -> Result<bool, HostError> {
    match work.target {
        Some((manifest, artefacts)) if manifest.number == number && manifest.tenant == *tenant => {
            generations::restore(host.root(), manifest, artefacts)
        }
        _ => {
            let path = host.root().generation(tenant, number);
            Err(HostError::damaged(
                &path,
                "the plan restores another generation than was compiled",
            ))
        }
    }
}

/// Stops what runs, and notes down first what of the tenant does: that is started again when the plan is undone, and a
/// stop takes more along than it names.
fn stop(
    host: &dyn Host,
    tenant: &Name,
    units: &[String],
    journal: &mut Journal,
) -> Result<bool, HostError> {
    let mut concerned = units.to_vec();
    // Without a manifest there is only what the plan says.
    if let Ok(Some(current)) = generations::read_current(host.root(), tenant) {
        concerned.extend(current.units.into_iter().map(|unit| unit.name));
    }
    let running: Vec<String> = states(host, &concerned)?
        .into_iter()
        .filter(|(_, state)| state.active != "inactive" && state.active != "failed")
        .map(|(unit, _)| unit)
        .collect();
    if !running.iter().any(|unit| units.contains(unit)) {
        return Ok(false);
    }
    journal.stopped.extend(running);
    journal.save(host.root())?;
    host.stop(units).map(|()| true)
}

/// Starts all of them, active ones too: what they want may have stopped.
fn start(host: &dyn Host, units: &[String]) -> Result<bool, HostError> {
    let before = states(host, units)?;
    host.start(units)?;
    let active = |unit: &String| before.get(unit).is_some_and(UnitState::is_active);
    Ok(!units.iter().all(active))
}

fn states(host: &dyn Host, units: &[String]) -> Result<BTreeMap<String, UnitState>, HostError> {
    let patterns: Vec<&str> = units.iter().map(String::as_str).collect();
    host.units(&patterns)
}

fn reload_network(host: &dyn Host, tenant: &Name) -> Result<bool, HostError> {
    match generations::current(host.root(), tenant)? {
        Some(_) => network::load(host, tenant),
        None => network::unload(host, tenant),
    }
    .map(|()| true)
}

fn is_change(written: Written) -> bool {
    written != Written::Unchanged
}
