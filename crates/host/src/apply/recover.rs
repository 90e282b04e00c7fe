//! After a crash: what the journals name is undone or finished.

use super::journal::{Journal, Way};
use super::outcome::Outcome;
use super::phases::{collect, each, reload};
use super::prepare;
use super::tenant::{Run, undo};
use crate::audit::{self, Event};
use crate::host::{Host, HostError};
use crate::{generations, network};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Phase;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

/// What was done about a journal that a crash left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "recovery")]
pub enum Recovery {
    /// It had not switched: the old generation goes on, what was stopped runs again.
    Undone,
    /// It had switched, or the tenant was going away: the rest was done.
    Finished(Outcome),
    /// Something could not be done; the next pass observes and repairs.
    Failed {
        /// What.
        error: String,
    },
}

/// Recovers one tenant; `None` when no apply was in flight.
///
/// # Errors
/// When the tenants' directory is unreadable.
pub fn recover(host: &dyn Host, tenant: &Name) -> Result<Option<Recovery>, HostError> {
    if !host.root().journal(tenant).exists() {
        return Ok(None);
    }
    Ok(recover_each(host, vec![tenant.clone()]).remove(tenant))
}

/// Recovers every tenant that has a journal, with one reload of the manager for all of them.
///
/// # Errors
/// When the tenants' directory is unreadable.
pub fn recover_all(host: &dyn Host) -> Result<BTreeMap<Name, Recovery>, HostError> {
    let directory = host.root().tenants();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    let mut tenants = Vec::new();
    for entry in entries {
        let entry = entry.map_err(HostError::file(&directory))?;
        let name = entry.file_name();
        // A directory that is not named like a tenant is not one.
        if let Some(Ok(id)) = name.to_str().map(Name::new)
            && host.root().journal(&id).exists()
        {
            tenants.push(id);
        }
    }
    Ok(recover_each(host, tenants))
}

fn recover_each(host: &dyn Host, tenants: Vec<Name>) -> BTreeMap<Name, Recovery> {
    let mut recoveries = BTreeMap::new();
    let mut runs = Vec::new();
    for tenant in tenants {
        match begin(host, &tenant) {
            Ok(Some(run)) => runs.push(run),
            Ok(None) => drop(recoveries.insert(tenant, Recovery::Undone)),
            Err(error) => {
                let error = error.to_string();
                recoveries.insert(tenant, Recovery::Failed { error });
            }
        }
    }
    if !runs.is_empty() {
        let mut silent = |_| {};
        each(&mut runs, Phase::Stop, &mut silent);
        each(&mut runs, Phase::Switch, &mut silent);
        reload(host, &mut runs, &mut silent);
        each(&mut runs, Phase::Start, &mut silent);
        let finished = collect(runs).into_iter();
        recoveries.extend(finished.map(|(tenant, outcome)| (tenant, Recovery::Finished(outcome))));
    }
    for (tenant, recovery) in &recoveries {
        audit::note(host.root(), event(host, tenant, recovery));
    }
    recoveries
}

/// For the audit trail.
fn event(host: &dyn Host, tenant: &Name, recovery: &Recovery) -> Event {
    let (word, error) = match recovery {
        Recovery::Undone => ("undone", None),
        Recovery::Finished(outcome) => ("finished", outcome.error()),
        Recovery::Failed { error } => ("failed", Some(error.as_str())),
    };
    let current = generations::current(host.root(), tenant).ok().flatten();
    Event::new(Some(tenant), "recovered")
        .with("recovery", word)
        .with_some("current", current)
        .with_some("error", error)
}

/// Undoes at once; a run of what is left when it goes forward.
fn begin<'a>(host: &'a dyn Host, tenant: &Name) -> Result<Option<Run<'a>>, HostError> {
    let root = host.root();
    generations::sweep(root, tenant)?;
    prepare::sweep(host, tenant)?;
    let current = generations::current(root, tenant)?;
    let journal = match Journal::read(root, tenant) {
        Ok(Some(journal)) => journal,
        Ok(None) => return Ok(None),
        Err(error) => {
            // It cannot tell us anything. `current` is whole: the manager and the network learn what it says, and the
            // next pass starts what should run.
            Journal::remove(root, tenant)?;
            host.daemon_reload()?;
            if current.is_some() {
                network::load(host, tenant)?;
            }
            return Err(error);
        }
    };
    if journal.way(current) == Way::Finish {
        return Ok(Some(Run::new(host, None, journal)));
    }
    let undone = undo(host, &journal);
    // The journal is all that says what else has to go.
    undone.deleted?;
    Journal::remove(root, tenant)?;
    undone.started.map(|()| None)
}
