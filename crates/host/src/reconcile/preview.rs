//! The compiler without any effect.

use super::PassError;
use crate::host::Host;
use crate::source::Reading;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Plan;
use std::collections::BTreeMap;

/// What a revision would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What is wrong with it or worth knowing, sorted by place.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    pub sources: BTreeMap<String, String>,
    /// What a pass would do; none when there are errors.
    pub plans: Vec<Plan>,
}

/// What a pass would do if the repository of tenant `id` were `reading` at `commit` (hex, or a word such as `local`).
///
/// # Errors
/// When the tenant is not in the registry, or the host's state is unreadable.
pub fn preview_tenant(
    host: &dyn Host,
    id: &Name,
    reading: Reading,
    commit: &str,
) -> Result<Preview, PassError> {
    let _ = (host, id, reading, commit);
    todo!()
}

/// What is wrong with the system repository `reading`, and what a pass would do to the tenants of the registry with it.
///
/// # Errors
/// When the host's state is unreadable.
pub fn preview_system(host: &dyn Host, reading: Reading) -> Result<Preview, PassError> {
    let _ = (host, reading);
    todo!()
}
