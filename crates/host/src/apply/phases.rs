//! All tenants finish a phase before the next begins, so that the manager reloads once.

use super::journal::Journal;
use super::outcome::{Event, Outcome};
use super::step::Sources;
use super::tenant::Run;
use super::{Apply, Work};
use crate::atomic::{self, Written};
use crate::generations;
use crate::host::{Host, HostError};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Phase;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Tenants that are worked on at once: starts and stops mostly wait.
const THREADS: usize = 16;

pub(super) fn run(
    apply: &Apply<'_>,
    work: &[Work<'_>],
    events: &mut dyn FnMut(Event),
) -> BTreeMap<Name, Outcome> {
    let mut runs: Vec<Run<'_>> = work
        .iter()
        .filter(|work| !work.plan.is_empty())
        .map(|work| {
            let sources = Sources {
                layers: apply.layers,
                work: *work,
            };
            Run::new(apply.host, Some(sources), Journal::new(work.plan))
        })
        .collect();
    runs.iter_mut().for_each(Run::begin);
    each(&mut runs, Phase::Prepare, events);
    each(&mut runs, Phase::Stop, events);
    let registered = match store_registry(apply) {
        Ok(written) => written != Written::Unchanged,
        Err(error) => {
            let because = format!("the effective registry cannot be written: {error}");
            runs.iter_mut().for_each(|run| run.give_up(because.clone()));
            false
        }
    };
    each(&mut runs, Phase::Switch, events);
    if registered || runs.iter().any(Run::switched) {
        reload(apply.host, &mut runs, events);
    }
    each(&mut runs, Phase::Start, events);
    collect(runs)
}

/// The outcomes by tenant.
pub(super) fn collect(runs: Vec<Run<'_>>) -> BTreeMap<Name, Outcome> {
    runs.into_iter()
        .map(|run| (run.tenant().clone(), run.finish()))
        .collect()
}

/// Reloads the manager; if it cannot, what is left waits for a recovery.
pub(super) fn reload(host: &dyn Host, runs: &mut [Run<'_>], events: &mut dyn FnMut(Event)) {
    events(Event::Reloading);
    // Without an index the generators read every generation, and a later pass tries again.
    let _ = generations::index(host.root());
    let error = host.daemon_reload().err().map(|error| error.to_string());
    if let Some(error) = &error {
        let because = format!("the manager did not reload: {error}");
        runs.iter_mut().for_each(|run| run.interrupt(&because));
    }
    events(Event::Reloaded { error });
}

/// Executes `phase` of every run that has steps in it: one alone in this thread, several in parallel.
pub(super) fn each(runs: &mut [Run<'_>], phase: Phase, events: &mut dyn FnMut(Event)) {
    let mut concerned: Vec<&mut Run<'_>> = runs.iter_mut().filter(|run| run.has(phase)).collect();
    if let [run] = concerned.as_mut_slice() {
        let events = RefCell::new(events);
        run.phase(phase, &|event| (events.borrow_mut())(event));
        return;
    }
    let threads = concerned.len().min(THREADS);
    let queue = Mutex::new(concerned.into_iter());
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..threads {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                // Nobody panics with the queue locked.
                let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                while let Some(run) = next() {
                    // The receiver lives as long as this thread.
                    run.phase(phase, &|event| drop(sender.send(event)));
                }
            });
        }
        drop(sender);
        receiver.into_iter().for_each(&mut *events);
    });
}

/// Before the switch: a recovery that finishes one finds the tenant in the registry. A tenant that is registered and has
/// no generation yet is passed over by the generators.
fn store_registry(apply: &Apply<'_>) -> Result<Written, HostError> {
    match apply.registry {
        Some(content) => atomic::write(&apply.host.root().registry(), content, 0o644),
        None => Ok(Written::Unchanged),
    }
}
