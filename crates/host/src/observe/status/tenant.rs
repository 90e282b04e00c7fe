//! What all that is known of a tenant means, in two words and a sentence.

use super::memory::Memory;
use super::workload::{self, Seen};
use super::{Health, SyncState, TenantStatus, Times, WorkloadStatus};
use crate::host::UnitState;
use crate::observe::presence::{Presence, finished, runs};
use crate::reconcile::{EffectiveTenant, HistoryEvent, summary};
use bitbuilder_core::artefact::{Manifest, OwnedUnit, UnitKind};
use bitbuilder_core::drift::{How, Item};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::Name;
use bitbuilder_core::window::{self, Standing};

/// A tenant whose state cannot be read, and why.
pub(super) fn unknown(tenant: &EffectiveTenant, reason: String) -> TenantStatus {
    TenantStatus {
        id: tenant.id.clone(),
        name: tenant.registration.name.clone(),
        sync: SyncState::Unknown,
        health: Health::Unknown,
        reason: Some(reason),
        generation: None,
        commit: None,
        signer: None,
        limits: tenant.registration.limits,
        refused: None,
        suspended: None,
        fetch_failure: None,
        drift: None,
        findings: Vec::new(),
        window: None,
        changing: false,
        trial: None,
        returning: None,
        degraded: None,
        workloads: Vec::new(),
        tunnels: Vec::new(),
    }
}

/// A tenant whose state is known.
pub(super) fn judge(
    tenant: &EffectiveTenant,
    memory: Memory,
    presence: &Presence,
    times: Times,
) -> TenantStatus {
    let mut workloads: Vec<WorkloadStatus> = seen(tenant, &memory, presence)
        .into_iter()
        .map(workload::judge)
        .collect();
    workloads.sort_by(|a, b| a.name.cmp(&b.name));
    let units = Units {
        tenant,
        manifest: memory.manifest.as_ref(),
        presence,
    };
    let (health, unwell) = health(&units, &memory, &workloads);
    let (sync, unsynced) = sync(&units, &memory, &workloads);
    let reason = [unwell, unsynced]
        .into_iter()
        .flatten()
        .max_by_key(|reason| reason.weight);
    let state = memory.state;
    let generation = memory.manifest.as_ref().map(|manifest| manifest.number);
    let compiled = memory
        .manifest
        .map(|manifest| (manifest.commit, manifest.signer));
    let (compiled, compiled_signer) = compiled.unzip();
    // A later commit that changed nothing is what is deployed, too.
    let (commit, signer) = match (&state.quarantined, &state.trial, state.deployed) {
        (None, None, Some(deployed)) => (Some(deployed), state.signer),
        _ => (compiled, compiled_signer.flatten()),
    };
    TenantStatus {
        sync,
        health,
        reason: reason.map(|reason| reason.text),
        generation,
        commit,
        signer,
        refused: state.refused,
        suspended: state.suspended.clone(),
        fetch_failure: state.fetch_failure,
        drift: state.drift,
        findings: state.findings,
        degraded: state
            .degraded
            .filter(|degraded| Some(degraded.generation) == generation),
        changing: memory.busy,
        returning: state.returning.map(|back| back.to),
        trial: times.trial,
        window: times.window.filter(|_| state.suspended.is_none()),
        workloads,
        tunnels: memory.tunnels,
        ..unknown(tenant, String::new())
    }
}

/// A sentence and how much it matters: the one that matters most is shown.
struct Reason {
    weight: Weight,
    text: String,
}

/// Least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Weight {
    /// It is as the documents say.
    Stopped,
    LeftOut,
    Progressing,
    Drift,
    Busy,
    RolledBack,
    Suspended,
    Unreachable,
    Failed,
    Refused,
    /// It does not work.
    Down,
}

impl Weight {
    fn because(self, text: impl Into<String>) -> Option<Reason> {
        Some(Reason {
            weight: self,
            text: text.into(),
        })
    }
}

