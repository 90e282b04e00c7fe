//! What a pass is going to do to one tenant: the plan, what it needs, and what will be remembered of it.

use super::compile::{self, Compiled, Product, compile};
use super::drift::{self, Differences};
use super::ground::Ground;
use super::leave;
use super::look::{Goal, Kept, Look, short};
use super::state::Refusal;
use super::system::errors;
use super::waiting;
use super::{
    EffectiveTenant, HistoryEvent, Options, PassError, Starts, TenantReport, TenantState, Verdict,
};
use crate::apply::Work;
use crate::audit;
use crate::generations;
use crate::host::{Host, HostError};
use crate::observe::{Presence, finished, may_end, observed};
use crate::paths::HostRoot;
use crate::teardown;
use bitbuilder_core::allocate::TenantAllocation;
use bitbuilder_core::artefact::{self, Artefacts, Manifest, OwnedUnit, Provenance, UnitKind};
use bitbuilder_core::drift::repair;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Name, Registration};
use bitbuilder_core::plan::{self, Action, Plan};
use bitbuilder_core::window::{Way, Window};
use serde_json::json;
use std::collections::BTreeSet;

/// One tenant's part of a pass.
pub(super) struct Task {
    pub(super) report: TenantReport,
    /// Its memory after the pass, if all goes well.
    pub(super) state: TenantState,
    pub(super) before: TenantState,
    /// What is remembered once the plan was executed.
    pub(super) event: Option<HistoryEvent>,
    /// What the plan writes.
    pub(super) target: Option<(Manifest, Artefacts)>,
    /// First uid of the tenant's range.
    pub(super) owner: u32,
    /// What differs without a new commit.
    pub(super) drift: Differences,
    /// Its entry in the effective registry from now on.
    pub(super) entry: Option<EffectiveTenant>,
}

impl Task {
    /// For the executor; nothing when there is nothing to do.
    pub(super) fn work(&self) -> Option<Work<'_>> {
        let plan = self.report.plan.as_ref().filter(|plan| !plan.is_empty())?;
        Some(Work {
            plan,
            target: self
                .target
                .as_ref()
                .map(|(manifest, files)| (manifest, files)),
            owner: self.owner,
        })
    }

    /// The report of a pass that stops before anything changes.
    pub(super) fn into_report(mut self) -> TenantReport {
        if self.report.verdict == Verdict::Removed && self.work().is_some() {
            self.report.verdict = Verdict::Planned;
        }
        self.report
    }

    /// What is about to happen to the tenant, for the audit trail.
    pub(super) fn intended(&self, root: &HostRoot) -> Option<audit::Event> {
        let id = &self.report.tenant;
        let plan = self.work().map(|work| work.plan);
        let event = match (&self.event, plan) {
            (Some(event), _) => audit::Event::of(Some(id), event),
            (None, Some(_)) => audit::Event::new(Some(id), "changed"),
            (None, None) => return None,
        };
        let Some(plan) = plan else {
            return Some(event);
        };
        let state = |number: Option<u64>, tree: Option<String>| {
            Some(json!({ "generation": number?, "tree": tree }))
        };
        let tree = |number: u64| Some(generations::read_manifest(root, id, number).ok()?.hash);
        let target = self.target.as_ref().map(|(manifest, _)| manifest);
        Some(
            event
                .with("plan", plan.digest())
                .with_some("before", state(plan.from, plan.from.and_then(tree)))
                .with_some("target", state(plan.to, target.map(|one| one.hash.clone())))
                .with_some("commit", plan.commit.clone())
                .with_some("system", target.map(|one| one.system.clone()))
                .with_some("signer", target.and_then(|one| one.signer.clone())),
        )
    }

    /// Nothing new is deployed while it cannot be put down that it is; a way back and an end go on.
    pub(super) fn hold_back(&mut self, error: &HostError) {
        if !matches!(self.event, Some(HistoryEvent::Deployed { .. })) || self.work().is_none() {
            return;
        }
        self.report.verdict = Verdict::Failed;
        self.report.error = Some(format!(
            "nothing is deployed while the audit trail cannot be written: {error}; `bbctl doctor` says more"
        ));
        (self.report.plan, self.target, self.event) = (None, None, None);
        self.state = self.before.clone();
    }

    /// A tenant that nothing can be done for.
    pub(super) fn failed(id: &Name, error: &PassError) -> Self {
        let mut report = TenantReport::new(id.clone(), Verdict::Failed);
        report.error = Some(error.to_string());
        Self {
            report,
            state: TenantState::default(),
            before: TenantState::default(),
            event: None,
            target: None,
            owner: 0,
            drift: Differences::default(),
            entry: None,
        }
    }
}

