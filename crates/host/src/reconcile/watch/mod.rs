//! Watches what was deployed: a generation has a window in which to show that it works, some tries, and then the last
//! good one returns.
//!
//! Nothing waits in memory. The window is in the tenant's state; when it began is in `/run`, on a clock that nobody sets;
//! the manager starts `tenant-rollback@` when there may be something to decide. Whoever looks decides the same: that
//! unit, the end of a pass, the next pass.
//!
//! - [`attend`]: looks until there is nothing left to decide. [`judge`]: the same for one tenant, as `tenant-rollback@`.
//! - [`clock`]: when a window began. [`back`]: the way back. [`settle`]: what is remembered of an end.

mod back;
mod clock;
mod settle;

pub(super) use back::{Leaving, go_back, leave};
pub(crate) use clock::end;
pub(crate) use clock::end_of;
pub use clock::judge_unit;
pub(super) use clock::{arm, begin};

use super::execute::execute_one;
use super::ground::Ground;
use super::state::Trial;
use super::task::Planner;
use super::{
    Event, Options, PassError, TenantReport, TenantState, Trigger, accepted_system, lock, rest,
    trial,
};
use crate::apply;
use crate::audit;
use crate::generations;
use crate::host::Host;
use crate::observe::standings;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::model::{Degraded, Name};
use bitbuilder_core::window::{Decision, Seen, Way, Window, last_good, trouble, works};

/// Looks at one tenant, and does what follows; what became of it, if anything did.
///
/// # Errors
/// When the host is not initialised, or its state is unreadable.
pub fn judge(
    host: &dyn Host,
    id: &Name,
    say: &mut dyn FnMut(Event),
) -> Result<Option<TenantReport>, PassError> {
    let mut lock = lock::take(host.root(), || say(Event::Waiting))?;
    let (mut report, recovered) = audit::act(host, &Trigger::Health, None, || {
        trial::end_all_stale(host)?;
        let recovered = apply::recover(host, id)?;
        let mut ground = Ground::read(host, accepted_system(host)?)?;
        Ok::<_, PassError>((attend(host, &mut ground, id, say)?, recovered))
    })?;
    match &mut report {
        Some(report) => {
            report.generation = generations::current(host.root(), id)?;
            say(Event::Finished {
                report: Box::new(report.clone()),
            });
        }
        None if recovered.is_none() => rest::leave(host.root(), lock.rest.take().as_ref()),
        None => {}
    }
    Ok(report)
}

/// Looks until there is nothing left to decide; the last thing that was done, if there was one.
pub(super) fn attend(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    say: &mut dyn FnMut(Event),
) -> Result<Option<TenantReport>, PassError> {
    let tries = ground.revision.system.policy.health.tries;
    let mut worst: Option<TenantReport> = None;
    // Tries, the way back, and the tries there: what goes on for longer goes on at the next look.
    for _ in 0..=2 * tries + 2 {
        let Some(report) = look(host, ground, id, say)? else {
            break;
        };
        // That what was gone back to works says less than that it was gone back to.
        if report.verdict.is_bad() || worst.is_none() {
            worst = Some(report);
        }
        if TenantState::read(host.root(), id)?.returning.is_some() {
            // The way back is blocked: the next pass tries it again.
            break;
        }
    }
    Ok(worst)
}

/// One look. `Some` when something was done: then another look may find more.
fn look(
    host: &dyn Host,
    ground: &mut Ground,
    id: &Name,
    say: &mut dyn FnMut(Event),
) -> Result<Option<TenantReport>, PassError> {
    let root = host.root();
    let state = TenantState::read(root, id)?;
    let Some(tenant) = ground.registry.get(id) else {
        return Ok(None);
    };
    if state.suspended.is_some() || ground.registration(id).is_err() {
        return Ok(None);
    }
    if state.trial.is_some() && !root.trial(id).is_symlink() && state.returning.is_none() {
        trial::settle(host, id, state)?;
        return look(host, ground, id, say);
    }
    if state.returning.is_some() {
        return go_back(host, ground, id, say).map(Some);
    }
    let Some(current) = generations::read_current(root, id)? else {
        return Ok(None);
    };
    let seen = standings(host, tenant)?;
    let mut watch = Watch {
        host,
        ground,
        state,
        current,
        say,
    };
    if watch.is_trial_over() {
        return watch.revert().map(Some);
    }
    match watch.state.window.take() {
        Some(window) if window.generation == watch.current.number => watch.tried(window, &seen),
        _ => watch.steady(&seen),
    }
}

/// One look at a tenant.
struct Watch<'a> {
    host: &'a dyn Host,
    ground: &'a mut Ground,
    /// Its memory, without the window.
    state: TenantState,
    current: Manifest,
    say: &'a mut dyn FnMut(Event),
}

