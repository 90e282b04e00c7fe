//! The beginning of a trial: what is wanted is planned like any commit, the way back is put down, and it is deployed.

use super::{Wanted, end_all_stale, forget, mark, refused};
use crate::apply;
use crate::audit::{self, Command};
use crate::generations;
use crate::host::Host;
use crate::reconcile::execute::execute_one;
use crate::reconcile::ground::Ground;
use crate::reconcile::look::{Goal, Look};
use crate::reconcile::operate::operator;
use crate::reconcile::state::Trial;
use crate::reconcile::task::{Planner, Task};
use crate::reconcile::{
    Event, HistoryEvent, Options, PassError, TenantReport, TenantState, Verdict, accepted_system,
    find_reference, lock, trust, watch,
};
use crate::source::{self, TreeLimits, read_tree};
use bitbuilder_core::model::{Millis, Name};

/// Deploys `reference` of the repository of `id`, or the newest commit of its own, for `length`: then it is gone, and
/// after a restart of the host, unless [`confirm`](super::confirm) comes before.
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
    let name = reference.unwrap_or(&registration.reference);
    let (repository, commit) = find_reference(host, Some(id), name, true)?;
    let _lock = lock::take(host.root(), || say(Event::Waiting))?;
    let command = Command::new("apply", Some(id))
        .with("try", length.0)
        .with("commit", commit.as_str());
    let wanted = Wanted {
        repository: &repository,
        commit,
        reference,
        length,
    };
    audit::act(host, &operator(host), Some(command), || {
        end_all_stale(host)?;
        apply::recover(host, id)?;
        let mut ground = Ground::read(host, accepted_system(host)?)?;
        begin(host, &mut ground, id, wanted, say)
    })
}

/// Deploys what is `wanted`; the host's lock is held.
pub(super) fn begin(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    wanted: Wanted<'_>,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let registration = ground.registration(id)?.clone();
    let state = TenantState::read(host.root(), id)?;
    let confirmed = confirmed(host, id, &state)?;
    let Wanted {
        repository, commit, ..
    } = &wanted;
    let subject = source::read_commit(repository, commit)?.subject;
    let deployed = state.deployed.as_deref();
    let verified = trust::verify_tenant(host, ground, &registration, repository, deployed, commit)?;
    if let Some(reason) = verified.refusal {
        return Ok(TenantReport {
            commit: Some(wanted.commit),
            error: Some(reason),
            findings: verified.findings,
            ..TenantReport::new(id.clone(), Verdict::Refused)
        });
    }
    let reading = read_tree(repository, commit, &TreeLimits::default())?;
    let look = Look {
        registration: &registration,
        before: state.clone(),
        state,
        goal: Goal::Deploy {
            commit: commit.clone(),
            subject,
            reading,
            verified,
        },
    };
    let was_enabled = ground.registry.get(id).is_some_and(|entry| entry.enabled);
    let options = Options::default();
    let planner = Planner {
        host,
        options: &options,
        diffs: false,
    };
    let mut task = planner.task(ground, look)?;
    let plan = task.report.plan.as_ref();
    let moves = plan.filter(|plan| plan.from != plan.to);
    let Some(generation) = moves.and_then(|plan| plan.to) else {
        // It cannot be compiled, or it is what runs already.
        if task.report.verdict == Verdict::Planned {
            task.report.verdict = Verdict::Unchanged;
        }
        return Ok(task.report);
    };
    let entry = task.entry.as_ref();
    if entry.is_some_and(|entry| entry.enabled != was_enabled) {
        return Err(refused(
            id,
            "the commit enables or disables the tenant, which cannot be tried",
        ));
    }
    let trial = Trial {
        generation,
        confirmed,
        reference: wanted.reference.map(str::to_owned),
        inputs: task.state.inputs.take(),
        commit: wanted.commit,
        signer: task.report.signer.clone(),
    };
    put_down(host, &mut task, trial, wanted.length)?;
    deploy(host, ground, task, generation, say)
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

/// Before anything is switched it is known where to go back to.
fn put_down(
    host: &dyn Host,
    task: &mut Task,
    trial: Trial,
    length: Millis,
) -> Result<(), PassError> {
    let id = &task.report.tenant;
    let (generation, confirmed) = (trial.generation, trial.confirmed);
    // What is deployed for good stays what it is.
    task.state = TenantState {
        highest: task.state.highest,
        window: task.state.window.take(),
        fetch_failure: task.state.fetch_failure.take(),
        trial: Some(trial.clone()),
        degraded: None,
        ..task.before.clone()
    };
    task.before.trial = Some(trial);
    task.before.write(host.root(), id)?;
    mark::write(host, id, (generation, confirmed), length)?;
    task.event = Some(HistoryEvent::Trial {
        generation,
        until: host.now() + length.0.div_ceil(1000),
    });
    Ok(())
}

/// Executes `task`, and looks at once whether what it deployed works.
fn deploy(
    host: &dyn Host,
    ground: &mut Ground,
    task: Task,
    generation: u64,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let id = &task.report.tenant.clone();
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
