//! The system repository as the host last accepted it, and the effective registry that the generators read.

use super::PassError;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use bitbuilder_core::model::{Name, Registration, System};
use serde::{Deserialize, Serialize};

/// A commit of the system repository with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit, hex.
    pub commit: String,
    /// What it says.
    pub system: System,
}

/// The system repository at the commit that was last accepted; no remote is asked.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn accepted_system(host: &dyn Host) -> Result<Revision, PassError> {
    let _ = host;
    todo!()
}

/// `/var/lib/bitbuilder/tenants.json`: what the generators and everybody else may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveRegistry {
    /// Format version, 1.
    pub format: u64,
    /// Commit of the system repository.
    pub system: String,
    /// The tenants, by id.
    pub tenants: Vec<EffectiveTenant>,
}

/// One tenant as it is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveTenant {
    /// Its id.
    pub id: Name,
    /// Whether it starts: registry and metadata both say so.
    pub enabled: bool,
    /// The registry's entry.
    pub registration: Registration,
}

/// Reads it; `None` before the first pass.
///
/// # Errors
/// When the file is unreadable.
pub fn effective_registry(root: &HostRoot) -> Result<Option<EffectiveRegistry>, HostError> {
    crate::atomic::read_json(&root.registry())
}
