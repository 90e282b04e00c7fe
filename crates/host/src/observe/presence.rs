//! What of a tenant is on the host.

use crate::host::{Host, HostError, UnitState};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Observed;
use std::collections::BTreeMap;

/// States of all units that tenants can own, asked for once per pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// By unit name.
    pub units: BTreeMap<String, UnitState>,
}

impl Presence {
    /// Asks the manager, once.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn read(host: &dyn Host) -> Result<Self, HostError> {
        let _ = host;
        todo!()
    }
}

/// What of `id` is on the host; `units` are those that its current and its target generation own.
///
/// # Errors
/// When its directories are unreadable.
pub fn observed(
    host: &dyn Host,
    presence: &Presence,
    id: &Name,
    units: &[&str],
) -> Result<Observed, HostError> {
    let _ = (host, presence, id, units);
    todo!()
}
