//! The branch `testing-<host>`: what it is at is tried by the passes, and kept when it is merged.

use super::confirm::keep;
use super::mark::on_trial;
use super::{Wanted, begin};
use crate::generations;
use crate::host::Host;
use crate::reconcile::ground::Ground;
use crate::reconcile::look::short;
use crate::reconcile::state::Trial;
use crate::reconcile::watch::{Leaving, go_back, leave};
use crate::reconcile::{Event, PassError, TenantReport, TenantState, Verdict};
use crate::source::{LocalRemote, is_descendant, open, resolve_ref};
use bitbuilder_core::model::Name;

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

/// Tries what the branch `testing-<host>` is at, of every tenant of `reports` that is well and has one.
pub(in crate::reconcile) fn follow(
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
    let refs = LocalRemote::at(&mirror)?;
    let tip = refs.map_or(Ok(None), |refs| refs.branch(branch))?;
    let state = TenantState::read(host.root(), id)?;
    let Some(tip) = tip else {
        return withdraw(host, ground, &state, id, branch, say);
    };
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
            repository: &repository,
            commit: tip.clone(),
            reference: Some(branch),
            length: ground.revision.system.policy.health.trial,
        };
        begin(host, ground, id, wanted, say)?
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

/// Ends the trial of a branch that is gone and was not merged: nobody wants it any more.
fn withdraw(
    host: &dyn Host,
    ground: &mut Ground,
    state: &TenantState,
    id: &Name,
    branch: &str,
    say: &mut dyn FnMut(Event),
) -> Result<Option<TenantReport>, PassError> {
    let of_branch = |trial: &&Trial| trial.reference.as_deref() == Some(branch);
    let trial = state.trial.as_ref().filter(of_branch);
    let (Some(trial), None) = (trial, &state.suspended) else {
        return Ok(None);
    };
    let current = generations::read_current(host.root(), id)?;
    let Some(from) = current.filter(|current| current.number == trial.generation) else {
        return Ok(None);
    };
    let leaving = Leaving {
        from: &from,
        to: trial.confirmed,
        reason: Some(format!("branch `{branch}` is gone")),
    };
    leave(host, &leaving)?;
    go_back(host, ground, id, say).map(Some)
}

/// Confirms what is on trial and has come to its tenant's own reference meanwhile: who merges it wants to keep it.
pub(in crate::reconcile) fn confirm_merged(
    host: &dyn Host,
    ground: &Ground,
) -> Result<(), PassError> {
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
