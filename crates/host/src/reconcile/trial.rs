//! Generations on trial: deployed, and gone by themselves unless somebody confirms them.
//!
//! `current` points at the generation on trial, as at any other that runs. What must not be forgotten is where to go back
//! to: a link `/var/lib/bitbuilder/trials/<id>` points at the confirmed generation for as long as there is a trial, and a
//! mark in `/run/bitbuilder/trial/` says that this start of the host has made it. With the link and without the mark the
//! host was restarted: the generators take the confirmed generation, and `setup-tenant@` makes it current before anything
//! of the tenant starts.
//!
//! - [`try_out`] begins one, [`confirm`] ends it well, [`end_stale`] after a restart; its time and its health are
//!   [`super::watch`]'s affair.

use super::execute::execute_one;
use super::ground::Ground;
use super::look::{Goal, Look, short};
use super::operate::operator;
use super::record::tell;
use super::state::{Return, Trial};
use super::task::Planner;
use super::{
    Event, HistoryEvent, Options, PassError, TenantReport, TenantState, Verdict, accepted_system,
    find_reference, lock, trust, watch,
};
use crate::apply;
use crate::atomic;
use crate::audit::{self, Command};
use crate::generations;
use crate::host::{Host, HostError};
use crate::source::{self, Repository, TreeLimits, is_descendant, open, read_tree, resolve_ref};
use bitbuilder_core::model::{Millis, Name};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// `/run/bitbuilder/trial/<id>.json`: this start of the host has made the trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    /// Format version, 1.
    format: u64,
    /// The generation on trial.
    generation: u64,
    /// When it is over, on the clock of [`Host::uptime`].
    until: u64,
}

/// Deploys `reference` of the repository of `id`, or the newest commit of its own, for `length`: then it is gone, and
/// after a restart of the host, unless [`confirm`] comes before.
///
/// # Errors
/// When there is no such tenant or reference, the tenant has no generation to go back to, or its state is unreadable.
pub fn try_out(
    host: &dyn Host,
    id: &Name,
    reference: Option<&str>,
    length: Millis,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let registration = Ground::find(&accepted_system(host)?, id)?.clone();
    say(Event::Fetching {
        tenant: Some(id.clone()),
    });
    let wanted = reference.unwrap_or(&registration.reference);
    let (repository, commit) = find_reference(host, Some(id), wanted, true)?;
    let _lock = lock::take(host.root(), || say(Event::Waiting))?;
    let command = Command::new("apply", Some(id))
        .with("try", length.0)
        .with("commit", commit.as_str());
    audit::act(host, &operator(host), Some(command), || {
        put_on_trial(host, id, reference, length, (&repository, commit), say)
    })
}

fn put_on_trial(
    host: &dyn Host,
    id: &Name,
    reference: Option<&str>,
    length: Millis,
    (repository, commit): (&Repository, String),
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    end_all_stale(host)?;
    apply::recover(host, id)?;
    let mut ground = Ground::read(host, accepted_system(host)?)?;
    let wanted = Wanted {
        commit,
        reference,
        length,
    };
    begin(host, &mut ground, id, (repository, wanted), say)
}

/// What is to be tried.
struct Wanted<'a> {
    commit: String,
    /// `None` is the tenant's own.
    reference: Option<&'a str>,
    length: Millis,
}