/// Makes tasks of one pass; allocations grow from one to the next.
pub(super) struct Planner<'a> {
    pub(super) host: &'a dyn Host,
    pub(super) options: &'a Options,
    /// Whether plans carry diffs: for people, not for execution.
    pub(super) diffs: bool,
}

impl Planner<'_> {
    /// What is done about a look.
    pub(super) fn task(&self, ground: &mut Ground, look: Look<'_>) -> Result<Task, PassError> {
        let registration = look.registration;
        let released = ground.allocations.tenants.get_mut(&registration.id);
        let returns = released.is_some_and(TenantAllocation::restore);
        let entry = ground.registry.get(&registration.id).cloned();
        let mut task = Task {
            report: TenantReport::new(registration.id.clone(), Verdict::Unchanged),
            state: look.state,
            before: look.before,
            event: None,
            target: None,
            owner: 0,
            drift: Differences::default(),
            entry: Some(entry.unwrap_or_else(|| effective(registration, registration.enabled))),
        };
        if returns {
            task.drift.also.push(HistoryEvent::Restored);
        }
        task.report.generation = generations::current(self.host.root(), &registration.id)?;
        task.report.error = task
            .state
            .fetch_failure
            .as_ref()
            .map(|failed| format!("the repository cannot be fetched: {}", failed.error));
        task.report.waiting = waiting::of(&registration.id, &task.state, &look.goal);
        let interrupted = self.host.root().journal(&registration.id).exists();
        task.report
            .waiting
            .extend(interrupted.then(waiting::interrupted));
        match look.goal {
            Goal::Leave => task.report.verdict = Verdict::Suspended,
            Goal::Keep { commit, kept } => {
                task.report.commit = commit;
                self.keep(ground, &mut task, kept)?;
            }
            Goal::Deploy {
                commit,
                subject,
                reading,
                verified,
            } => {
                task.report.commit = Some(commit.clone());
                task.report.signer.clone_from(&verified.signer);
                let mut compiled = compile(ground, registration, reading);
                compiled.findings.extend(verified.findings);
                self.deploy(
                    ground,
                    &mut task,
                    registration,
                    compiled,
                    (&commit, &subject),
                )?;
            }
        }
        Ok(task)
    }

    /// The tenant leaves: everything of it stops, its data stays.
    pub(super) fn removal(&self, ground: &Ground, id: &Name) -> Result<Task, PassError> {
        let root = self.host.root();
        let state = TenantState::read(root, id)?;
        let mut task = Task {
            report: TenantReport::new(id.clone(), Verdict::Removed),
            before: state.clone(),
            state,
            event: Some(HistoryEvent::Removed),
            target: None,
            owner: 0,
            drift: Differences::default(),
            entry: None,
        };
        // Nothing of it runs, so nothing is tried, and no generation is left to compare with. When it comes back, its
        // commit is compiled again, and nothing that was there is in its way.
        task.state = TenantState {
            deployed: task.state.deployed.take(),
            highest: task.state.highest,
            suspended: task.state.suspended.take(),
            history: std::mem::take(&mut task.state.history),
            ..TenantState::default()
        };
        let current = generations::read_current(root, id)?;
        let seen = observed(
            self.host,
            &ground.presence,
            id,
            &unit_names(current.as_ref(), None),
        )?;
        let mut input = plan::Input::new(id, &seen);
        input.current = current.as_ref();
        let mut plan = plan::plan(&input);
        if current.is_some() || !teardown::leftovers(root, id)?.is_empty() {
            let retention = ground.revision.system.policy.retention;
            let units = leave::units(id, current.as_ref());
            plan::erase(&mut plan, units, retention.removed_tenants);
        }
        if let Some(finding) = leave::renamed(ground, id) {
            plan.findings.push(finding.clone());
            task.report.findings.push(finding);
        }
        task.report.plan = Some(plan);
        Ok(task)
    }

    /// What the generation `number` was becomes current again.
    pub(super) fn return_to(
        &self,
        ground: &Ground,
        id: &Name,
        manifest: Manifest,
    ) -> Result<Task, PassError> {
        let root = self.host.root();
        let state = TenantState::read(root, id)?;
        let mut task = Task {
            report: TenantReport::new(id.clone(), Verdict::Unchanged),
            before: state.clone(),
            state,
            event: None,
            target: None,
            owner: owner(ground, id),
            drift: Differences::default(),
            entry: ground.registry.get(id).cloned(),
        };
        task.report.commit = Some(manifest.commit.clone());
        let artefacts = stored(self.host, &manifest)?;
        if let Some(entry) = &mut task.entry {
            entry.enabled = runs(&artefacts);
        }
        task.target = Some((manifest, artefacts));
        self.plan(ground, &mut task, &[], true)?;
        Ok(task)
    }

    /// `units` of the current generation stop and start again.
    pub(super) fn restart(
        &self,
        ground: &Ground,
        current: &Manifest,
        units: Vec<String>,
        reason: &str,
    ) -> Result<Task, PassError> {
        let id = &current.tenant;
        let state = TenantState::read(self.host.root(), id)?;
        let mut report = TenantReport::new(id.clone(), Verdict::Planned);
        report.commit = Some(current.commit.clone());
        report.plan = Some(plan::restart(current, units, reason));
        Ok(Task {
            report,
            before: state.clone(),
            state,
            event: None,
            target: None,
            owner: owner(ground, id),
            drift: Differences::default(),
            entry: ground.registry.get(id).cloned(),
        })
    }

    fn keep(&self, ground: &Ground, task: &mut Task, kept: Kept) -> Result<(), PassError> {
        let id = task.report.tenant.clone();
        match kept {
            Kept::UpToDate | Kept::Quarantined | Kept::Trial => {}
            Kept::Refused { reason, findings } => {
                let commit = task.report.commit.clone().unwrap_or_default();
                self.refuse(task, commit, reason, findings);
            }
            Kept::Awaited(reason) => task.report.error = Some(reason),
            Kept::Unreadable(error) if task.report.generation.is_none() => {
                task.report.verdict = Verdict::Failed;
                task.report.error = Some(error);
            }
            Kept::Unreadable(error) => task.report.error = Some(error),
        }
        let Some(current) = generations::read_current(self.host.root(), &id)? else {
            return Ok(());
        };
        // It had its tries; whoever looks at it shall find it as it is.
        let wanted = self.options.retry || self.options.repair;
        if task.state.is_left(current.number) && !wanted {
            return Ok(());
        }
        task.report.attend |= is_troubled(&ground.presence, &current);
        drift::keep(self, ground, task, current)
    }

    fn deploy(
        &self,
        ground: &mut Ground,
        task: &mut Task,
        registration: &Registration,
        compiled: Compiled,
        (commit, subject): (&str, &str),
    ) -> Result<(), PassError> {
        let id = &registration.id;
        task.report.findings = compiled.findings.clone();
        task.report.sources = compiled.sources;
        let Some(product) = compiled.product else {
            let reason = errors(&compiled.findings);
            task.state.inputs = Some(compile::inputs(ground, registration, commit));
            self.refuse(task, commit.to_owned(), reason, compiled.findings);
            return Ok(());
        };
        let Product {
            enabled,
            allocation,
            artefacts,
        } = product;
        task.owner = allocation.uid_base;
        ground.allocations.tenants.insert(id.clone(), allocation);
        let inputs = compile::inputs(ground, registration, commit);
        let root = self.host.root();
        let provenance = Provenance {
            tenant: id.clone(),
            number: generations::next_number(root, id, task.state.highest)?,
            parent: task.report.generation,
            commit: commit.to_owned(),
            reference: registration.reference.clone(),
            repository: registration.repository.clone(),
            system: ground.revision.commit.clone(),
            signer: task.report.signer.clone(),
            inputs: inputs.clone(),
            created: self.host.now(),
        };
        let manifest = artefact::manifest(provenance, &artefacts);
        task.target = Some((manifest, artefacts));
        self.plan(ground, task, &compiled.findings, false)?;
        if let Some(unit) = masked_start(&ground.presence, task.report.plan.as_ref()) {
            await_unmask(task, &unit, commit);
            return Ok(());
        }
        task.entry = Some(effective(registration, enabled));

        let state = &mut task.state;
        let fresh = state.deployed.as_deref() != Some(commit);
        state.deployed = Some(commit.to_owned());
        state.signer.clone_from(&task.report.signer);
        state.inputs = Some(inputs);
        state.refused = None;
        state.quarantined = None;
        state.quarantined_inputs = None;
        // Something newer is there: nothing is to be gone back to any more.
        state.returning = None;
        state.findings = compiled.findings;
        let moved = task
            .report
            .plan
            .as_ref()
            .filter(|plan| plan.from != plan.to);
        if let Some(number) = moved.and_then(|plan| plan.to) {
            state.highest = number;
        }
        let target = task.report.plan.as_ref().and_then(|plan| plan.to);
        if let Some(number) = target {
            let known = state
                .window
                .as_ref()
                .is_some_and(|window| window.generation == number)
                || state
                    .degraded
                    .as_ref()
                    .is_some_and(|degraded| degraded.generation == number)
                || state.good.contains(&number);
            let again = self.options.retry && state.is_left(number);
            // One that was switched to by a pass that was killed before it could remember is tried, too.
            if moved.is_some() || again || !known {
                state.window = Some(Window::new(number, self.host.now(), Way::Forward));
                state.degraded = None;
            }
        }
        if fresh || moved.is_some() {
            task.event = task.report.plan.as_ref().and_then(|plan| {
                Some(HistoryEvent::Deployed {
                    generation: plan.to?,
                    commit: commit.to_owned(),
                    subject: subject.to_owned(),
                    signer: task.report.signer.clone(),
                })
            });
        }
        Ok(())
    }

    /// The steps from what is current to the task's target.
    pub(super) fn plan(
        &self,
        ground: &Ground,
        task: &mut Task,
        findings: &[Finding],
        written: bool,
    ) -> Result<(), PassError> {
        let root = self.host.root();
        let id = &task.report.tenant;
        let current = generations::read_current(root, id)?;
        let target = task
            .target
            .as_ref()
            .map(|(manifest, files)| (manifest, files));
        let units = unit_names(current.as_ref(), target.map(|(_, files)| files));
        let seen = observed(self.host, &ground.presence, id, &units)?;
        let mut done = match (&current, &task.before.inputs) {
            (Some(current), Some(_)) => finished(&ground.presence, current, may_end(root, current)),
            // After a failure everything is tried again.
            _ => BTreeSet::new(),
        };
        done.extend(task.drift.left.iter().cloned());
        task.report.attend |= current
            .as_ref()
            .is_some_and(|current| is_troubled(&ground.presence, current));
        let directory = root.current(id);
        let contents = |path: &str| std::fs::read(directory.join(path)).ok();
        let mut plan = plan::plan(&plan::Input {
            current: current.as_ref(),
            target,
            contents: &contents,
            diffs: self.diffs,
            written,
            start: self.options.starts == Starts::Awaited,
            finished: &done,
            findings,
            ..plan::Input::new(id, &seen)
        });
        // What only the planner sees: what is there stays as it is.
        let kept = plan.findings.iter().filter(|one| !findings.contains(one));
        task.report.findings.extend(kept.cloned());
        let units = current.iter().flat_map(|current| &current.units);
        let runs = units.filter(|unit| seen.active.contains(&unit.name));
        let above = |below: &str| {
            let requires = |unit: &&OwnedUnit| unit.requires.iter().any(|one| one == below);
            runs.clone()
                .filter(requires)
                .map(|unit| unit.name.clone())
                .collect()
        };
        repair(&mut plan, &task.drift.repairs, &above);
        if !plan.is_empty() {
            if let (true, Some(number)) = (plan.from == plan.to, plan.to) {
                task.event = Some(HistoryEvent::Repaired { generation: number });
            }
            if !task.report.verdict.is_bad() {
                task.report.verdict = Verdict::Planned;
            }
        }
        task.report.plan = Some(plan);
        Ok(())
    }

    fn refuse(&self, task: &mut Task, commit: String, reason: String, findings: Vec<Finding>) {
        task.report.verdict = Verdict::Refused;
        task.report.error = Some(format!("commit {} is refused: {reason}", short(&commit)));
        let known = task
            .before
            .refused
            .as_ref()
            .filter(|before| before.commit == commit);
        if known.is_none() {
            task.event = Some(HistoryEvent::Refused {
                commit: commit.clone(),
                reason: reason.clone(),
            });
        }
        let refused = waiting::refused(&commit, &reason, &findings);
        task.report.waiting.extend(refused);
        task.report.findings.clone_from(&findings);
        task.state.refused = Some(Refusal {
            since: known.map_or_else(|| self.host.now(), |before| before.since),
            commit,
            reason,
            findings,
        });
    }
}