/// The units of the current generation.
struct Units<'a> {
    tenant: &'a EffectiveTenant,
    manifest: Option<&'a Manifest>,
    presence: &'a Presence,
}

impl<'a> Units<'a> {
    fn of(&self, kind: UnitKind) -> impl Iterator<Item = (&'a OwnedUnit, Option<&'a UnitState>)> {
        let presence = self.presence;
        let all = self
            .manifest
            .into_iter()
            .flat_map(|manifest| &manifest.units);
        all.filter(move |unit| unit.kind == kind)
            .map(|unit| (unit, presence.units.get(&unit.name)))
    }

    /// A unit, no workload, that failed.
    fn failed(&self) -> Option<&'a OwnedUnit> {
        let kinds = [
            UnitKind::Mount,
            UnitKind::Network,
            UnitKind::Namespace,
            UnitKind::Tenant,
        ];
        kinds
            .into_iter()
            .flat_map(|kind| self.of(kind))
            .find(|(_, state)| state.is_some_and(|state| state.active == "failed"))
            .map(|(unit, _)| unit)
    }

    /// `tenant@`, when it shall run and somebody stopped it.
    fn stopped(&self) -> Option<&'a OwnedUnit> {
        self.of(UnitKind::Tenant)
            .find(|(unit, state)| self.tenant.enabled && unit.autostart && !state.is_some_and(runs))
            .map(|(unit, _)| unit)
    }
}

/// What its units show of the current generation.
pub(super) fn standings(
    tenant: &EffectiveTenant,
    memory: &Memory,
    presence: &Presence,
) -> Vec<window::Seen> {
    let units = Units {
        tenant,
        manifest: memory.manifest.as_ref(),
        presence,
    };
    let failed = units
        .failed()
        .filter(|_| tenant.enabled)
        .map(|unit| window::Seen {
            unit: unit.name.clone(),
            invocation: String::new(),
            standing: Standing::Failed(failure(unit)),
        });
    let seen = seen(tenant, memory, presence);
    seen.into_iter()
        .map(workload::standing)
        .chain(failed)
        .collect()
}

/// All that is known of each workload.
fn seen<'a>(
    tenant: &'a EffectiveTenant,
    memory: &'a Memory,
    presence: &'a Presence,
) -> Vec<Seen<'a>> {
    let units = memory.manifest.iter().flat_map(|manifest| &manifest.units);
    let starts =
        |state: &UnitState| state.active == "activating" && !state.sub.starts_with("auto-restart");
    let others_start = units
        .clone()
        .filter_map(|unit| presence.units.get(&unit.name))
        .any(starts);
    let failed_timer = |name: &Name| {
        units.clone().find(|unit| {
            let state = presence.units.get(&unit.name);
            unit.kind == UnitKind::Health
                && unit.workload.as_ref() == Some(name)
                && state.is_some_and(|state| state.active == "failed")
        })
    };
    let ended = memory
        .manifest
        .as_ref()
        .map(|manifest| finished(presence, manifest, memory.may_end.clone()));
    let ended = ended.unwrap_or_default();
    let judged = units.clone().filter_map(|unit| match &unit.workload {
        Some(name) if unit.kind == UnitKind::Workload => Some(Seen {
            tenant: &tenant.id,
            name,
            unit,
            wanted: tenant.enabled && unit.autostart,
            others_start,
            ended: ended.contains(&unit.name),
            state: presence.units.get(&unit.name),
            failed_timer: failed_timer(name),
            check: memory.checks.get(name),
            addresses: memory.addresses.get(name).cloned().unwrap_or_default(),
        }),
        _ => None,
    });
    judged.collect()
}

fn failure(unit: &OwnedUnit) -> String {
    format!("{0} failed: see `systemctl status {0}`", unit.name)
}

