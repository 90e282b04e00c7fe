//! From plans to effects: allocations first, then every plan phase by phase, then the records.

use super::ground::Ground;
use super::kept;
use super::layers::Mirrors;
use super::leave;
use super::record::record;
use super::task::Task;
use super::{Event, PassError, TenantReport, Verdict};
use crate::apply::{Apply, Work};
use crate::atomic;
use crate::audit;
use crate::host::Host;
use crate::observe::drift::Seals;
use bitbuilder_core::model::Name;

/// Executes the plans of `tasks` and remembers how it went.
pub(super) fn execute(
    host: &dyn Host,
    ground: &mut Ground,
    mut tasks: Vec<Task>,
    say: &mut dyn FnMut(Event),
) -> Result<Vec<TenantReport>, PassError> {
    // Before anything uses a number it is on the disk as given.
    kept::write(host, &mut ground.allocations)?;
    let intended = tasks.iter().filter_map(|task| task.intended(host.root()));
    if let Err(error) = audit::ahead(host, intended.collect()) {
        tasks.iter_mut().for_each(|task| task.hold_back(&error));
    }
    enter(ground, &tasks);
    let registry = atomic::json(&host.root().registry(), &ground.effective())?;
    let work: Vec<Work<'_>> = tasks.iter().filter_map(Task::work).collect();
    for planned in &work {
        say(Event::Planned {
            plan: planned.plan.clone(),
        });
    }
    let apply = Apply {
        host,
        layers: &Mirrors(host.root()),
        registry: Some(&registry),
    };
    let mut outcomes = apply.run(&work, &mut |inner| say(Event::Apply { inner }));
    drop(work);

    let retention = ground.revision.system.policy.retention;
    let mut reports = Vec::with_capacity(tasks.len());
    let before = Seals::read(host.root());
    let mut seals = before.clone();
    for mut task in tasks {
        let outcome = outcomes.remove(&task.report.tenant);
        let seal = task.drift.seal.take();
        let report = record(host, task, outcome, retention.generations);
        seals.renew(&report, seal);
        if report.verdict != Verdict::Unchanged {
            say(Event::Finished {
                report: Box::new(report.clone()),
            });
        }
        reports.push(report);
    }
    seals.write(host.root(), &before)?;
    let left = reports
        .iter()
        .filter(|report| report.verdict == Verdict::Removed);
    let left: Vec<Name> = left.map(|report| report.tenant.clone()).collect();
    leave::release(host, ground, &left, retention.removed_tenants)?;
    Ok(reports)
}

/// The same for one task.
pub(super) fn execute_one(
    host: &dyn Host,
    ground: &mut Ground,
    task: Task,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let id = task.report.tenant.clone();
    let report = execute(host, ground, vec![task], say)?.pop();
    Ok(report.unwrap_or_else(|| TenantReport::new(id, Verdict::Unchanged)))
}

/// The effective registry as it will be. A tenant that nothing could be found out about stays as it was.
fn enter(ground: &mut Ground, tasks: &[Task]) {
    for task in tasks {
        let id = &task.report.tenant;
        match (&task.entry, task.report.verdict) {
            (Some(entry), _) => drop(ground.registry.insert(id.clone(), entry.clone())),
            (None, Verdict::Removed) => drop(ground.registry.remove(id)),
            (None, _) => {}
        }
    }
}
