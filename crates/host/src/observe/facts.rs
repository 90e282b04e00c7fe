//! What the host can do and which templates it has.

use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use bitbuilder_core::desired::Templates;
use bitbuilder_core::resolve::HostFacts;

/// What this host can do.
///
/// # Errors
/// When it cannot be found out.
pub fn facts(host: &dyn Host) -> Result<HostFacts, HostError> {
    let _ = host;
    todo!()
}

/// The templates below `/usr/lib/bitbuilder/templates/`.
///
/// # Errors
/// When one is unreadable or damaged.
pub fn templates(root: &HostRoot) -> Result<Templates, HostError> {
    let _ = root;
    todo!()
}