/// Deploys what is `wanted` of `repository`; the host's lock is held.
fn begin(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    (repository, wanted): (&Repository, Wanted<'_>),
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let Wanted {
        commit,
        reference,
        length,
    } = wanted;
    let registration = ground.registration(id)?.clone();
    let state = TenantState::read(host.root(), id)?;
    let confirmed = confirmed(host, id, &state)?;
    let subject = source::read_commit(repository, &commit)?.subject;
    let deployed = state.deployed.as_deref();
    let verified =
        trust::verify_tenant(host, ground, &registration, repository, deployed, &commit)?;
    if let Some(reason) = verified.refusal {
        return Ok(TenantReport {
            commit: Some(commit),
            error: Some(reason),
            findings: verified.findings,
            ..TenantReport::new(id.clone(), Verdict::Refused)
        });
    }
    let reading = read_tree(repository, &commit, &TreeLimits::default())?;
    let look = Look {
        registration: &registration,
        before: state.clone(),
        state: state.clone(),
        goal: Goal::Deploy {
            commit: commit.clone(),
            subject,
            reading,
            verified,
        },
    };
    let options = Options::default();
    let planner = Planner {
        host,
        options: &options,
        diffs: false,
    };
    let was_enabled = ground.registry.get(id).is_some_and(|entry| entry.enabled);
    let mut task = planner.task(ground, look)?;
    let target = task.report.plan.as_ref().and_then(|plan| plan.to);
    let moves = task
        .report
        .plan
        .as_ref()
        .is_some_and(|plan| plan.from != plan.to);
    let (Some(generation), true) = (target, moves) else {
        // It cannot be compiled, or it is what runs already.
        task.report.verdict = match task.report.verdict {
            Verdict::Planned => Verdict::Unchanged,
            verdict => verdict,
        };
        return Ok(task.report);
    };
    if task
        .entry
        .as_ref()
        .is_some_and(|entry| entry.enabled != was_enabled)
    {
        return Err(refused(
            id,
            "the commit enables or disables the tenant, which cannot be tried",
        ));
    }
    let trial = Trial {
        generation,
        confirmed,
        reference: reference.map(str::to_owned),
        inputs: task.state.inputs.take(),
        commit: commit.clone(),
        signer: task.report.signer.clone(),
    };
    // What is deployed for good stays what it is.
    task.state = TenantState {
        highest: task.state.highest,
        window: task.state.window.clone(),
        fetch_failure: task.state.fetch_failure.clone(),
        trial: Some(trial),
        degraded: None,
        ..state.clone()
    };
    // Before anything is switched it is known where to go back to.
    let begun = TenantState {
        trial: task.state.trial.clone(),
        ..state
    };
    begun.write(host.root(), id)?;
    task.before = begun;
    let target = Path::new("../../tenants").join(id.as_str());
    let target = target.join("generations").join(confirmed.to_string());
    atomic::write_link(&host.root().trial(id), &target)?;
    let until = host.uptime().saturating_add(length.0);
    let mark = Mark {
        format: atomic::FORMAT,
        generation,
        until,
    };
    atomic::write_json(&host.root().trial_mark(id), &mark)?;
    task.event = Some(HistoryEvent::Trial {
        generation,
        until: host.now() + length.0.div_ceil(1000),
    });
    let mut report = execute_one(host, ground, task, say)?;
    if generations::current(host.root(), id)? != Some(generation) {
        // It did not come so far.
        forget(host, id)?;
        return Ok(report);
    }
    if let Some(worse) = watch::attend(host, ground, id, say)?
        && worse.verdict.is_bad()
    {
        report.verdict = worse.verdict;
        report.error = worse.error;
        report.generation = worse.generation;
    }
    Ok(report)
}

/// The generation that a trial goes back to.
fn confirmed(host: &dyn Host, id: &Name, state: &TenantState) -> Result<u64, PassError> {
    if state.suspended.is_some() {
        return Err(refused(id, "it is suspended"));
    }
    if let Some(trial) = &state.trial {
        return Ok(trial.confirmed);
    }
    let current = generations::current(host.root(), id)?;
    current.ok_or_else(|| refused(id, "it has no generation yet that a trial could go back to"))
}

fn refused(id: &Name, reason: &str) -> PassError {
    PassError::Generation {
        tenant: id.clone(),
        reason: reason.to_owned(),
    }
}

/// Keeps the generation on trial. One of another reference stays until the tenant's own has a newer commit.
///
/// # Errors
/// When there is no trial, or its state is unreadable.
pub fn confirm(host: &dyn Host, id: &Name) -> Result<u64, PassError> {
    let _lock = lock::take(host.root(), || {})?;
    let command = Command::new("confirm", Some(id));
    audit::act(host, &operator(host), Some(command), || {
        confirm_current(host, id)
    })
}

fn confirm_current(host: &dyn Host, id: &Name) -> Result<u64, PassError> {
    end_all_stale(host)?;
    apply::recover(host, id)?;
    let known = accepted_system(host)?;
    Ground::find(&known, id)?;
    let window = known.system.policy.health.window;
    keep(host, id, window, false)?.ok_or_else(|| refused(id, "nothing of it is on trial"))
}

/// Keeps what is on trial, if anything is: its number. `own` is whether the tenant's own reference has its commit now.
fn keep(host: &dyn Host, id: &Name, window: Millis, own: bool) -> Result<Option<u64>, PassError> {
    let mut state = TenantState::read(host.root(), id)?;
    let current = generations::current(host.root(), id)?;
    let Some(trial) = state
        .trial
        .take()
        .filter(|one| Some(one.generation) == current)
    else {
        return Ok(None);
    };
    // From here on it is what the host starts with.
    atomic::remove(&host.root().trial(id))?;
    finish(host, id, state, &trial, own)?;
    watch::arm(host, id, window)?;
    Ok(Some(trial.generation))
}

/// Remembers that `trial` was confirmed.
fn finish(
    host: &dyn Host,
    id: &Name,
    mut state: TenantState,
    trial: &Trial,
    own: bool,
) -> Result<(), PassError> {
    state.tried = trial.reference.is_some().then(|| trial.commit.clone());
    if own || trial.reference.is_none() {
        state.deployed = Some(trial.commit.clone());
        state.inputs.clone_from(&trial.inputs);
        state.signer.clone_from(&trial.signer);
        (state.quarantined, state.quarantined_inputs) = (None, None);
    }
    let open = state.window.as_ref().map(|window| window.generation);
    if open != Some(trial.generation) && !state.is_left(trial.generation) {
        state.note_good(trial.generation);
    }
    tell(
        host,
        id,
        state,
        HistoryEvent::Confirmed {
            generation: trial.generation,
        },
    )?;
    atomic::remove(&host.root().trial_mark(id))?;
    Ok(())
}

/// When the trial of `id` is over, on the clock of [`Host::uptime`]; `None` when there is none.
pub(crate) fn until(host: &dyn Host, id: &Name) -> Option<u64> {
    let mark: Option<Mark> = atomic::read_json(&host.root().trial_mark(id)).ok()?;
    Some(mark?.until)
}

/// There is no trial any more: `current` is what the host starts with.
pub(super) fn forget(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let root = host.root();
    let mut state = TenantState::read(root, id)?;
    if state.trial.take().is_some() {
        state.write(root, id)?;
    }
    atomic::remove(&root.trial(id))?;
    atomic::remove(&root.trial_mark(id)).map(drop)
}

/// Ends every trial that an earlier start of the host has made, or that did not get to its beginning or past its end.
/// To be done before anything else looks at `current`.
pub(super) fn end_all_stale(host: &dyn Host) -> Result<(), PassError> {
    on_trial(host)?.iter().try_for_each(|id| end(host, id))
}

/// Tenants of which something is on trial, or was when the host went down.
fn on_trial(host: &dyn Host) -> Result<Vec<Name>, HostError> {
    let directory = host.root().trials();
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    let mut ids = Vec::new();
    for entry in entries {
        let entry = entry.map_err(HostError::file(&directory))?;
        ids.extend(
            entry
                .file_name()
                .to_str()
                .and_then(|name| Name::new(name).ok()),
        );
    }
    Ok(ids)
}

/// Ends the trial of `id` if an earlier start of the host has made it: what `setup-tenant@` does first.
///
/// # Errors
/// When the host's state is unreadable.
pub fn end_stale(host: &dyn Host, id: &Name) -> Result<(), PassError> {
    let root = host.root();
    let stale = || root.trial(id).is_symlink() && !root.trial_mark(id).exists();
    // Whoever has the lock ends it too.
    let Some(_lock) = lock::take_while(root, stale, || {})? else {
        return Ok(());
    };
    end(host, id)
}

fn end(host: &dyn Host, id: &Name) -> Result<(), PassError> {
    let root = host.root();
    let mut state = TenantState::read(root, id)?;
    let current = generations::current(root, id)?;
    let live = root.trial_mark(id).exists();
    let Some(trial) = state.trial.clone() else {
        return Ok(forget(host, id)?);
    };
    match current {
        Some(number) if live && number == trial.generation => Ok(()),
        Some(number) if number != trial.confirmed && live => {
            // It was to replace another one, and did not get to it.
            state.trial = Some(Trial {
                generation: number,
                ..trial.clone()
            });
            state.returning = Some(Return {
                from: number,
                to: trial.confirmed,
                reason: Some("the trial after it did not begin".to_owned()),
            });
            Ok(state.write(root, id)?)
        }
        Some(number) if number != trial.confirmed => {
            generations::switch(root, id, trial.confirmed)?;
            over(&mut state, &trial);
            let event = HistoryEvent::Reverted {
                generation: trial.generation,
                reason: Some("the host was restarted".to_owned()),
            };
            tell(host, id, state, event)?;
            Ok(forget(host, id)?)
        }
        // It did not begin, or was left.
        _ => Ok(forget(host, id)?),
    }
}

/// Goes on with a confirmation that was begun: its link is gone.
pub(super) fn settle(host: &dyn Host, id: &Name, mut state: TenantState) -> Result<(), PassError> {
    let Some(trial) = state.trial.take() else {
        return Ok(());
    };
    if generations::current(host.root(), id)? == Some(trial.generation) {
        return finish(host, id, state, &trial, false);
    }
    Ok(forget(host, id)?)
}

/// What is remembered of a trial that was not confirmed: its commit stays out, if it would come by itself.
pub(super) fn over(state: &mut TenantState, trial: &Trial) {
    state.trial = None;
    let of_it = |window: &&bitbuilder_core::window::Window| window.generation == trial.generation;
    if state.window.as_ref().filter(of_it).is_some() {
        state.window = None;
    }
    match &trial.reference {
        None => {
            state.quarantined = Some(trial.commit.clone());
            state.quarantined_inputs = None;
        }
        Some(_) => state.tried = Some(trial.commit.clone()),
    }
}

/// For people: what becomes of a commit whose trial is over.
pub(super) fn words(trial: &Trial) -> String {
    let commit = short(&trial.commit);
    match &trial.reference {
        None => format!("commit {commit} stays out until a newer one arrives"),
        Some(reference) => format!("commit {commit} of `{reference}` was tried"),
    }
}

/// The branch of a tenant's repository that is tried on this host, and on no other: `testing-<host>`; `None` when the
/// host has a name that no branch can have.
pub fn branch(host: &dyn Host) -> Option<String> {
    let name = host.name();
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    let usable = name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(allowed)
        && !name.contains("..")
        && !name.ends_with('.')
        && !name.ends_with(".lock");
    usable.then(|| format!("testing-{name}"))
}

/// Confirms what is on trial and has come to its tenant's own reference meanwhile: who merges it wants to keep it.
pub(super) fn confirm_merged(host: &dyn Host, ground: &Ground) -> Result<(), PassError> {
    for id in on_trial(host)? {
        let Ok(registration) = ground.registration(&id) else {
            continue;
        };
        let state = TenantState::read(host.root(), &id)?;
        let Some(trial) = state.trial.filter(|trial| trial.reference.is_some()) else {
            continue;
        };
        let repository = open(&host.root().mirror(&id))?;
        let Ok(newest) = resolve_ref(&repository, &registration.reference) else {
            continue;
        };
        if is_descendant(&repository, &trial.commit, &newest.id)? {
            let window = ground.revision.system.policy.health.window;
            keep(host, &id, window, newest.id == trial.commit)?;
        }
    }
    Ok(())
}

/// Tries what the branch `testing-<host>` is at, of every tenant of `reports` that is well and has one.
pub(super) fn follow(
    host: &dyn Host,
    ground: &mut Ground,
    reports: &mut [TenantReport],
    say: &mut dyn FnMut(Event),
) {
    let Some(branch) = branch(host) else {
        return;
    };
    for report in reports.iter_mut() {
        if !matches!(report.verdict, Verdict::Unchanged | Verdict::Applied) {
            continue;
        }
        let id = report.tenant.clone();
        match follow_one(host, ground, &id, &branch, say) {
            Ok(None) => {}
            Ok(Some(tried)) => {
                *report = tried;
                say(Event::Finished {
                    report: Box::new(report.clone()),
                });
            }
            Err(error) => {
                report.verdict = Verdict::Failed;
                report.error = Some(error.to_string());
            }
        }
    }
}

fn follow_one(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    branch: &str,
    say: &mut dyn FnMut(Event),
) -> Result<Option<TenantReport>, PassError> {
    let registration = ground.registration(id)?;
    let own = registration.reference == branch;
    let mirror = host.root().mirror(id);
    // Few have one.
    let Some(tip) = source::peek(&format!("file://{}", mirror.display()), branch)? else {
        return Ok(None);
    };
    let state = TenantState::read(host.root(), id)?;
    let trial = state.trial.as_ref().map(|trial| &trial.commit);
    let known = [state.tried.as_ref(), trial].contains(&Some(&tip));
    let (Some(deployed), false) = (&state.deployed, own || known || state.suspended.is_some())
    else {
        return Ok(None);
    };
    let repository = open(&mirror)?;
    if is_descendant(&repository, &tip, deployed)? {
        // It was merged, or has nothing new.
        return Ok(None);
    }
    let report = if is_descendant(&repository, deployed, &tip)? {
        let wanted = Wanted {
            commit: tip.clone(),
            reference: Some(branch),
            length: ground.revision.system.policy.health.trial,
        };
        begin(host, ground, id, (&repository, wanted), say)?
    } else {
        TenantReport {
            commit: Some(tip.clone()),
            error: Some(format!(
                "branch `{branch}` is not tried: it does not descend from the deployed commit {}; rebase it",
                short(deployed)
            )),
            ..TenantReport::new(id.clone(), Verdict::Refused)
        }
    };
    // Once is enough.
    let mut state = TenantState::read(host.root(), id)?;
    if state.trial.as_ref().is_none_or(|trial| trial.commit != tip) {
        state.tried = Some(tip);
        state.write(host.root(), id)?;
    }
    Ok(Some(report))
}
