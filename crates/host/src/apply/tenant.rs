//! One tenant's way through the phases.

use super::journal::Journal;
use super::outcome::{Event, Outcome, StepReport, StepResult};
use super::prepare;
use super::step::{Sources, execute};
use crate::generations;
use crate::host::{Host, HostError};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Action, Phase, Step};

/// A plan being executed.
pub(super) struct Run<'a> {
    host: &'a dyn Host,
    sources: Option<Sources<'a>>,
    journal: Journal,
    results: Vec<Option<StepResult>>,
    /// Why the steps that are left are not tried.
    blocked: Option<String>,
    /// The journal stays, so that a recovery does the rest.
    interrupted: bool,
    undone: bool,
    undo_error: Option<String>,
}

impl<'a> Run<'a> {
    /// A run of `journal`'s plan; steps that the journal calls finished are not executed again.
    pub(super) fn new(host: &'a dyn Host, sources: Option<Sources<'a>>, journal: Journal) -> Self {
        let results = journal.plan.steps.iter().map(|_| None).collect();
        Self {
            host,
            sources,
            journal,
            results,
            blocked: None,
            interrupted: false,
            undone: false,
            undo_error: None,
        }
    }

    /// Writes the journal; without one nothing is done.
    pub(super) fn begin(&mut self) {
        if let Err(error) = self.journal.save(self.host.root()) {
            self.blocked = Some(format!("the journal cannot be written: {error}"));
        }
    }

    /// Whether `phase` has a step that would be executed.
    pub(super) fn has(&self, phase: Phase) -> bool {
        self.blocked.is_none() && self.pending(phase).next().is_some()
    }

    /// Whether `current` changed: the manager has to reload.
    pub(super) fn switched(&self) -> bool {
        self.journal
            .plan
            .steps
            .iter()
            .zip(&self.results)
            .any(|(step, result)| step.phase == Phase::Switch && *result == Some(StepResult::Done))
    }

    /// Executes the steps of `phase`.
    pub(super) fn phase(&mut self, phase: Phase, tell: &dyn Fn(Event)) {
        let pending: Vec<usize> = self.pending(phase).collect();
        for index in pending {
            if self.blocked.is_some() {
                return;
            }
            self.step(index, tell);
        }
    }

    /// Goes back to the generation that is current, unless it is done already: nothing has switched.
    pub(super) fn give_up(&mut self, because: String) {
        if self.blocked.is_none() {
            self.blocked = Some(because);
            self.undone = true;
            let undone = undo(self.host, &self.journal);
            // What could not be deleted is deleted by a recovery.
            self.interrupted = undone.deleted.is_err();
            let error = undone.deleted.and(undone.started).err();
            self.undo_error = error.map(|error| error.to_string());
        }
    }

    /// Leaves the rest to a recovery.
    pub(super) fn interrupt(&mut self, because: &str) {
        if self.blocked.is_none() {
            self.blocked = Some(because.to_owned());
            self.interrupted = true;
        }
    }

    /// Removes the journal and says how it went.
    pub(super) fn finish(mut self) -> Outcome {
        if !self.interrupted {
            let removed = Journal::remove(self.host.root(), self.tenant());
            if let (Err(error), None) = (removed, &self.undo_error) {
                self.undo_error = Some(error.to_string());
            }
        }
        let because = self.blocked.unwrap_or_default();
        let finished = self.journal.finished;
        let report = |(index, (step, result)): (usize, (_, Option<StepResult>))| StepReport {
            step,
            result: result.unwrap_or_else(|| {
                if finished.contains(&index) {
                    StepResult::Unchanged
                } else {
                    StepResult::Skipped {
                        because: because.clone(),
                    }
                }
            }),
        };
        let steps = self.journal.plan.steps.into_iter().zip(self.results);
        Outcome {
            tenant: self.journal.plan.tenant,
            steps: steps.enumerate().map(report).collect(),
            undone: self.undone,
            undo_error: self.undo_error,
        }
    }

    pub(super) fn tenant(&self) -> &Name {
        &self.journal.plan.tenant
    }

    fn pending(&self, phase: Phase) -> impl Iterator<Item = usize> + '_ {
        let steps = self.journal.plan.steps.iter().enumerate();
        steps
            .filter(move |(index, step)| {
                step.phase == phase && !self.journal.finished.contains(index)
            })
            .map(|(index, _)| index)
    }

    /// Starts are independent of each other; everything before them is a gate, and so is the network: without its rules
    /// nothing may start.
    fn failed(&mut self, index: usize, step: &Step, error: &str) {
        let plan = &self.journal.plan;
        let switched = step.phase == Phase::Switch
            && plan.from != plan.to
            && generations::current(self.host.root(), &plan.tenant).is_ok_and(|now| now == plan.to);
        if switched || step.action == Action::ReloadNetwork {
            self.journal.finished.remove(&index);
            self.note(step);
            self.interrupt(&format!("an earlier step failed: {error}"));
        } else if step.phase < Phase::Start {
            self.give_up(format!("an earlier step failed: {error}"));
        } else {
            self.note(step);
        }
    }

    fn note(&self, step: &Step) {
        if step.phase > Phase::Prepare {
            let _ = self.journal.save(self.host.root());
        }
    }

    fn step(&mut self, index: usize, tell: &dyn Fn(Event)) {
        let step = self.journal.plan.steps[index].clone();
        let tenant = self.tenant().clone();
        tell(Event::Started {
            tenant: tenant.clone(),
            step: step.clone(),
        });
        let result = execute(
            self.host,
            &tenant,
            &step.action,
            self.sources,
            &mut self.journal,
        );
        self.journal.finished.insert(index);
        self.results[index] = Some(result.clone());
        match &result {
            StepResult::Failed { error } => self.failed(index, &step, error),
            // Repeating a step does no harm, so a journal that cannot be updated is no reason to stop here.
            _ => self.note(&step),
        }
        tell(Event::Ended {
            tenant,
            report: StepReport { step, result },
        });
    }
}

/// How an undoing went.
pub(super) struct Undone {
    /// Whether nothing of the new generation is left.
    pub(super) deleted: Result<(), HostError>,
    /// Whether what was stopped runs again.
    pub(super) started: Result<(), HostError>,
}

/// Deletes the generation that never became current and what is half prepared, and starts what was stopped, whether or
/// not the first works. Layers and directories stay: they hurt nobody, and the next try needs them.
pub(super) fn undo(host: &dyn Host, journal: &Journal) -> Undone {
    let stopped: Vec<String> = journal.stopped.iter().cloned().collect();
    Undone {
        deleted: delete_prepared(host, journal),
        started: if stopped.is_empty() {
            Ok(())
        } else {
            host.start(&stopped)
        },
    }
}

/// Whether generation `number` is whole and of another commit: then this plan did not write it.
fn is_of_another_plan(host: &dyn Host, journal: &Journal, number: u64) -> bool {
    let plan = &journal.plan;
    generations::read_manifest(host.root(), &plan.tenant, number)
        .is_ok_and(|manifest| plan.commit.as_ref() != Some(&manifest.commit))
}

fn delete_prepared(host: &dyn Host, journal: &Journal) -> Result<(), HostError> {
    let tenant = &journal.plan.tenant;
    let current = generations::current(host.root(), tenant)?;
    for step in &journal.plan.steps {
        if let Action::WriteGeneration { number } = step.action
            && Some(number) != current
            && !is_of_another_plan(host, journal, number)
        {
            generations::remove(host.root(), tenant, number)?;
        }
    }
    generations::sweep(host.root(), tenant)?;
    prepare::sweep(host, tenant)
}
