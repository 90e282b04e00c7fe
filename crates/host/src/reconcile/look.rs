//! The source stage of one tenant: which commit its repository has, and whether that is for deployment.

use super::compile;
use super::ground::Ground;
use super::remotes::Answer;
use super::system::failure;
use super::{Options, PassError, TenantState, trust};
use crate::host::Host;
use crate::signature::Verified;
use crate::source::{
    self, Reading, SourceError, TreeLimits, is_descendant, open, read_tree, resolve_ref,
};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::Registration;

/// A tenant as a pass finds it.
pub(super) struct Look<'r> {
    pub(super) registration: &'r Registration,
    /// Its memory, with the result of the fetch.
    pub(super) state: TenantState,
    pub(super) before: TenantState,
    pub(super) goal: Goal,
}

/// What is to become of a tenant.
pub(super) enum Goal {
    /// This commit is compiled and deployed.
    Deploy {
        commit: String,
        subject: String,
        reading: Reading,
        /// Who signed it.
        verified: Verified,
    },
    /// What is current stays, and is put right where it differs.
    Keep {
        commit: Option<String>,
        /// Why there is nothing newer, unless all is well.
        kept: Kept,
    },
    /// Nothing is touched.
    Leave,
}

/// Why what is current stays.
pub(super) enum Kept {
    /// It is what the repository says.
    UpToDate,
    /// The newest commit was rolled back from.
    Quarantined,
    /// What is current is on trial.
    Trial,
    /// The newest commit is not accepted.
    Refused {
        reason: String,
        findings: Vec<Finding>,
    },
    /// The host's own repository of the tenant has no commit yet.
    Awaited(String),
    /// There is no commit to be had.
    Unreadable(String),
}

/// Looks at what was fetched: `fetched` is what the remote said, if it was asked. Never fails as a whole: what goes wrong is
/// in the goal.
pub(super) fn look<'r>(
    host: &dyn Host,
    ground: &Ground,
    registration: &'r Registration,
    options: &Options,
    fetched: Option<Answer>,
) -> Result<Look<'r>, PassError> {
    let before = TenantState::read(host.root(), &registration.id)?;
    let mut state = before.clone();
    let goal = if state.suspended.is_some() {
        Goal::Leave
    } else {
        goal(host, ground, registration, options, &mut state, fetched)
    };
    Ok(Look {
        registration,
        state,
        before,
        goal,
    })
}

fn goal(
    host: &dyn Host,
    ground: &Ground,
    registration: &Registration,
    options: &Options,
    state: &mut TenantState,
    fetched: Option<Answer>,
) -> Goal {
    let keep = |kept: Kept| Goal::Keep { commit: None, kept };
    let fetched = match fetched {
        Some(Ok(commit)) => {
            state.fetch_failure = None;
            Some(commit)
        }
        Some(Err(error)) if is_awaited(host, registration, &error) => {
            state.fetch_failure = None;
            return keep(Kept::Awaited(format!(
                "its repository has no commit on `{}` yet: push one",
                registration.reference
            )));
        }
        Some(Err(error)) => {
            let before = state.fetch_failure.as_ref();
            let interval = ground.revision.system.policy.sync.interval;
            let name = registration.id.as_str();
            state.fetch_failure = Some(failure(host, name, before, &error, interval));
            None
        }
        None => None,
    };
    let newest = match fetched {
        Some(commit) => Ok(commit),
        None => mirrored(host, registration),
    };
    let decided =
        newest.and_then(|commit| decide(host, ground, registration, options, state, commit));
    decided.unwrap_or_else(|error| {
        let known = state.fetch_failure.as_ref();
        keep(Kept::Unreadable(known.map_or_else(
            || error.to_string(),
            |failed| failed.error.clone(),
        )))
    })
}

/// Whether a fetch failed only because nothing was pushed to the host's own repository yet.
fn is_awaited(host: &dyn Host, registration: &Registration, error: &PassError) -> bool {
    let embedded = host.root().embedded_path(&registration.repository);
    let nothing = matches!(
        error,
        PassError::Source(SourceError::NoRemoteReference { .. })
    );
    nothing && embedded.is_some() && !host.root().current(&registration.id).exists()
}

/// The commit that the mirror has.
fn mirrored(host: &dyn Host, registration: &Registration) -> Result<String, SourceError> {
    let repository = open(&host.root().mirror(&registration.id))?;
    Ok(resolve_ref(&repository, &registration.reference)?.id)
}

fn decide(
    host: &dyn Host,
    ground: &Ground,
    registration: &Registration,
    options: &Options,
    state: &TenantState,
    commit: String,
) -> Result<Goal, SourceError> {
    let keep = |kept: Kept| {
        Ok(Goal::Keep {
            commit: Some(commit.clone()),
            kept,
        })
    };
    if state.trial.is_some() {
        return keep(Kept::Trial);
    }
    let inputs = compile::inputs(ground, registration, &commit);
    let out = state.quarantined_inputs.as_ref();
    if state.quarantined.as_ref() == Some(&commit)
        && out.is_none_or(|out| *out == inputs)
        && !options.retry
    {
        return keep(Kept::Quarantined);
    }
    if state.inputs.as_ref() == Some(&inputs) && !options.retry {
        match &state.refused {
            None => return keep(Kept::UpToDate),
            Some(refusal) if refusal.commit == commit && !options.allow_rewind => {
                return keep(Kept::Refused {
                    reason: refusal.reason.clone(),
                    findings: refusal.findings.clone(),
                });
            }
            Some(_) => {}
        }
    }
    let repository = open(&host.root().mirror(&registration.id))?;
    if let Some(deployed) = &state.deployed
        && !options.allow_rewind
        && !is_descendant(&repository, deployed, &commit)?
    {
        return keep(Kept::Refused {
            reason: format!(
                "it does not descend from the deployed commit {} (force push or rewind); \
                 `bbctl sync {} --allow-rewind` accepts it",
                short(deployed),
                registration.id
            ),
            findings: Vec::new(),
        });
    }
    let deployed = state.deployed.as_deref();
    let verified =
        trust::verify_tenant(host, ground, registration, &repository, deployed, &commit)?;
    if let Some(reason) = verified.refusal {
        return keep(Kept::Refused {
            reason,
            findings: verified.findings,
        });
    }
    let reading = read_tree(&repository, &commit, &TreeLimits::default())?;
    let subject = source::read_commit(&repository, &commit)?.subject;
    Ok(Goal::Deploy {
        commit,
        subject,
        reading,
        verified,
    })
}

/// Enough of a commit id for people.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
