//! Until it is decided how a tenant does.

use super::status::TenantStatus;
use crate::host::{Host, HostError};
use bitbuilder_core::model::Name;
use std::time::Duration;

/// Waits until `id` is Healthy, Degraded or Stopped for good, at most `limit`, and tells `say` each state that differs
/// from the one before. Returns the last one.
///
/// # Errors
/// When the status cannot be read. Time that runs out is no error: the status says `Progressing`.
pub fn wait_settled(
    host: &dyn Host,
    id: &Name,
    limit: Duration,
    say: &mut dyn FnMut(&TenantStatus),
) -> Result<TenantStatus, HostError> {
    let _ = (host, id, limit, say);
    todo!()
}
