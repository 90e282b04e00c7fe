//! What does not happen at once, and for what it waits.

use super::{Action, Input, Step};
use crate::artefact::OwnedUnit;
use crate::finding::{Finding, Severity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Something that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What waits: `tenant`, a unit, or the place of a document.
    pub what: String,
    /// For what.
    pub gate: Gate,
    /// In a sentence, with the command that ends the wait where there is one.
    pub reason: String,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// The operator ends a suspension.
    Suspended,
    /// Another commit than the one that was left.
    Quarantined,
    /// The end of a trial.
    Trial,
    /// A commit that can be accepted.
    Refused,
    /// A repository that can be read, or has a commit.
    Repository,
    /// The end of a change that was interrupted.
    Interrupted,
    /// A template on this host.
    Template,
    /// Something that this host cannot do.
    Capability,
    /// A workload that is healthy.
    Dependency,
}

impl Waiting {
    /// That `what` waits for `gate`.
    pub fn new(what: impl Into<String>, gate: Gate, reason: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            gate,
            reason: reason.into(),
        }
    }

    /// That something waits because of `finding`; `None` when nothing does.
    pub fn of(finding: &Finding) -> Option<Self> {
        let gate = match finding.rule.as_str() {
            "unknown-template" => Gate::Template,
            "not-available" | "vm-not-available" | "limit-not-enforced" | "left-out"
            | "placed-elsewhere" | "systemd-version" => Gate::Capability,
            _ if finding.severity == Severity::Error => Gate::Refused,
            _ => return None,
        };
        let reason = &finding.message;
        Some(Self::new(finding.origin.to_string(), gate, reason))
    }
}

/// What of `steps` waits: units that start after others, and what the findings leave out.
pub(super) fn waiting(input: &Input<'_>, steps: &[Step]) -> Vec<Waiting> {
    let mut waiting = dependencies(input, steps);
    waiting.extend(input.findings.iter().filter_map(Waiting::of));
    waiting
}

fn dependencies(input: &Input<'_>, steps: &[Step]) -> Vec<Waiting> {
    let Some((target, _)) = input.target else {
        return Vec::new();
    };
    let units: BTreeMap<&str, &OwnedUnit> = target
        .units
        .iter()
        .map(|unit| (unit.name.as_str(), unit))
        .collect();
    let starts = steps.iter().flat_map(|step| match &step.action {
        Action::Start { units } => units.as_slice(),
        _ => &[],
    });
    let workload = |name: &str| {
        let workload = units.get(name).and_then(|unit| unit.workload.as_ref());
        workload
            .map_or(name, |workload| workload.as_str())
            .to_owned()
    };
    let gate = |unit: &&OwnedUnit| {
        let needed: Vec<String> = unit.needs.iter().map(|needed| workload(needed)).collect();
        let reason = format!(
            "{} starts when {} {} healthy",
            workload(&unit.name),
            needed.join(", "),
            if needed.len() == 1 { "is" } else { "are" },
        );
        (!needed.is_empty()).then(|| Waiting::new(&unit.name, Gate::Dependency, reason))
    };
    starts
        .filter_map(|name| units.get(name.as_str()).and_then(gate))
        .collect()
}
