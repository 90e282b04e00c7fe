//! One pass: all stages in order, for every tenant, under the host's lock.
//!
//! - [`pass`]: fetch, compile, plan, apply, record. [`Options`] say how far and for whom; [`Report`] says how it went,
//!   [`Event`] says it as it happens, [`Trigger`] who caused it.
//! - [`preview_tenant`], [`preview_system`]: the compiler without any effect, for `plan` and for pushes.
//! - [`judge`]: whether what was deployed works, and what follows.
//! - [`try_out`], [`confirm`]: a generation that is gone by itself unless somebody confirms it.
//! - [`rollback`], [`suspend`], [`resume`]: what an operator does to one tenant. [`left`], [`purge`]: tenants that left.
//! - [`accepted_system`]: the system repository as it is in force. [`TenantState`]: what is remembered of a tenant.
//! - [`init`]: makes a host ready for its first pass.

mod access;
mod compile;
mod drift;
mod error;
mod execute;
mod ground;
mod init;
mod kept;
mod keys;
mod layers;
mod leave;
mod lock;
mod look;
mod operate;
mod options;
mod parallel;
mod preview;
mod record;
mod registry;
mod remotes;
mod report;
mod rest;
mod state;
mod system;
mod task;
#[cfg(test)]
mod tests;
pub(crate) mod trial;
mod trigger;
mod trust;
mod units;
mod waiting;
pub(crate) mod watch;
mod webhooks;

pub use crate::events::{HistoryEntry, HistoryEvent};
pub use error::PassError;
pub use init::{HostConfig, embedded_url, ensure_embedded, init, read_config, require_signatures};
pub use keys::{Rotated, rotate_key};
pub use leave::{Left, left, purge};
pub use operate::{resume, rollback, suspend};
pub use options::{Options, Scope, Starts};
pub use preview::{Preview, find_reference, preview_commit, preview_system, preview_tenant};
pub use registry::{EffectiveRegistry, EffectiveTenant, effective_registry};
pub use remotes::is_remote_unreachable;
pub use report::{Event, Report, SystemReport, TenantReport, Verdict};
pub(crate) use state::summary;
pub use state::{
    Degradation, Drift, FetchFailure, Refusal, Return, Suspension, TenantState, Trial,
};
pub use system::{Revision, SystemState, accepted_system};
pub use trial::{branch as testing_branch, confirm, end_stale, try_out};
pub use trigger::{Trigger, UnknownTrigger, is_delivery};
pub use watch::{judge, judge_unit};

use crate::apply::{self, Recovery};
use crate::audit::{self, Command, Draft};
use crate::generations;
use crate::host::{Host, HostError};
use crate::notify;
use bitbuilder_core::model::Name;
use execute::execute;
use ground::Ground;
use lock::Lock;
use look::look;
use remotes::{Answers, Remotes};
use rest::{Rest, Still};
use std::collections::BTreeMap;
use std::thread;
use system::Prospect;
use task::{Planner, Task};

/// Tenants that are looked at side by side.
const LOOKS: usize = 16;

/// Brings the host to what the repositories say: fetch, recover, compile, plan, apply, record.
///
/// One tenant's failure never stops another's, and a remote that is slow holds up nobody else: what answers is applied while
/// the others are waited for, and the host's lock is not held meanwhile. How it went is in the report.
///
/// # Errors
/// When nothing can be done at all: the host is not initialised, the lock cannot be taken, or its state is damaged.
pub fn pass(
    host: &dyn Host,
    options: &Options,
    say: &mut dyn FnMut(Event),
) -> Result<Report, PassError> {
    let mut command = options.command();
    let made = stages(host, options, &mut command, say);
    // Nothing was there to be done, or it could not be begun: it was said all the same.
    if let Some(mut command) = command {
        command.error = made.as_ref().err().map(ToString::to_string);
        audit::record(host, Draft::command(host, command));
    }
    if options.scope == Scope::All && !options.plan_only {
        // Who is near a limit is told the next time.
        let _ = notify::look_at_limits(host);
    }
    made
}

/// All stages in order; the first locked part takes `command` to its record.
fn stages(
    host: &dyn Host,
    options: &Options,
    command: &mut Option<Command>,
    say: &mut dyn FnMut(Event),
) -> Result<Report, PassError> {
    access::sweep(host.root());
    let rest = rest::peek(host.root())?;
    let still = Still::of(host, options, rest.as_ref())?;
    if let Some(report) = still.report() {
        return Ok(report);
    }
    thread::scope(|threads| {
        let mut system = system::ask(threads, host, options, say)?;
        let mut fetched = system.answer(remotes::patience(host, options)?);
        let mut report = Report::default();
        loop {
            let prospect = system::look(host, options, fetched)?;
            if report.system.commit.as_ref() == Some(&prospect.revision.commit) {
                note(host, options, prospect, &mut report, say)?;
            } else {
                let still = still.under(&prospect.revision);
                let found = (prospect, still);
                rounds(threads, host, options, found, command, &mut report, say)?;
            }
            match system.answer(None) {
                Some(late) => fetched = Some(late),
                None => return Ok(report),
            }
        }
    })
}

/// A late answer of the system repository that changes nothing is remembered.
fn note(
    host: &dyn Host,
    options: &Options,
    prospect: Prospect,
    report: &mut Report,
    say: &mut dyn FnMut(Event),
) -> Result<(), PassError> {
    let mut lock = lock::take(host.root(), || say(Event::Waiting))?;
    report.system = acting(host, options, &mut None, || {
        Ok(system::settle(host, options, prospect)?.0)
    })?;
    let rest = lock.rest.take().filter(|_| report.system.is_settled());
    rest::leave(host.root(), rest.as_ref());
    Ok(())
}

