//! Until it is decided how a tenant does.

use super::status::{Health, TenantStatus, status};
use crate::host::{Host, HostError};
use crate::reconcile::PassError;
use bitbuilder_core::model::Name;
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks at first: containers start in less than a second.
const SHORTEST: Duration = Duration::from_millis(50);
/// Between two looks later.
const LONGEST: Duration = Duration::from_millis(400);

/// Waits until `id` is Healthy, Degraded or Stopped for good, at most `limit`, and tells `say` each state that differs
/// from the one before. Returns the last one. What is Unknown is not waited for.
///
/// # Errors
/// When the status cannot be read, or there is no such tenant in the effective registry. Time that runs out is no
/// error: the status says `Progressing`.
pub fn wait_settled(
    host: &dyn Host,
    id: &Name,
    limit: Duration,
    say: &mut dyn FnMut(&TenantStatus),
) -> Result<TenantStatus, PassError> {
    let deadline = Instant::now() + limit;
    let mut pause = SHORTEST;
    let mut before = None;
    loop {
        let now = look(host, id)?;
        if before.as_ref().is_none_or(|before| differ(before, &now)) {
            say(&now);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if is_settled(&now) || left.is_zero() {
            return Ok(now);
        }
        before = Some(now);
        // Units, timers and results of checks change in different places, and the manager is asked for one tenant
        // only: a look is cheap.
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(LONGEST);
    }
}

fn look(host: &dyn Host, id: &Name) -> Result<TenantStatus, PassError> {
    let found = status(host, Some(id))?.tenants.pop();
    found.ok_or_else(|| {
        let reason = format!("{id} is not in it: `bbctl tenant list` shows those that are");
        HostError::damaged(&host.root().registry(), reason).into()
    })
}

/// Whether there is something new to say. The end of a window is told to the second, and seconds are rounded.
fn differ(before: &TenantStatus, now: &TenantStatus) -> bool {
    let timeless = |status: &TenantStatus| {
        let mut status = status.clone();
        if let Some(window) = &mut status.window {
            window.until = None;
        }
        if let Some(trial) = &mut status.trial {
            trial.until = None;
        }
        status
    };
    timeless(before) != timeless(now)
}

/// Whether nothing of the tenant is on its way any more. What does not work is judged while its window is open.
fn is_settled(status: &TenantStatus) -> bool {
    if status.changing || status.returning.is_some() {
        return false;
    }
    if status.window.is_some() && !matches!(status.health, Health::Healthy | Health::Stopped) {
        return false;
    }
    let moving = status.workloads.iter().any(|workload| {
        workload.health == Health::Progressing
            || matches!(workload.active.as_str(), "activating" | "deactivating")
    });
    match status.health {
        Health::Healthy | Health::Stopped | Health::Unknown => true,
        Health::Progressing => false,
        Health::Degraded => !moving,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::scene::{Scene, name};
    use std::fs;

    const WEB: &str = "systemd-nspawn@shop-web.service";
    const LONG: Duration = Duration::from_secs(60);

    /// Waits for shop; `change` gets the scene after each state that is told, with its number.
    fn wait(scene: &Scene, limit: Duration, change: impl Fn(&Scene, usize)) -> Vec<TenantStatus> {
        let mut told = Vec::new();
        let last = wait_settled(&scene.host, &name("shop"), limit, &mut |status| {
            told.push(status.clone());
            change(scene, told.len());
        });
        assert_eq!(told.last(), Some(&last.unwrap()));
        told
    }

    #[test]
    fn what_is_settled_is_told_once() {
        let scene = Scene::running();
        assert_eq!(wait(&scene, LONG, |_, _| {}).len(), 1);
        scene.set(WEB, "failed", "failed");
        assert_eq!(wait(&scene, LONG, |_, _| {})[0].health, Health::Degraded);
    }

    #[test]
    fn what_starts_is_waited_for() {
        let scene = Scene::running();
        scene.set(WEB, "activating", "start");
        scene.check("i0", Some(true), 0, "");
        let told = wait(&scene, LONG, |scene, number| match number {
            1 => scene.set(WEB, "activating", "auto-restart"),
            2 => scene.set(WEB, "active", "running"),
            _ => scene.check("i1", Some(true), 0, ""),
        });
        let words: Vec<Health> = told.iter().map(|status| status.health).collect();
        let expected = [
            Health::Progressing,
            Health::Degraded,
            Health::Progressing,
            Health::Healthy,
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn one_that_is_down_does_not_hide_one_that_starts() {
        let scene = Scene::running();
        scene.set("systemd-nspawn@shop-db.service", "failed", "failed");
        scene.set(WEB, "activating", "start");
        let told = wait(&scene, LONG, |scene, _| scene.set(WEB, "active", "running"));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn a_change_that_is_under_way_is_waited_for() {
        let scene = Scene::running();
        scene.set(WEB, "inactive", "dead");
        let journal = scene.root().journal(&name("shop"));
        fs::write(&journal, "{}").unwrap();
        let told = wait(&scene, LONG, |scene, number| match number {
            1 => scene.set(WEB, "active", "running"),
            _ => drop(fs::remove_file(&journal)),
        });
        let changing: Vec<bool> = told.iter().map(|status| status.changing).collect();
        assert_eq!(changing, [true, true, false]);
    }

    #[test]
    fn time_runs_out() {
        let scene = Scene::running();
        scene.set(WEB, "activating", "start");
        let told = wait(&scene, Duration::ZERO, |_, _| {});
        assert_eq!(told[0].health, Health::Progressing);
        let error = wait_settled(&scene.host, &name("nobody"), LONG, &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("nobody is not in it"), "{error}");
    }
}
