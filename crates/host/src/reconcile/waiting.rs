//! Why a tenant as a whole waits, and what ends it.

use super::TenantState;
use super::look::{Goal, Kept, short};
use bitbuilder_core::finding::{Finding, Severity};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{Gate, Waiting};

/// What waits.
const TENANT: &str = "tenant";

/// What `id` waits for before anything newer is deployed, as far as it was looked at; refusals are [`refused`].
pub(super) fn of(id: &Name, state: &TenantState, goal: &Goal) -> Vec<Waiting> {
    let mut waiting = Vec::new();
    let mut wait = |gate, reason: String| waiting.push(Waiting::new(TENANT, gate, reason));
    if let Some(failed) = &state.fetch_failure {
        let reason = format!("the repository cannot be fetched: {}", failed.error);
        wait(Gate::Repository, reason);
    }
    if let Some(suspended) = &state.suspended {
        let why = &suspended.reason;
        let reason = format!("suspended: {why}; `bbctl resume {id}` ends it");
        wait(Gate::Suspended, reason);
    }
    let Goal::Keep { commit, kept } = goal else {
        return waiting;
    };
    match kept {
        Kept::Quarantined => {
            let commit = short(commit.as_deref().unwrap_or_default());
            let reason = format!(
                "commit {commit} was left and stays out until another one arrives, or `bbctl sync {id} --retry`"
            );
            wait(Gate::Quarantined, reason);
        }
        Kept::Trial => {
            let reason = format!(
                "a generation is on trial: `bbctl confirm {id}` keeps it, `bbctl rollback {id}` leaves it"
            );
            wait(Gate::Trial, reason);
        }
        Kept::Awaited(reason) => wait(Gate::Repository, reason.clone()),
        Kept::Unreadable(error) if state.fetch_failure.is_none() => {
            wait(Gate::Repository, error.clone());
        }
        Kept::Unreadable(_) | Kept::UpToDate | Kept::Refused { .. } => {}
    }
    waiting
}

/// That a crash left a change half done.
pub(super) fn interrupted() -> Waiting {
    let reason = "an interrupted change is finished or undone first, by the next pass";
    Waiting::new(TENANT, Gate::Interrupted, reason)
}

/// That `commit` does not descend from the deployed one.
pub(super) fn rewound(id: &Name, commit: &str, deployed: &str) -> Waiting {
    let reason = format!(
        "commit {} does not descend from the deployed commit {}: `bbctl sync {id} --allow-rewind` accepts it",
        short(commit),
        short(deployed)
    );
    Waiting::new(TENANT, Gate::Refused, reason)
}

/// That `commit` is refused, and what each of its errors would need.
pub(super) fn refused(commit: &str, reason: &str, findings: &[Finding]) -> Vec<Waiting> {
    let reason = format!("commit {} is refused: {reason}", short(commit));
    let errors = findings.iter();
    let errors = errors.filter(|finding| finding.severity == Severity::Error);
    std::iter::once(Waiting::new(TENANT, Gate::Refused, reason))
        .chain(errors.filter_map(Waiting::of))
        .collect()
}
