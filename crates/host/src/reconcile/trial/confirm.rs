//! A trial ends well: somebody confirms it.

use super::{end_all_stale, forget, refused};
use crate::apply;
use crate::atomic;
use crate::audit::{self, Command};
use crate::generations;
use crate::host::Host;
use crate::reconcile::ground::Ground;
use crate::reconcile::operate::operator;
use crate::reconcile::record::tell;
use crate::reconcile::state::Trial;
use crate::reconcile::{HistoryEvent, PassError, TenantState, accepted_system, lock, watch};
use bitbuilder_core::model::{Millis, Name};

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
pub(super) fn keep(
    host: &dyn Host,
    id: &Name,
    window: Millis,
    own: bool,
) -> Result<Option<u64>, PassError> {
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

/// Goes on with a confirmation that was begun: its link is gone.
pub(in crate::reconcile) fn settle(
    host: &dyn Host,
    id: &Name,
    mut state: TenantState,
) -> Result<(), PassError> {
    let Some(trial) = state.trial.take() else {
        return Ok(());
    };
    if generations::current(host.root(), id)? == Some(trial.generation) {
        return finish(host, id, state, &trial, false);
    }
    Ok(forget(host, id)?)
}
