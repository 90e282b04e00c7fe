//! The end of a pass: what was done is remembered and told.

use super::task::Task;
use super::{PassError, TenantReport, TenantState, Verdict, trial, watch};
use crate::apply::Outcome;
use crate::audit;
use crate::events::HistoryEvent;
use crate::events::{self, Record};
use crate::generations;
use crate::host::Host;
use crate::notify;
use bitbuilder_core::model::Name;

/// Puts the outcome into the report, writes the memory of the tenant, and prunes what is too old.
pub(super) fn record(
    host: &dyn Host,
    mut task: Task,
    outcome: Option<Outcome>,
    keep: u64,
) -> TenantReport {
    if let Err(error) = remember(host, &mut task, outcome, keep) {
        task.report.verdict = Verdict::Failed;
        task.report.error.get_or_insert_with(|| error.to_string());
    }
    task.report
}

fn remember(
    host: &dyn Host,
    task: &mut Task,
    outcome: Option<Outcome>,
    keep: u64,
) -> Result<(), PassError> {
    let root = host.root();
    let id = task.report.tenant.clone();
    if let Some(outcome) = outcome {
        settle(task, outcome);
    } else if task.report.verdict == Verdict::Planned {
        task.report.verdict = Verdict::Unchanged;
    }
    let events: Vec<HistoryEvent> = task.drift.also.drain(..).chain(task.event.take()).collect();
    if !root.tenant(&id).exists() && events.is_empty() {
        return Ok(());
    }
    task.report.generation = generations::current(root, &id)?;
    let now = host.now();
    for event in &events {
        task.state.record(now, event.clone());
    }
    if task.state != task.before {
        // First: a window that is remembered and did not begin was ended by a restart of the host.
        if let Some(window) = task.state.window.as_ref()
            && task.before.window.as_ref() != Some(window)
        {
            watch::begin(host, &id, window)?;
        }
        task.state.write(root, &id)?;
    }
    if task.state.window.is_none() && task.before.window.is_some() {
        watch::end(host, &id)?;
    }
    if task.state.trial.is_none() && task.before.trial.is_some() {
        trial::forget(host, &id)?;
    }
    task.report.attend |= task.state.wants_attention();
    let (before, after) = (&task.before.fetch_failure, &task.state.fetch_failure);
    notify::fetched(host, Some(&id), before.as_ref(), after.as_ref());
    let changed = task.report.outcome.as_ref().is_some_and(Outcome::changed);
    if events.is_empty() && changed {
        audit::note(root, audit::Event::new(Some(&id), "changed"));
    }
    for event in events {
        let tenant = Some(id.clone());
        events::append(
            root,
            &Record {
                time: now,
                tenant,
                event,
            },
        )?;
    }
    if task.report.verdict == Verdict::Applied {
        let parent = task.report.plan.as_ref().and_then(|plan| plan.from);
        let trial = task.state.trial.as_ref().map(|trial| trial.confirmed);
        let good = task.state.good.iter().copied();
        let needed: Vec<u64> = good.chain(parent).chain(trial).collect();
        generations::prune(root, &id, keep, &needed)?;
    }
    Ok(())
}

/// A plan that was executed: the report says how it went, and a failure is what is remembered.
fn settle(task: &mut Task, outcome: Outcome) {
    let error = outcome.error().map(str::to_owned);
    if outcome.succeeded() {
        if task.report.verdict == Verdict::Planned {
            task.report.verdict = Verdict::Applied;
        }
    } else {
        let error = error.unwrap_or_else(|| "a step was left out".to_owned());
        if outcome.undone {
            // The old generation goes on, and so does what was remembered of it.
            let fetch_failure = task.state.fetch_failure.take();
            task.state = task.before.clone();
            task.state.fetch_failure = fetch_failure;
        }
        // Whatever is left is tried again by the next pass.
        task.state.inputs = None;
        let commit = task.report.commit.clone().unwrap_or_default();
        task.event = Some(HistoryEvent::Failed {
            commit,
            error: error.clone(),
        });
        task.report.verdict = Verdict::Failed;
        task.report.error = Some(error);
    }
    task.report.outcome = Some(outcome);
}

/// Remembers `state`, which `event` made, and tells it.
pub(super) fn tell(
    host: &dyn Host,
    id: &Name,
    mut state: TenantState,
    event: HistoryEvent,
) -> Result<(), PassError> {
    let time = host.now();
    state.record(time, event.clone());
    state.write(host.root(), id)?;
    let tenant = Some(id.clone());
    let record = Record {
        time,
        tenant,
        event,
    };
    Ok(events::append(host.root(), &record)?)
}