/// A unit that the plan starts and somebody masked: to stop it first would end what runs, for a start that is refused.
fn masked_start(presence: &Presence, plan: Option<&Plan>) -> Option<String> {
    let is_masked = |unit: &&String| {
        let state = presence.units.get(*unit);
        state.is_some_and(|state| state.load == "masked")
    };
    let starts = plan?.steps.iter().filter_map(|step| match &step.action {
        Action::Start { units, .. } => Some(units),
        _ => None,
    });
    starts.flatten().find(is_masked).cloned()
}

/// Nothing is changed until `unit` can be started; that is nobody's try.
fn await_unmask(task: &mut Task, unit: &str, commit: &str) {
    let error = format!(
        "nothing is changed while {unit} is masked: `systemctl unmask {unit}`, or `systemctl unmask --runtime {unit}`"
    );
    let event = HistoryEvent::Failed {
        commit: commit.to_owned(),
        error: error.clone(),
    };
    let told = task.before.history.last();
    if told.is_none_or(|told| told.event != event) {
        task.event = Some(event);
    }
    task.target = None;
    task.report.plan = None;
    task.report.verdict = Verdict::Failed;
    task.report.error = Some(error);
}

/// The registry's entry as it is in force.
fn effective(registration: &Registration, enabled: bool) -> EffectiveTenant {
    EffectiveTenant {
        id: registration.id.clone(),
        enabled,
        registration: registration.clone(),
    }
}

