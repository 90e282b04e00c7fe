//! What `bitbuilder-discover.service` runs: the generators saw no `/var`, now there is one.

use crate::console::Console;
use crate::failure::Result;
use bitbuilder_core::sync::units::BOOT;
use bitbuilder_host::host::{Host, HostError};
use bitbuilder_host::reconcile::effective_registry;
use std::fs;
use std::io::ErrorKind;

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
    let own = own_units(host)?;
    if tenants.is_empty() && own.is_empty() {
        return Ok(());
    }
    console.say(&format!("starting {} tenants", tenants.len()));
    host.start_no_block(&[own, tenants].concat())?;
    Ok(())
}

/// Units of the host itself that the boot would have started: the list of links says which.
fn own_units(host: &dyn Host) -> Result<Vec<String>> {
    let path = host.root().state().join("units").join(BOOT);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        text => text.map_err(HostError::file(&path))?,
    };
    let links = text.lines().filter_map(|line| line.split_once('\t'));
    let wanted = links.filter_map(|(link, _)| link.strip_prefix("multi-user.target.wants/"));
    Ok(wanted.map(str::to_owned).collect())
}
