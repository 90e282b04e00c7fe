//! What an operator does to one tenant.

use super::{Event, PassError, TenantReport};
use crate::host::Host;
use bitbuilder_core::model::Name;

/// Makes an older generation current: `to`, or the one before. The commit that is left is quarantined.
///
/// # Errors
/// When there is no such tenant or generation, it is damaged, or the host's state is unreadable.
pub fn rollback(
    host: &dyn Host,
    id: &Name,
    to: Option<u64>,
    say: &mut dyn FnMut(Event),
) -> Result<TenantReport, PassError> {
    let _ = (host, id, to, say);
    todo!()
}

/// Passes leave `id` alone until [`resume`]; what runs goes on.
///
/// # Errors
/// When there is no such tenant, or its state is unreadable.
pub fn suspend(host: &dyn Host, id: &Name, reason: &str) -> Result<(), PassError> {
    let _ = (host, id, reason);
    todo!()
}

/// Passes care for `id` again, from the next one on.
///
/// # Errors
/// When there is no such tenant, or its state is unreadable.
pub fn resume(host: &dyn Host, id: &Name) -> Result<(), PassError> {
    let _ = (host, id);
    todo!()
}
