//! The effective registry: what the generators and everybody else may read.

use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::model::{Name, Registration};
use serde::{Deserialize, Serialize};

/// `/var/lib/bitbuilder/tenants.json`.
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