/// The tenants, in rounds: first those whose remotes answer soon or are not asked, then the late ones.
fn rounds<'scope, 'env>(
    threads: &'scope thread::Scope<'scope, 'env>,
    host: &'env dyn Host,
    options: &Options,
    (prospect, still): (Prospect, Still<'_>),
    command: &mut Option<Command>,
    report: &mut Report,
    say: &mut dyn FnMut(Event),
) -> Result<(), PassError> {
    let questions = remotes::questions(host, options, &prospect.revision, &still)?;
    let timeout = prospect.revision.system.policy.sync.timeout;
    let mut remotes = Remotes::ask(threads, host, timeout, questions);
    let (mut prospect, mut still) = (Some(prospect), Some(still));
    loop {
        let mut answers = match options.plan_only {
            true => remotes.rest(),
            false => remotes.next(),
        };
        let Some(mut lock) = lock(host, options, say)? else {
            return Ok(());
        };
        let rest = lock.rest.take();
        let rest = acting(host, options, command, || {
            // What a crash left half done is left alone by a plan.
            let stuck = match options.plan_only {
                true => BTreeMap::new(),
                false => {
                    trial::end_all_stale(host)?;
                    recover(host)?
                }
            };
            let first = prospect.is_some();
            let revision = match prospect.take() {
                Some(prospect) => {
                    let (system, revision) = system::settle(host, options, prospect)?;
                    report.system = system;
                    revision
                }
                None => accepted_system(host)?,
            };
            let mut ground = Ground::read(host, revision)?;
            if let Some(still) = still.take() {
                let still = still.if_left_by(rest.as_ref()).under(&ground.revision);
                report.merge(still.reports());
                answers.add_unasked(&remotes, &ground.revision, options, &still);
            }
            if !options.plan_only {
                trial::confirm_merged(host, &ground)?;
            }
            let mut tasks = tenants(host, &mut ground, options, answers, &stuck);
            if first {
                tasks.extend(leaving(host, &ground, options)?);
            }
            if options.plan_only {
                report.merge(tasks.into_iter().map(Task::into_report).collect());
                return Ok(rest);
            }
            let mut done = execute(host, &mut ground, tasks, say)?;
            attend(host, &mut ground, &mut done, say);
            trial::follow(host, &mut ground, &mut done, say);
            if first && let Err(error) = units::converge(host, &ground.revision) {
                report.system.error.get_or_insert(error.to_string());
            }
            // One that cannot be written costs time at a reload, no more.
            let _ = generations::index(host.root());
            let rest = Rest::after(host, &ground, rest, &report.system, &done)?;
            report.merge(done);
            Ok(rest)
        })?;
        rest::leave(host.root(), rest.as_ref());
        if remotes.is_done() {
            return Ok(());
        }
    }
}

/// Whatever is being tried, or does not work, is looked at; a report says the worst that happened to its tenant.
fn attend(
    host: &dyn Host,
    ground: &mut Ground,
    reports: &mut [TenantReport],
    say: &mut dyn FnMut(Event),
) {
    for report in reports.iter_mut().filter(|report| report.attend) {
        let worse = match watch::attend(host, ground, &report.tenant, say) {
            Ok(Some(worse)) if worse.verdict.is_bad() => worse,
            Ok(_) => continue,
            Err(error) => {
                report.verdict = Verdict::Failed;
                report.error = Some(error.to_string());
                continue;
            }
        };
        report.verdict = worse.verdict;
        report.generation = worse.generation;
        report.error = worse.error;
        if worse.plan.is_some() {
            (report.plan, report.outcome) = (worse.plan, worse.outcome);
        }
        say(Event::Finished {
            report: Box::new(report.clone()),
        });
    }
}

/// Does `body`, under the host's lock, as an act of whoever caused the pass; a pass that only plans leaves no record.
fn acting<T>(
    host: &dyn Host,
    options: &Options,
    command: &mut Option<Command>,
    body: impl FnOnce() -> Result<T, PassError>,
) -> Result<T, PassError> {
    if options.plan_only {
        return body();
    }
    audit::act(host, &options.trigger, command.take(), body)
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

/// The registered tenants that `answers` are about: looked at side by side, compiled one after the other because what one
/// gets another cannot have.
fn tenants(
    host: &dyn Host,
    ground: &mut Ground,
    options: &Options,
    mut answers: Answers,
    stuck: &BTreeMap<Name, String>,
) -> Vec<Task> {
    let tenants = ground.revision.system.tenants.clone();
    let concerned = tenants
        .iter()
        .filter_map(|tenant| Some((tenant, answers.take(tenant)?)));
    let concerned = concerned.collect();
    let looks = {
        let ground = &*ground;
        parallel::map(concerned, LOOKS, |(registration, fetched)| {
            let id = &registration.id;
            let found = match stuck.get(id) {
                Some(error) => Err(HostError::damaged(&host.root().journal(id), error).into()),
                None => look(host, ground, registration, options, fetched),
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
    tasks.collect()
}

/// Tenants that left the registry, when the pass is for all.
fn leaving(host: &dyn Host, ground: &Ground, options: &Options) -> Result<Vec<Task>, PassError> {
    if options.scope != Scope::All {
        return Ok(Vec::new());
    }
    let planner = Planner {
        host,
        options,
        diffs: false,
    };
    let ids = leave::leaving(host, ground)?.into_iter();
    let task = |id| {
        planner
            .removal(ground, &id)
            .unwrap_or_else(|error| Task::failed(&id, &error))
    };
    Ok(ids.map(task).collect())
}
