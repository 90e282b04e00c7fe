//! The journal of an apply in flight: what recovery needs to know after a crash.

use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Action, Phase, Plan};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `/var/lib/tenants/<id>/journal.json`; exists while a plan is being executed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    /// Format version, 1.
    format: u32,
    /// What is being done.
    pub(super) plan: Plan,
    /// Indices of the steps that are finished, successfully or not.
    pub(super) finished: BTreeSet<usize>,
    /// Units of the tenant that ran before the plan stopped some of them.
    pub(super) stopped: BTreeSet<String>,
}

/// Which way out of a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing has switched: back to the generation that is current.
    Undo,
    /// It has switched, there is nothing to switch, or the tenant goes away: do the rest.
    Finish,
}

impl Journal {
    /// A journal of `plan` with nothing done.
    pub(super) fn new(plan: &Plan) -> Self {
        Self {
            format: 1,
            plan: plan.clone(),
            finished: BTreeSet::new(),
            stopped: BTreeSet::new(),
        }
    }

    /// The journal that a crash left.
    pub(super) fn read(root: &HostRoot, id: &Name) -> Result<Option<Self>, HostError> {
        let path = root.journal(id);
        match atomic::read_json::<Self>(&path)? {
            Some(journal) if journal.plan.tenant != *id => {
                let reason = format!("is of tenant {}", journal.plan.tenant);
                Err(HostError::damaged(&path, reason))
            }
            journal => Ok(journal),
        }
    }

    pub(super) fn save(&self, root: &HostRoot) -> Result<(), HostError> {
        atomic::write_json(&root.journal(&self.plan.tenant), self)
    }

    pub(super) fn remove(root: &HostRoot, id: &Name) -> Result<(), HostError> {
        atomic::remove(&root.journal(id)).map(drop)
    }

    /// The way out of a crash that left `current` pointing at this number.
    pub(super) fn way(&self, current: Option<u64>) -> Way {
        let switches = self.plan.from != self.plan.to
            && self
                .plan
                .steps
                .iter()
                .any(|step| matches!(step.action, Action::Switch { .. } | Action::Unlink));
        // What is prepared comes from the repository, which only the next pass opens.
        let prepared = || {
            let mut steps = self.plan.steps.iter().enumerate();
            steps
                .all(|(index, step)| step.phase != Phase::Prepare || self.finished.contains(&index))
        };
        // Without a tenant in the registry the old generation could not start again: a removal goes on.
        let beyond = if switches && self.plan.to.is_some() {
            current == self.plan.to
        } else {
            prepared()
        };
        if beyond { Way::Finish } else { Way::Undo }
    }
}
