//! A trial ends without having been confirmed: after a restart of the host, before it began, or on its way back.

use super::mark::on_trial;
use crate::atomic;
use crate::generations;
use crate::host::{Host, HostError};
use crate::reconcile::look::short;
use crate::reconcile::record::tell;
use crate::reconcile::state::{Return, Trial};
use crate::reconcile::{HistoryEvent, PassError, TenantState, lock};
use bitbuilder_core::model::Name;
use bitbuilder_core::window::Window;

/// Ends every trial that an earlier start of the host has made, or that did not get to its beginning or past its end.
/// To be done before anything else looks at `current`.
pub(in crate::reconcile) fn end_all_stale(host: &dyn Host) -> Result<(), PassError> {
    on_trial(host)?.iter().try_for_each(|id| end(host, id))
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

/// There is no trial any more: `current` is what the host starts with.
pub(in crate::reconcile) fn forget(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let root = host.root();
    let mut state = TenantState::read(root, id)?;
    if state.trial.take().is_some() {
        state.write(root, id)?;
    }
    atomic::remove(&root.trial(id))?;
    atomic::remove(&root.trial_mark(id)).map(drop)
}

/// What is remembered of a trial that was not confirmed: its commit stays out, if it would come by itself.
pub(in crate::reconcile) fn over(state: &mut TenantState, trial: &Trial) {
    state.trial = None;
    let of_it = |window: &&Window| window.generation == trial.generation;
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
pub(in crate::reconcile) fn words(trial: &Trial) -> String {
    let commit = short(&trial.commit);
    match &trial.reference {
        None => format!("commit {commit} stays out until a newer one arrives"),
        Some(reference) => format!("commit {commit} of `{reference}` was tried"),
    }
}
