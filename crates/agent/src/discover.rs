//! What `bitbuilder-discover.service` runs: the generators saw no `/var`, now there is one.

use crate::console::Console;
use crate::failure::Result;
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::effective_registry;

/// Runs the generators again and queues the start of every enabled tenant.
///
/// # Errors
/// When the registry is unreadable or the manager refuses.
pub fn run(host: &dyn Host, console: &Console) -> Result {
    let registry = effective_registry(host.root())?;
    host.daemon_reload()?;
    let tenants: Vec<String> = registry
        .map(|registry| registry.tenants)
        .unwrap_or_default()
        .iter()
        .filter(|tenant| tenant.enabled)
        .map(|tenant| format!("tenant@{}.service", tenant.id))
        .collect();
    if tenants.is_empty() {
        return Ok(());
    }
    console.say(&format!("starting {} tenants", tenants.len()));
    host.start_no_block(&tenants)?;
    Ok(())
}