fn health(
    units: &Units<'_>,
    memory: &Memory,
    workloads: &[WorkloadStatus],
) -> (Health, Option<Reason>) {
    let is = |health: Health| workloads.iter().find(|workload| workload.health == health);
    if memory.manifest.is_none() {
        return (Health::Unknown, None);
    }
    if let Some(down) = is(Health::Degraded) {
        let reason = units.stopped().map_or_else(|| sentence(down), start);
        return (Health::Degraded, Weight::Down.because(reason));
    }
    if units.tenant.enabled
        && let Some(failed) = units.failed()
    {
        return (Health::Degraded, Weight::Down.because(failure(failed)));
    }
    if let Some(unknown) = is(Health::Unknown) {
        return (Health::Unknown, Weight::Down.because(sentence(unknown)));
    }
    let left_out = units
        .tenant
        .enabled
        .then(|| left_out(&memory.state.findings))
        .flatten();
    let health = match left_out {
        Some(_) => Health::Degraded,
        None => Health::Progressing,
    };
    if let Some(progressing) = is(Health::Progressing) {
        return (health, Weight::Progressing.because(sentence(progressing)));
    }
    if let Some(left_out) = left_out {
        return (health, Weight::LeftOut.because(&left_out.message));
    }
    if is(Health::Healthy).is_some() || (units.tenant.enabled && workloads.is_empty()) {
        return (Health::Healthy, None);
    }
    (
        Health::Stopped,
        Weight::Stopped.because(stopped(units.tenant, memory)),
    )
}

fn sentence(workload: &WorkloadStatus) -> String {
    let reason = workload.reason.as_deref().unwrap_or("is not well");
    format!("{} {reason}", workload.name)
}

fn start(tenant: &OwnedUnit) -> String {
    format!("{0} is stopped: `systemctl start {0}`", tenant.name)
}

/// A workload that this host cannot run.
fn left_out(findings: &[Finding]) -> Option<&Finding> {
    findings
        .iter()
        .find(|finding| finding.rule == "vm-not-available")
}

fn stopped(tenant: &EffectiveTenant, memory: &Memory) -> String {
    let mut findings = memory.state.findings.iter();
    if tenant.enabled {
        "its workloads have `autostart: false`".to_owned()
    } else if !tenant.registration.enabled {
        "disabled in tenants/registry.json".to_owned()
    } else if let Some(elsewhere) = findings.find(|finding| finding.rule == "placed-elsewhere") {
        elsewhere.message.clone()
    } else if memory.state.suspended.is_some() {
        "suspended and not running".to_owned()
    } else {
        "disabled in its metadata.json".to_owned()
    }
}

fn sync(
    units: &Units<'_>,
    memory: &Memory,
    workloads: &[WorkloadStatus],
) -> (SyncState, Option<Reason>) {
    let (state, id) = (&memory.state, &units.tenant.id);
    if let Some(suspension) = &state.suspended {
        let reason = format!(
            "suspended: {}; `bbctl resume {id}` ends it",
            suspension.reason
        );
        return (SyncState::Suspended, Weight::Suspended.because(reason));
    }
    if let Some(refused) = &state.refused {
        let commit = short(&refused.commit);
        let reason = format!(
            "commit {commit} is refused: {}; see `bbctl plan {id}`",
            refused.reason
        );
        return (SyncState::OutOfSync, Weight::Refused.because(reason));
    }
    if let Some((commit, error)) = failed(memory) {
        let reason = format!(
            "commit {} failed: {error}; `bbctl sync {id}` tries again",
            short(commit)
        );
        return (SyncState::OutOfSync, Weight::Failed.because(reason));
    }
    let unreachable = state.fetch_failure.as_ref().and_then(|failure| {
        let times = failure.count;
        Weight::Unreachable.because(format!(
            "its repository cannot be read ({times} times in a row): {}",
            failure.error
        ))
    });
    let Some(manifest) = &memory.manifest else {
        let never = || Weight::Drift.because(format!("not synced yet: run `bbctl sync {id}`"));
        return (SyncState::Unknown, unreachable.or_else(never));
    };
    if let Some(back) = &state.returning {
        let reason = format!("is going back to generation {}", back.to);
        return (SyncState::OutOfSync, Weight::Busy.because(reason));
    }
    if memory.busy {
        let reason =
            format!("a change is under way or was interrupted: `bbctl sync {id}` finishes it");
        return (SyncState::OutOfSync, Weight::Busy.because(reason));
    }
    let trial = state.trial.as_ref();
    if let Some(trial) = trial.filter(|trial| trial.generation == manifest.number) {
        let reason = format!(
            "generation {} is on trial and goes back to {}: `bbctl confirm {id}` keeps it",
            trial.generation, trial.confirmed
        );
        return (SyncState::Trial, Weight::RolledBack.because(reason));
    }
    let another =
        |commit: &&String| **commit != manifest.commit || state.quarantined_inputs.is_some();
    if let Some(commit) = state.quarantined.as_ref().filter(another) {
        let reason = rolled_back(memory, manifest.number, commit);
        return (SyncState::RolledBack, Weight::RolledBack.because(reason));
    }
    if let Some(reason) = drift(units, workloads).or_else(|| drifted(units, memory)) {
        return (SyncState::OutOfSync, Weight::Drift.because(reason));
    }
    // What the host knows of is deployed; whether there is more nobody can say now.
    (SyncState::Synced, unreachable)
}

