//! What `setup-tenant@` and `tenant@` run.

use crate::console::Console;
use crate::failure::{Failure, Result};
use crate::{progress, registry};
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::model::Name;
use bitbuilder_host::generations;
use bitbuilder_host::host::{Host, HostError, UnitState};
use bitbuilder_host::reconcile::{self, Options, Scope, Starts, TenantState, Trigger};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

/// Gives `id` its first generation. A tenant that has one starts from it: no remote is asked. One that was on trial when
/// the host went down is left first.
///
/// # Errors
/// When the tenant is not in the registry, its repository is not accepted, or the host fails.
pub fn provision(host: &dyn Host, id: &Name, console: &Console) -> Result {
    reconcile::end_stale(host, id)?;
    if generations::current(host.root(), id)?.is_some() {
        registry::registration(host, id)?;
        return Ok(());
    }
    let options = Options {
        scope: Scope::One(id.clone()),
        fetch: true,
        // The starts wait for the unit that runs this.
        starts: Starts::Left,
        trigger: Trigger::Boot,
        ..Options::default()
    };
    let report = match reconcile::pass(host, &options, &mut |_| {}) {
        Ok(report) => report,
        Err(error) => return Err(progress::pass_failure(error, console)),
    };
    if report.succeeded() {
        return Ok(());
    }
    progress::complain(&report, console);
    let message = format!("tenant {id} has no generation to start from");
    Err(Failure::text(message).next(format!("bbctl sync {id}")))
}

/// Queues the starts of what the current generation wants running and what is not: its units came into being after the
/// job of `tenant@` was made, so that nothing else pulls them in.
///
/// # Errors
/// When there is no current generation, its record is damaged, or the manager refuses.
pub fn manage(host: &dyn Host, id: &Name, console: &Console) -> Result {
    let manifest = generations::read_current(host.root(), id)
        .map_err(|error| damaged(id, error))?
        .ok_or_else(|| no_generation(id, "so there is nothing to start"))?;
    watch(host, id)?;
    let names: Vec<&str> = wanted(&manifest).collect();
    if names.is_empty() {
        return Ok(());
    }
    let states = host.units(&names)?;
    let missing = missing(&names, &states);
    if missing.is_empty() {
        return Ok(());
    }
    console.say(&format!("starting {}", missing.join(" ")));
    host.start_no_block(&missing)?;
    Ok(())
}

/// A generation that was being tried when the host went down is tried from the beginning.
fn watch(host: &dyn Host, id: &Name) -> Result {
    let state = TenantState::read(host.root(), id)?;
    if state.window.is_some() || state.returning.is_some() {
        host.start_no_block(&[reconcile::judge_unit(id)])?;
    }
    Ok(())
}

/// Forgets the health results of `id`. Its units stop by themselves (`PartOf=`).
///
/// # Errors
/// When the directory cannot be removed.
pub fn clean_up(host: &dyn Host, id: &Name) -> Result {
    let directory = host.root().runtime().join("health").join(id.as_str());
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(HostError::file(&directory)(error).into())
        }
        _ => Ok(()),
    }
}

/// The failure of a role that needs a current generation.
pub(crate) fn no_generation(id: &Name, therefore: &str) -> Failure {
    Failure::text(format!(
        "tenant {id} has no current generation, {therefore}"
    ))
    .next(format!("systemctl start setup-tenant@{id}.service"))
}

fn damaged(id: &Name, error: HostError) -> Failure {
    let error = anyhow::Error::new(error).context(format!(
        "the current generation of tenant {id} cannot be used"
    ));
    Failure::new(error).next(format!("bbctl rollback {id}"))
}

/// The namespace, workloads and health timers that start with the tenant.
fn wanted(manifest: &Manifest) -> impl Iterator<Item = &str> {
    manifest
        .units
        .iter()
        .filter(|unit| {
            let kinds = [UnitKind::Namespace, UnitKind::Workload, UnitKind::Health];
            unit.autostart && kinds.contains(&unit.kind)
        })
        .map(|unit| unit.name.as_str())
}

/// Those of `names` that neither run nor are about to.
fn missing(names: &[&str], states: &BTreeMap<String, UnitState>) -> Vec<String> {
    let runs = |name: &str| {
        states.get(name).is_some_and(|unit| {
            matches!(unit.active.as_str(), "active" | "activating" | "reloading")
        })
    };
    names
        .iter()
        .filter(|name| !runs(name))
        .map(|name| (*name).to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_does_not_run_is_missing() {
        let state = |active: &str| UnitState {
            active: active.to_owned(),
            ..UnitState::default()
        };
        let states = BTreeMap::from([
            ("a.service".to_owned(), state("active")),
            ("b.service".to_owned(), state("activating")),
            ("c.service".to_owned(), state("failed")),
        ]);
        let names = ["a.service", "b.service", "c.service", "d.timer"];
        assert_eq!(missing(&names, &states), ["c.service", "d.timer"]);
    }
}
