//! What an operator does to one tenant.

use super::ground::Ground;
use super::record::tell;
use super::{
    Event, PassError, Suspension, TenantReport, TenantState, Trigger, accepted_system, lock, trial,
    watch,
};
use crate::apply;
use crate::audit::{self, Command};
use crate::events::HistoryEvent;
use crate::generations;
use crate::host::Host;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::model::Name;

/// Makes an older generation current: `to`, or the newest one before the current one. The commit that is left is
/// quarantined: it stays out until another one arrives.
///
/// # Errors
/// When there is no such tenant or generation, it is damaged, or the host's state is unreadable.
pub fn rollback(
    host: &dyn Host,
    id: &Name,
    to: Option<u64>,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let _lock = lock::take(host.root(), || say(Event::Waiting))?;
    let command = Command::new("rollback", Some(id)).with_some("to", to);
    audit::act(host, &operator(host), Some(command), || {
        roll_back(host, id, to, say)
    })
}

fn roll_back(
    host: &dyn Host,
    id: &Name,
    to: Option<u64>,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    trial::end_all_stale(host)?;
    apply::recover(host, id)?;
    let mut ground = Ground::read(host, accepted_system(host)?)?;
    ground.registration(id)?;
    let (from, to) = choose(host, id, to)?;
    let leaving = watch::Leaving {
        from: &from,
        to,
        reason: None,
    };
    watch::leave(host, &leaving)?;
    let report = watch::go_back(host, &mut ground, id, say)?;
    let worse = watch::attend(host, &mut ground, id, say)?;
    Ok(worse
        .filter(|worse| worse.verdict.is_bad())
        .unwrap_or(report))
}

/// The current generation and the one to return to, which is whole.
fn choose(host: &dyn Host, id: &Name, to: Option<u64>) -> Result<(Manifest, u64), PassError> {
    let root = host.root();
    let fail = |reason: String| PassError::Generation {
        tenant: id.clone(),
        reason,
    };
    let current = generations::read_current(root, id)?
        .ok_or_else(|| fail("it has no generation yet".to_owned()))?;
    let trial = TenantState::read(root, id)?.trial;
    let numbers = generations::list(root, id)?;
    let older = numbers
        .iter()
        .copied()
        .filter(|number| *number < current.number)
        .max();
    let number = match to {
        Some(number) if number == current.number => {
            return Err(fail(format!("generation {number} is current already")));
        }
        Some(number) if !numbers.contains(&number) => {
            return Err(fail(format!(
                "there is no generation {number}; `bbctl history {id}` lists those that there are"
            )));
        }
        Some(number) => number,
        None => trial
            .map(|trial| trial.confirmed)
            .or(older)
            .ok_or_else(|| {
                fail(format!(
                    "there is none before generation {}",
                    current.number
                ))
            })?,
    };
    let damage = generations::verify(root, id, number)?;
    if let Some(first) = damage.first() {
        let path = &first.path;
        return Err(fail(format!("generation {number} is damaged: {path}")));
    }
    Ok((current, number))
}

/// Passes leave `id` alone until [`resume`]; what runs goes on, and nothing judges it.
///
/// # Errors
/// When there is no such tenant, or its state is unreadable.
pub fn suspend(host: &dyn Host, id: &Name, reason: &str) -> Result<(), PassError> {
    let event = HistoryEvent::Suspended {
        reason: reason.to_owned(),
    };
    change(host, id, event, |state, now| {
        state.suspended.get_or_insert(Suspension {
            since: now,
            reason: reason.to_owned(),
        });
    })
}

/// Passes care for `id` again, from the next one on. A window that went on begins again.
///
/// # Errors
/// When there is no such tenant, or its state is unreadable.
pub fn resume(host: &dyn Host, id: &Name) -> Result<(), PassError> {
    change(host, id, HistoryEvent::Resumed, |state, _| {
        state.suspended = None
    })
}

/// Who runs this program.
pub(super) fn operator(host: &dyn Host) -> Trigger {
    Trigger::Operator {
        uid: host.caller().uid,
    }
}

fn change(
    host: &dyn Host,
    id: &Name,
    event: HistoryEvent,
    change: impl FnOnce(&mut TenantState, u64),
) -> Result<(), PassError> {
    let _lock = lock::take(host.root(), || {})?;
    let command = match &event {
        HistoryEvent::Suspended { reason } => {
            Command::new("suspend", Some(id)).with("reason", reason.as_str())
        }
        _ => Command::new("resume", Some(id)),
    };
    audit::act(host, &operator(host), Some(command), || {
        remember(host, id, event, change)
    })
}

fn remember(
    host: &dyn Host,
    id: &Name,
    event: HistoryEvent,
    change: impl FnOnce(&mut TenantState, u64),
) -> Result<(), PassError> {
    let known = accepted_system(host)?;
    Ground::find(&known, id)?;
    let before = TenantState::read(host.root(), id)?;
    let mut state = before.clone();
    change(&mut state, host.now());
    if state == before {
        return Ok(());
    }
    match (&state.suspended, &state.window) {
        (Some(_), _) => watch::end(host, id)?,
        (None, Some(window)) => {
            watch::begin(host, id, window)?;
            watch::arm(host, id, known.system.policy.health.window)?;
        }
        (None, None) => {}
    }
    audit::ahead(host, vec![audit::Event::of(Some(id), &event)])?;
    tell(host, id, state, event)
}