/// That the tenant went back, and what stays out.
fn rolled_back(memory: &Memory, to: u64, commit: &str) -> String {
    let mut newest_first = memory.state.history.iter().rev();
    let why = newest_first.find_map(|entry| match &entry.event {
        HistoryEvent::RolledBack { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let commit = short(commit);
    match why.flatten() {
        Some(why) => format!(
            "rolled back to generation {to}: {why}; commit {commit} stays out until another one arrives"
        ),
        None => format!(
            "rolled back to generation {to}: commit {commit} stays out until another one arrives"
        ),
    }
}

/// The commit that was tried last, and why that failed; `None` when it did not, or when it is current all the same:
/// then its units tell how it is.
fn failed(memory: &Memory) -> Option<(&str, &str)> {
    let newest_first = memory.state.history.iter().rev();
    let applied = newest_first.map(|entry| &entry.event).find(|event| {
        use HistoryEvent::{Deployed, Failed, Repaired, RolledBack};
        matches!(
            event,
            Deployed { .. } | Failed { .. } | Repaired { .. } | RolledBack { .. }
        )
    });
    match applied? {
        HistoryEvent::Failed { commit, error } => {
            let current = memory.manifest.as_ref().map(|manifest| &manifest.commit);
            (current != Some(commit)).then_some((commit, error))
        }
        _ => None,
    }
}

/// What the last pass saw, apart from units, which are seen here.
fn drifted(units: &Units<'_>, memory: &Memory) -> Option<String> {
    let items = memory.state.drift.iter().flat_map(|drift| &drift.items);
    let stays = |item: &&Item| {
        let runs = units.presence.units.get(&item.subject).is_some_and(runs);
        !(runs && matches!(item.how, How::Stopped | How::Failed))
    };
    let said = summary(items.filter(stays))?;
    Some(format!("{said}: see `bbctl drift {}`", units.tenant.id))
}

/// What runs and shall not, or shall and is gone; what failed is no drift.
fn drift(units: &Units<'_>, workloads: &[WorkloadStatus]) -> Option<String> {
    let id = &units.tenant.id;
    if let Some(stopped) = units.stopped() {
        return Some(start(stopped));
    }
    let workload =
        |test: &dyn Fn(&WorkloadStatus) -> bool| workloads.iter().find(|workload| test(workload));
    if !units.tenant.enabled {
        let running = workload(&|workload| workload.active == "active")?;
        return Some(format!(
            "{} runs and shall not: `bbctl sync {id} --repair` stops it",
            running.name
        ));
    }
    let gone = |workload: &WorkloadStatus| {
        workload.health == Health::Degraded && workload.active == "inactive"
    };
    workload(&gone).map(sentence)
}

/// Enough of a commit id for people.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
