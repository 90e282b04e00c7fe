//! Packet rules of a tenant, in the tables that all tenants share. Who changes them holds a lock: the tables go with the last
//! tenant, and none may come meanwhile.

use super::placed::Placed;
use crate::events::open_locked;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use bitbuilder_core::model::Name;
use bitbuilder_core::nftables::{self, Object};
use std::collections::BTreeSet;
use std::fs::File;

/// Remembers what is going to be `placed`, and loads `transaction`.
pub(super) fn load(
    host: &dyn Host,
    id: &Name,
    placed: &Placed,
    transaction: Option<&[u8]>,
) -> Result<(), HostError> {
    let _lock = lock(host.root())?;
    placed.write(host.root(), id)?;
    transaction.map_or(Ok(()), |transaction| host.apply_ruleset(transaction))
}

/// Takes away what the tenant has no more.
pub(super) fn remove(host: &dyn Host, id: &Name, gone: &BTreeSet<Object>) -> Result<(), HostError> {
    if gone.is_empty() {
        return Ok(());
    }
    let _lock = lock(host.root())?;
    release(host, id, gone)
}

/// Takes away everything that the tenant has, forgets it, and if it was the last one the tables go.
pub(super) fn remove_all(host: &dyn Host, id: &Name, placed: &Placed) -> Result<(), HostError> {
    let _lock = lock(host.root())?;
    match Placed::is_alone(host.root(), id)? {
        true => host.apply_ruleset(&nftables::end())?,
        false => release(host, id, &placed.rules)?,
    }
    Placed::forget(host.root(), id)
}

fn release(host: &dyn Host, id: &Name, gone: &BTreeSet<Object>) -> Result<(), HostError> {
    for release in nftables::releases(id, gone) {
        match host.apply_ruleset(&release) {
            // Another tenant has the port by now.
            Err(HostError::Tool { message, .. }) if message.contains("File exists") => {}
            other => other?,
        }
    }
    host.apply_ruleset(&nftables::removal(gone))
}

fn lock(root: &HostRoot) -> Result<File, HostError> {
    open_locked(&root.runtime().join("rules.lock"))
}
