//! What was found right at an earlier look: `/run/bitbuilder/drift.json`, gone with a reboot.

use super::steady::Steady;
use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::reconcile::{TenantReport, Verdict};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Action;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// By tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Seals {
    /// Format version, 1.
    format: u64,
    tenants: BTreeMap<Name, Seal>,
}

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Seal {
    /// The generation that was current.
    pub(crate) generation: u64,
    /// Everything that shall run has run since the host booted: what is down now went down.
    #[serde(default)]
    pub(crate) came_up: bool,
    /// How to see that nothing but its units has changed since all was right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) steady: Option<Steady>,
}

impl Seals {
    /// Reads them. Without a file, or with a damaged one, nothing is known: everything is looked at.
    pub(crate) fn read(root: &HostRoot) -> Self {
        let text = fs::read(path(root)).ok();
        let read: Option<Self> = text.and_then(|text| serde_json::from_slice(&text).ok());
        let read = read.filter(|seals| seals.format == atomic::FORMAT);
        read.unwrap_or(Self {
            format: atomic::FORMAT,
            ..Self::default()
        })
    }

    /// Writes them, unless they are `before`.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn write(&self, root: &HostRoot, before: &Self) -> Result<(), HostError> {
        if self == before {
            return Ok(());
        }
        atomic::write_json(&path(root), self)
    }

    /// Of `id`, when it is of this generation.
    pub(crate) fn of(&self, id: &Name, generation: u64) -> Option<&Seal> {
        let seal = self.tenants.get(id);
        seal.filter(|seal| seal.generation == generation)
    }

    /// After a tenant's part of a pass: `seal` is what was found right when it was looked at.
    pub(crate) fn renew(&mut self, report: &TenantReport, seal: Option<Seal>) {
        let (id, verdict) = (&report.tenant, report.verdict);
        match (verdict, report.generation, seal) {
            (Verdict::Removed, ..) => drop(self.tenants.remove(id)),
            // What was changed is looked at again, but what was started has come up.
            (Verdict::Applied, Some(generation), _) => {
                let before = self.tenants.get(id);
                let seal = Seal {
                    generation,
                    came_up: starts(report) || before.is_some_and(|seal| seal.came_up),
                    ..Seal::default()
                };
                self.tenants.insert(id.clone(), seal);
            }
            (Verdict::Failed, ..) | (_, _, None) => {}
            (_, _, Some(seal)) => drop(self.tenants.insert(id.clone(), seal)),
        }
    }
}

/// Whether a plan that was executed starts units.
fn starts(report: &TenantReport) -> bool {
    let steps = report.plan.iter().flat_map(|plan| &plan.steps);
    steps
        .into_iter()
        .any(|step| matches!(step.action, Action::Start { .. }))
}

fn path(root: &HostRoot) -> PathBuf {
    root.runtime().join("drift.json")
}
