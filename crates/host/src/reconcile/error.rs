//! Why a pass could not be made at all.

use crate::host::HostError;
use crate::source::SourceError;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::Name;
use std::collections::BTreeMap;

/// A failure that concerns the whole pass, or the one tenant that was asked for.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// There is no system repository yet.
    #[error("this host has no system repository: run `bbctl host init`")]
    NotInitialised,
    /// No commit of the system repository was accepted yet.
    #[error("no commit of the system repository was accepted yet: run `bbctl sync`")]
    NothingAccepted,
    /// The system repository has errors, and no other commit of it can be used instead.
    #[error("the documents of the system repository have {} findings", findings.len())]
    System {
        /// What is wrong with it.
        findings: Vec<Finding>,
        /// Texts that `findings` point into, by path.
        sources: BTreeMap<String, String>,
    },
    /// No such tenant.
    #[error(
        "tenant {id} is not in the registry ({known}): add it with `bbctl tenant add {id} --repository URL`"
    )]
    UnknownTenant {
        /// What was asked for.
        id: Name,
        /// Those that are there, for people.
        known: String,
    },
    /// There is nothing to go back to.
    #[error("{tenant}: {reason}")]
    Generation {
        /// The tenant.
        tenant: Name,
        /// Why not.
        reason: String,
    },
    /// A secret of the receiver of webhooks is of no use.
    #[error("the webhook secret of {target} is not used: {reason}")]
    Secret {
        /// Whose: a tenant's id, or `*`.
        target: String,
        /// Why.
        reason: String,
    },
    /// The host failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A repository failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}
