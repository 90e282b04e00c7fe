//! One pass: all stages in order, for every tenant, under the host's lock.
//!
//! - [`pass`]: fetch, compile, plan, apply, record. [`Options`] say how far and for whom; [`Report`] says how it went,
//!   [`Event`] says it as it happens, [`Trigger`] who caused it.
//! - [`preview_tenant`], [`preview_system`]: the compiler without any effect, for `plan` and for pushes.
//! - [`rollback`], [`suspend`], [`resume`]: what an operator does to one tenant.
//! - [`accepted_system`]: the system repository as it is in force. [`TenantState`]: what is remembered of a tenant.
//! - [`init`]: makes a host ready for its first pass.

mod compile;
mod error;
mod execute;
mod ground;
mod init;
mod layers;
mod lock;
mod look;
mod operate;
mod options;
mod parallel;
mod preview;
mod record;
mod registry;
mod report;
mod rest;
mod state;
mod system;
mod task;
#[cfg(test)]
mod tests;
mod trigger;

pub use crate::events::{HistoryEntry, HistoryEvent};
pub use error::PassError;
pub use init::{HostConfig, embedded_url, ensure_embedded, init, read_config};
pub use operate::{resume, rollback, suspend};
pub use options::{Options, Scope, Starts};
pub use preview::{Preview, preview_system, preview_tenant};
pub use registry::{EffectiveRegistry, EffectiveTenant, effective_registry};
pub use report::{Event, Report, SystemReport, TenantReport, Verdict};
pub use state::{FetchFailure, Refusal, Suspension, TenantState};
pub use system::{Revision, SystemState, accepted_system};
pub use trigger::{Trigger, UnknownTrigger, is_delivery};

use crate::apply::{self, Recovery};
use crate::host::{Host, HostError};
use bitbuilder_core::model::Name;
use execute::execute;
use ground::Ground;
use lock::Lock;
use look::look;
use rest::{Rest, Still};
use std::collections::BTreeMap;
use task::{Planner, Task};

/// Tenants whose repositories are asked at once: remotes mostly let one wait.
const FETCHES: usize = 16;

/// Brings the host to what the repositories say: recover, fetch, compile, plan, apply, record.
///
/// One tenant's failure never stops another's; it is in the report.
///
/// # Errors
/// When nothing can be done at all: the host is not initialised, the lock cannot be taken, or its state is damaged.
pub fn pass(
    host: &dyn Host,
    options: &Options,
    say: &mut dyn FnMut(Event),
) -> Result<Report, PassError> {
    let Some(mut lock) = lock(host, options, say)? else {
        return Ok(Report::default());
    };
    let rest = lock.rest.take();
    let still = Still::of(host, options, rest.as_ref())?;
    if let Some(report) = still.report() {
        rest::leave(host.root(), rest.as_ref())?;
        return Ok(report);
    }
    let stuck = recover(host)?;
    let (system, revision) = system::update(host, options, say)?;
    let still = still.under(&revision);
    let mut ground = Ground::read(host, revision)?;
    let mut tasks = tenants(host, &mut ground, options, &stuck, &still)?;
    tasks.extend(leaving(host, &ground, options));
    let tenants = if options.plan_only {
        tasks.into_iter().map(Task::into_report).collect()
    } else {
        execute(host, &mut ground, tasks, say)?
    };
    let rest = match options.plan_only {
        true => rest.clone(),
        false => Rest::after(host, &ground, rest.clone(), &system, &tenants)?,
    };
    rest::leave(host.root(), rest.as_ref())?;
    let tenants = still.and(tenants);
    Ok(Report { system, tenants })
}

/// Finishes or undoes what a crash interrupted. A tenant whose journal is still needed afterwards is returned with the
/// reason: a new plan would not know what the old one left half done, so that tenant waits for the next pass.
fn recover(host: &dyn Host) -> Result<BTreeMap<Name, String>, PassError> {
    let recovered = apply::recover_all(host)?.into_iter();
    let unfinished = recovered.filter(|(id, _)| host.root().journal(id).exists());
    let stuck = unfinished.map(|(id, recovery)| {
        let error = match &recovery {
            Recovery::Failed { error } => Some(error.as_str()),
            Recovery::Finished(outcome) => outcome.error(),
            Recovery::Undone => None,
        };
        let error = error.unwrap_or("a step was left out");
        (
            id,
            format!("the interrupted change cannot be finished: {error}"),
        )
    });
    Ok(stuck.collect())
}

/// The host's lock. A tenant that is being provisioned waits only until another pass has provisioned it: that pass may
/// be starting the unit that waits for this one.
fn lock(
    host: &dyn Host,
    options: &Options,
    say: &mut dyn FnMut(Event),
) -> Result<Option<Lock>, PassError> {
    let waiting = || say(Event::Waiting);
    match (&options.scope, options.starts) {
        (Scope::One(id), Starts::Left) => {
            let current = host.root().current(id);
            let left = || current.symlink_metadata().is_err();
            Ok(lock::take_while(host.root(), left, waiting)?)
        }
        _ => Ok(Some(lock::take(host.root(), waiting)?)),
    }
}

/// The tenants of the scope that are registered: fetched side by side, compiled one after the other because what one
/// gets another cannot have.
fn tenants(
    host: &dyn Host,
    ground: &mut Ground,
    options: &Options,
    stuck: &BTreeMap<Name, String>,
    still: &Still<'_>,
) -> Result<Vec<Task>, PassError> {
    let tenants = ground.revision.system.tenants.clone();
    let scope: Vec<_> = match &options.scope {
        Scope::All => tenants
            .iter()
            .filter(|tenant| !still.has(&tenant.id))
            .collect(),
        Scope::One(id) => {
            ground.registration(id)?;
            tenants.iter().filter(|tenant| tenant.id == *id).collect()
        }
    };
    let looks = {
        let ground = &*ground;
        parallel::map(scope, FETCHES, |registration| {
            let id = &registration.id;
            let found = match stuck.get(id) {
                Some(error) => Err(HostError::damaged(&host.root().journal(id), error).into()),
                None => look(host, ground, registration, options),
            };
            (id, found)
        })
    };
    let planner = Planner {
        host,
        options,
        diffs: options.plan_only,
    };
    let tasks = looks.into_iter().map(|(id, found)| {
        let task = found.and_then(|look| planner.task(ground, look));
        task.unwrap_or_else(|error| Task::failed(id, &error))
    });
    Ok(tasks.collect())
}

/// Tenants that left the registry, when the pass is for all.
fn leaving(host: &dyn Host, ground: &Ground, options: &Options) -> Vec<Task> {
    if options.scope != Scope::All {
        return Vec::new();
    }
    let planner = Planner {
        host,
        options,
        diffs: false,
    };
    let ids = ground.leaving().into_iter();
    let task = |id| {
        planner
            .removal(ground, &id)
            .unwrap_or_else(|error| Task::failed(&id, &error))
    };
    ids.map(task).collect()
}