pub(super) fn owner(ground: &Ground, id: &Name) -> u32 {
    let allocation = ground.allocations.tenants.get(id);
    allocation.map_or(0, |allocation| allocation.uid_base)
}

/// Whether anything of the set is to run.
fn runs(artefacts: &Artefacts) -> bool {
    let mut units = artefacts.units.iter();
    units.any(|unit| unit.kind == UnitKind::Tenant && unit.autostart)
}

/// A generation on the disk, as it was rendered.
fn stored(host: &dyn Host, manifest: &Manifest) -> Result<Artefacts, PassError> {
    Ok(Artefacts {
        files: generations::read_files(host.root(), manifest)?,
        units: manifest.units.clone(),
        layers: manifest.layers.clone(),
        directories: manifest.directories.clone(),
        disks: manifest.disks.clone(),
    })
}

fn unit_names<'a>(current: Option<&'a Manifest>, target: Option<&'a Artefacts>) -> Vec<&'a str> {
    let current = current.into_iter().flat_map(|manifest| &manifest.units);
    let target = target.into_iter().flat_map(|artefacts| &artefacts.units);
    let names: BTreeSet<&str> = current
        .chain(target)
        .map(|unit| unit.name.as_str())
        .collect();
    names.into_iter().collect()
}

/// Whether a unit of the generation failed, or is started again and again.
fn is_troubled(presence: &Presence, current: &Manifest) -> bool {
    let states = current
        .units
        .iter()
        .filter_map(|unit| presence.units.get(&unit.name));
    let mut troubled =
        states.filter(|state| state.active == "failed" || state.sub.starts_with("auto-restart"));
    troubled.next().is_some()
}