impl Watch<'_> {
    /// In a window.
    fn tried(&mut self, window: Window, seen: &[Seen]) -> Result<Option<TenantReport>, PassError> {
        let policy = self.ground.revision.system.policy.health;
        let window = self.recalled(window, seen)?;
        let due = clock::is_due(self.host, &self.current.tenant, policy.window);
        match window.decide(&policy, seen, due) {
            Decision::Wait => {
                clock::arm(self.host, &self.current.tenant, policy.window)?;
                Ok(None)
            }
            Decision::Close => self.close().map(Some),
            Decision::TryAgain { units, reason } => {
                let next = window.again(self.host.now());
                self.try_again(next, units, &reason).map(Some)
            }
            Decision::GiveUp { reason } => match (window.way, self.target()) {
                (Way::Forward, Some(to)) => self.leave(to, reason).map(Some),
                _ => self.stay(reason).map(Some),
            },
        }
    }

    /// The window as it is from now on: from its beginning after a restart of the host, with the invocations of the
    /// first look.
    fn recalled(&mut self, window: Window, seen: &[Seen]) -> Result<Window, PassError> {
        let id = &self.current.tenant;
        let mut now = window.clone();
        if !clock::has_begun(self.host, id, &window) {
            now = now.restarted(self.host.now());
            clock::begin(self.host, id, &now)?;
        }
        if now.invocations.is_empty() {
            let running = seen.iter().filter(|one| !one.invocation.is_empty());
            now.invocations = running
                .map(|one| (one.unit.clone(), one.invocation.clone()))
                .collect();
        }
        if now != window {
            let state = TenantState {
                window: Some(now.clone()),
                ..self.state.clone()
            };
            state.write(self.host.root(), id)?;
        }
        Ok(now)
    }

    /// Whether what is current is on trial.
    fn trial(&self) -> Option<&Trial> {
        let trial = self.state.trial.as_ref();
        trial.filter(|trial| trial.generation == self.current.number)
    }

    fn is_trial_over(&self) -> bool {
        let until = || trial::until(self.host, &self.current.tenant);
        self.trial().is_some() && until().is_none_or(|until| self.host.uptime() >= until)
    }

    /// Nobody confirmed what is on trial.
    fn revert(&mut self) -> Result<TenantReport, PassError> {
        let confirmed = self
            .trial()
            .map_or(self.current.number, |trial| trial.confirmed);
        self.leave(confirmed, "nobody confirmed it in time".to_owned())
    }

    /// Where to go back to.
    fn target(&self) -> Option<u64> {
        if let Some(trial) = self.trial() {
            return Some(trial.confirmed);
        }
        last_good(&self.state.good, self.current.number)
    }

    /// In no window: only what changed is told.
    fn steady(&mut self, seen: &[Seen]) -> Result<Option<TenantReport>, PassError> {
        let number = self.current.number;
        let known = self.state.degraded.as_ref();
        let known = known.is_some_and(|degraded| degraded.generation == number);
        let policy = self.ground.revision.system.policy.health;
        if self.trial().is_some() {
            clock::arm(self.host, &self.current.tenant, policy.window)?;
        }
        if let Some(reason) = trouble(seen) {
            if known {
                return Ok(None);
            }
            // What is on trial has to go on working.
            if let Some(trial) = self.trial() {
                return self.leave(trial.confirmed, reason.to_owned()).map(Some);
            }
            let reason = reason.to_owned();
            let again = policy.degraded == Degraded::Rollback && self.target().is_some();
            let window = again.then(|| Window::new(number, self.host.now(), Way::Forward));
            return self.degrade(reason, window).map(Some);
        }
        if known && works(seen) {
            return self.close().map(Some);
        }
        Ok(None)
    }

    /// What does not work is started anew, and has a window again.
    fn try_again(
        &mut self,
        next: Window,
        units: Vec<String>,
        reason: &str,
    ) -> Result<TenantReport, PassError> {
        let tries = self.ground.revision.system.policy.health.tries;
        let why = format!("try {} of {tries}: {reason}", next.attempt);
        let options = Options::default();
        let planner = Planner {
            host: self.host,
            options: &options,
            diffs: false,
        };
        let mut task = planner.restart(self.ground, &self.current, units, &why)?;
        task.state.window = Some(next);
        execute_one(self.host, self.ground, task, self.say)
    }

    fn leave(&mut self, to: u64, reason: String) -> Result<TenantReport, PassError> {
        let id = self.current.tenant.clone();
        let host = self.host;
        let damages = generations::verify(host.root(), &id, to);
        let fault = match &damages {
            Ok(damages) => damages.first().map(|damage| damage.to_string()),
            Err(error) => Some(error.to_string()),
        };
        if let Some(fault) = fault {
            return self.stay(format!(
                "{reason}; generation {to}, which was good, cannot be gone back to: {fault}"
            ));
        }
        let leaving = Leaving {
            from: &self.current,
            to,
            reason: Some(reason),
        };
        leave(host, &leaving)?;
        go_back(host, self.ground, &id, self.say)
    }
}
