//! What the state of a unit and the result of a health check mean for one workload.

use super::memory::Check;
use super::{Health, WorkloadStatus};
use crate::host::UnitState;
use crate::observe::health::CheckResult;
use bitbuilder_core::artefact::OwnedUnit;
use bitbuilder_core::model::Name;
use bitbuilder_core::window::{self, Standing};

/// What is known of one workload.
pub(super) struct Seen<'a> {
    pub(super) tenant: &'a Name,
    pub(super) name: &'a Name,
    pub(super) unit: &'a OwnedUnit,
    /// Whether it shall run.
    pub(super) wanted: bool,
    /// Whether another unit of the tenant is starting: this one may wait for it.
    pub(super) others_start: bool,
    /// Whether it did what it had to do and ended.
    pub(super) ended: bool,
    /// Its unit; `None` when that is not loaded.
    pub(super) state: Option<&'a UnitState>,
    /// The timer of its health check, when that failed.
    pub(super) failed_timer: Option<&'a OwnedUnit>,
    /// `None` when it has no check.
    pub(super) check: Option<&'a Check>,
    pub(super) addresses: Vec<String>,
}

pub(super) fn judge(seen: Seen<'_>) -> WorkloadStatus {
    let (health, reason) = health(&seen);
    WorkloadStatus {
        name: seen.name.clone(),
        unit: seen.unit.name.clone(),
        active: active(&seen).to_owned(),
        health,
        reason,
        addresses: seen.addresses,
    }
}

/// What it has shown, for who decides whether its generation stays.
pub(super) fn standing(seen: Seen<'_>) -> window::Seen {
    let (health, reason) = health(&seen);
    let reason = format!("{} {}", seen.name, reason.unwrap_or_default());
    let sub = seen.state.map_or("", |state| state.sub.as_str());
    let standing = match health {
        Health::Healthy if seen.check.is_some() => Standing::Good,
        Health::Healthy => Standing::Up,
        Health::Stopped => Standing::Good,
        Health::Progressing | Health::Unknown => Standing::Coming(reason),
        Health::Degraded if sub.starts_with("auto-restart") => Standing::Down(reason),
        // Nobody started it yet, as after a boot.
        Health::Degraded if active(&seen) == "inactive" => Standing::Coming(reason),
        Health::Degraded => Standing::Failed(reason),
    };
    window::Seen {
        unit: seen.unit.name.clone(),
        invocation: seen
            .state
            .map_or_else(String::new, |state| state.invocation.clone()),
        standing,
    }
}

fn active<'a>(seen: &Seen<'a>) -> &'a str {
    seen.state.map_or("inactive", |state| state.active.as_str())
}

fn health(seen: &Seen<'_>) -> (Health, Option<String>) {
    let because = |health, reason: String| (health, Some(reason));
    let logs = format!("`bbctl logs {}/{}`", seen.tenant, seen.name);
    let sub = seen.state.map_or("", |state| state.sub.as_str());
    match active(seen) {
        "active" | "reloading" | "refreshing" => checked(seen, &logs),
        "activating" if sub.starts_with("auto-restart") => because(
            Health::Degraded,
            format!("ended and is started again: see {logs}"),
        ),
        "activating" => because(Health::Progressing, "is starting".to_owned()),
        "deactivating" => because(Health::Progressing, "is stopping".to_owned()),
        _ if !seen.wanted => (Health::Stopped, None),
        "failed" => because(Health::Degraded, format!("failed: see {logs}")),
        _ if seen.ended => because(Health::Stopped, "has ended".to_owned()),
        _ if seen.others_start => because(Health::Progressing, "waits for other units".to_owned()),
        _ => because(
            Health::Degraded,
            format!(
                "is not running: `bbctl sync {} --repair` starts it",
                seen.tenant
            ),
        ),
    }
}

/// Health of a unit that runs.
fn checked(seen: &Seen<'_>, logs: &str) -> (Health, Option<String>) {
    let result = match seen.check {
        None => return (Health::Healthy, None),
        Some(Err(error)) => return (Health::Unknown, Some(error.clone())),
        Some(Ok(result)) => result,
    };
    let invocation = seen.state.map_or("", |state| state.invocation.as_str());
    // A result of an earlier run says nothing about this one.
    let result = result
        .as_ref()
        .filter(|result| result.invocation == invocation);
    match (result, result.and_then(|result| result.healthy)) {
        (_, Some(true)) => (Health::Healthy, None),
        (Some(result), Some(false)) => (Health::Degraded, Some(failing(result, logs))),
        (result, _) => undecided(seen, result),
    }
}

/// Nothing is decided; a timer that failed decides nothing any more.
fn undecided(seen: &Seen<'_>, result: Option<&CheckResult>) -> (Health, Option<String>) {
    if let Some(timer) = seen.failed_timer {
        let reason = format!("is not checked: see `systemctl status {}`", timer.name);
        return (Health::Degraded, Some(reason));
    }
    let said = result
        .map(|result| line(&result.message))
        .filter(|said| !said.is_empty());
    let reason = said.map_or_else(
        || "waits for its first health check".to_owned(),
        |said| format!("is not ready yet: {said}"),
    );
    (Health::Progressing, Some(reason))
}

fn failing(result: &CheckResult, logs: &str) -> String {
    let times = match result.failures {
        0 | 1 => String::new(),
        failures => format!(" {failures} times in a row"),
    };
    let said = match line(&result.message) {
        message if message.is_empty() => String::new(),
        message => format!(" ({message})"),
    };
    format!("fails its health check{times}{said}: see {logs}")
}

/// The first line of what a tenant's check said, without what a terminal would act on.
fn line(message: &str) -> String {
    const LONGEST: usize = 160;
    let line = message.trim().lines().next().unwrap_or_default();
    let shown: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST)
        .collect();
    if line.chars().count() > LONGEST {
        format!("{shown}...")
    } else {
        shown
    }
}
