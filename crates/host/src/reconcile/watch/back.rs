//! The way back, in two steps that each survive a crash: what is going to be done is remembered, then it is done.

use super::clock;
use crate::generations;
use crate::host::Host;
use crate::observe::Presence;
use crate::reconcile::execute::execute_one;
use crate::reconcile::ground::Ground;
use crate::reconcile::look::short;
use crate::reconcile::record::tell;
use crate::reconcile::state::Return;
use crate::reconcile::task::Planner;
use crate::reconcile::trial;
use crate::reconcile::{
    Event, HistoryEvent, Options, PassError, TenantReport, TenantState, Verdict,
};
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::model::Name;
use bitbuilder_core::window::{Way, Window};
use std::sync::Arc;

/// What is left, and why.
pub(in crate::reconcile) struct Leaving<'a> {
    /// The current generation.
    pub(in crate::reconcile) from: &'a Manifest,
    /// The one that becomes current again.
    pub(in crate::reconcile) to: u64,
    /// Why, when the host does it.
    pub(in crate::reconcile) reason: Option<String>,
}

/// Remembers that the tenant goes back, and that the commit it leaves stays out. From here on every pass goes on with it.
pub(in crate::reconcile) fn leave(host: &dyn Host, leaving: &Leaving<'_>) -> Result<(), PassError> {
    let root = host.root();
    let id = &leaving.from.tenant;
    let target = generations::read_manifest(root, id, leaving.to)?;
    let mut state = TenantState::read(root, id)?;
    let commit = state
        .deployed
        .clone()
        .unwrap_or_else(|| leaving.from.commit.clone());
    let trial = state.trial.as_ref();
    if trial.is_some_and(|trial| trial.generation == leaving.from.number) {
        // What is deployed for good is not concerned.
        return begin(host, leaving, state);
    }
    // When both come from one commit, something else was new with it: only that stays out.
    let inputs = (target.commit == commit).then(|| leaving.from.inputs.clone());
    // Somebody goes forward again, to what the repositories say.
    let wanted = inputs.as_ref() == Some(&target.inputs)
        || (target.commit == commit && leaving.to > leaving.from.number);
    (state.quarantined, state.quarantined_inputs) = match wanted {
        true => (None, None),
        false => (Some(commit), inputs),
    };
    state.inputs = None;
    state.good.retain(|number| *number != leaving.from.number);
    begin(host, leaving, state)
}

fn begin(host: &dyn Host, leaving: &Leaving<'_>, mut state: TenantState) -> Result<(), PassError> {
    let id = &leaving.from.tenant;
    (state.window, state.degraded) = (None, None);
    state.returning = Some(Return {
        from: leaving.from.number,
        to: leaving.to,
        reason: leaving.reason.clone(),
    });
    state.write(host.root(), id)?;
    clock::end(host, id)?;
    Ok(())
}

/// Goes on with a roll-back that is remembered, to its end.
pub(in crate::reconcile) fn go_back(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let root = host.root();
    let before = TenantState::read(root, id)?;
    let Some(back) = before.returning.clone() else {
        return Ok(TenantReport::new(id.clone(), Verdict::Unchanged));
    };
    ground.presence = Arc::new(Presence::read(host)?);
    let manifest = generations::read_manifest(root, id, back.to)?;
    let options = Options::default();
    let planner = Planner {
        host,
        options: &options,
        diffs: false,
    };
    let hash = manifest.hash.clone();
    let mut task = planner.return_to(ground, id, manifest)?;
    task.state.returning = None;
    task.state.window = Some(Window::new(back.to, host.now(), Way::Back));
    let event = match &before.trial {
        Some(trial) => {
            trial::over(&mut task.state, trial);
            HistoryEvent::Reverted {
                generation: trial.generation,
                reason: back.reason.clone(),
            }
        }
        None => HistoryEvent::RolledBack {
            from: back.from,
            to: back.to,
            reason: back.reason.clone(),
        },
    };
    task.event = Some(event.clone());
    let mut report = execute_one(host, ground, task, say)?;
    let after = TenantState::read(root, id)?;
    if after.returning.is_some() {
        return Ok(report);
    }
    if report.verdict.is_bad() {
        // It is current, and does not start: its window shows what becomes of it.
        tell(host, id, after, event)?;
        return Ok(report);
    }
    prove(host, id, back.to, &hash)?;
    if let Some(reason) = back.reason {
        report.verdict = Verdict::RolledBack;
        let then = match (&before.trial, &before.quarantined) {
            (Some(trial), _) => trial::words(trial),
            (None, Some(commit)) => {
                format!(
                    "commit {} stays out until a newer one arrives",
                    short(commit)
                )
            }
            (None, None) => String::new(),
        };
        report.error = Some(format!("{reason}; {then}"));
    }
    Ok(report)
}

/// That what is current now is, file by file, what it was when it was good.
fn prove(host: &dyn Host, id: &Name, number: u64, hash: &str) -> Result<(), PassError> {
    let fail = |reason: String| PassError::Generation {
        tenant: id.clone(),
        reason,
    };
    let root = host.root();
    if generations::current(root, id)? != Some(number) {
        return Err(fail(format!("generation {number} did not become current")));
    }
    let found = generations::tree_hash(root, id, number)?;
    if found != hash {
        return Err(fail(format!(
            "generation {number} is not what it was: its files have the hash {found}, not {hash}"
        )));
    }
    let misplaced = crate::network::misplaced(host, id)?;
    if let Some(file) = misplaced.first() {
        return Err(fail(format!(
            "generation {number} is current, but {file} is not in place: `bbctl sync {id}` puts it there"
        )));
    }
    Ok(())
}
