//! From plans to effects: allocations first, then every plan phase by phase, then the records.

use super::ground::Ground;
use super::layers::Mirrors;
use super::record::record;
use super::task::Task;
use super::{Event, PassError, TenantReport, Verdict};
use crate::apply::{Apply, Work};
use crate::atomic;
use crate::disk;
use crate::host::Host;
use crate::observe::drift::Seals;
use bitbuilder_core::allocate::{self, Allocations};
use bitbuilder_core::model::{Millis, Name};

/// Executes the plans of `tasks` and remembers how it went.
pub(super) fn execute(
    host: &dyn Host,
    ground: &mut Ground,
    tasks: Vec<Task>,
    say: &mut dyn FnMut(Event),
) -> Result<Vec<TenantReport>, PassError> {
    // Before anything uses a number it is on the disk as given.
    write_allocations(host, &ground.allocations)?;
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

    let policy = &ground.revision.system.policy;
    let mut reports = Vec::with_capacity(tasks.len());
    let before = Seals::read(host.root());
    let mut seals = before.clone();
    for mut task in tasks {
        let outcome = outcomes.remove(&task.report.tenant);
        let seal = task.drift.seal.take();
        let report = record(host, task, outcome, policy.retention.generations);
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
    release(
        host,
        &mut ground.allocations,
        &left,
        policy.retention.removed_tenants,
    )?;
    Ok(reports)
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

/// Numbers of tenants that left are kept for their time, then free; their data goes with them.
fn release(
    host: &dyn Host,
    allocations: &mut Allocations,
    left: &[Name],
    retention: Millis,
) -> Result<(), PassError> {
    let now = host.now();
    for id in left {
        allocate::release(allocations, id, now);
    }
    for id in allocate::expire(allocations, now, retention) {
        disk::remove_tree(&host.root().tenant(&id))?;
    }
    write_allocations(host, allocations)
}

fn write_allocations(host: &dyn Host, allocations: &Allocations) -> Result<(), PassError> {
    let path = host.root().allocations();
    let content = atomic::json(&path, allocations)?;
    atomic::write(&path, &content, 0o644)?;
    Ok(())
}
