//! Tenants that left the registry: their removal, their purge, and their return.

use super::ground::Ground;
use super::kept;
use super::lock;
use super::operate::operator;
use super::{Event, HistoryEvent, PassError, accepted_system};
use crate::apply;
use crate::atomic;
use crate::audit::{self, Command};
use crate::events::{self, Record};
use crate::generations;
use crate::host::{Host, HostError};
use crate::teardown;
use bitbuilder_core::allocate::{self, Allocations};
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Millis, Name};
use std::collections::BTreeSet;

/// Tenants that have something on the host and are not registered: numbers, an entry in the effective registry, or a
/// directory that nobody has numbers for, unless all in it is data: that stays until it is purged by hand.
pub(super) fn leaving(host: &dyn Host, ground: &Ground) -> Result<BTreeSet<Name>, HostError> {
    let allocated = &ground.allocations.tenants;
    let mut ids: BTreeSet<Name> = allocated
        .iter()
        .filter(|(_, allocation)| allocation.released.is_none())
        .map(|(id, _)| id.clone())
        .collect();
    ids.extend(ground.registry.keys().cloned());
    let registered = ground.revision.system.tenants.iter();
    let registered: BTreeSet<&Name> = registered.map(|tenant| &tenant.id).collect();
    ids.retain(|id| !registered.contains(id));
    let root = host.root();
    for id in teardown::homes(root)? {
        if allocated.contains_key(&id) || registered.contains(&id) {
            continue;
        }
        let is_data = || -> Result<bool, HostError> {
            Ok(teardown::leftovers(root, &id)?.is_empty() && teardown::has_data(root, &id)?)
        };
        if !is_data()? {
            ids.insert(id);
        }
    }
    Ok(ids)
}

/// Every unit that the tenant had, also those that come and go.
pub(super) fn units(id: &Name, current: Option<&Manifest>) -> Vec<String> {
    let mut units: Vec<String> = [
        "tenant",
        "tenant-network",
        "setup-tenant",
        "bitbuilder-sync",
    ]
    .iter()
    .map(|template| format!("{template}@{id}.service"))
    .collect();
    for unit in current.iter().flat_map(|manifest| &manifest.units) {
        if unit.kind == UnitKind::Health {
            units.push(unit.name.replace(".timer", ".service"));
        }
        if !units.contains(&unit.name) {
            units.push(unit.name.clone());
        }
    }
    units
}

/// That a tenant that leaves has become another one: same repository, another id.
pub(super) fn renamed(ground: &Ground, id: &Name) -> Option<Finding> {
    let left = &ground.registry.get(id)?.registration;
    let mut tenants = ground.revision.system.tenants.iter();
    let new = tenants.find(|tenant| {
        tenant.repository == left.repository && !ground.registry.contains_key(&tenant.id)
    })?;
    let message = format!(
        "`{id}` has become `{}`: a tenant with another id is another tenant, which begins without the data of `{id}`",
        new.id
    );
    let finding = Finding::warning(new.origin.clone(), "tenant-renamed", message);
    Some(finding.help(format!(
        "go back to `{id}` to have its data again; until its time is over it is in /var/lib/tenants/{id}/"
    )))
}

/// Numbers of tenants that left are kept for their time, then free; their data goes before them.
pub(super) fn release(
    host: &dyn Host,
    ground: &mut Ground,
    left: &[Name],
    retention: Millis,
) -> Result<(), PassError> {
    teardown::sweep(host.root())?;
    kept::count(host, &mut ground.allocations);
    let now = host.now();
    for id in left {
        allocate::release(&mut ground.allocations, id, now);
    }
    let registered: BTreeSet<&Name> = ground
        .revision
        .system
        .tenants
        .iter()
        .map(|r| &r.id)
        .collect();
    let mut over: Vec<Name> = left
        .iter()
        .filter(|id| !ground.allocations.tenants.contains_key(*id))
        .cloned()
        .collect();
    over.retain(|id| teardown::has_data(host.root(), id).is_ok_and(|has| !has));
    let mut later = ground.allocations.clone();
    let expired = allocate::expire(&mut later, retention);
    over.extend(expired.into_iter().filter(|id| !registered.contains(id)));
    for id in over {
        delete(host, ground, &id)?;
    }
    kept::write(host, &mut ground.allocations)?;
    kept::mark(host, &ground.allocations)
}

/// Deletes the data of `id` and frees its numbers.
fn delete(host: &dyn Host, ground: &mut Ground, id: &Name) -> Result<(), PassError> {
    let tenants = &ground.revision.system.tenants;
    let repositories: Vec<String> = tenants.iter().map(|one| one.repository.clone()).collect();
    if ground.allocations.tenants.contains_key(id) {
        let purged = audit::Event::of(Some(id), &HistoryEvent::Purged);
        audit::ahead(host, vec![purged])?;
    }
    teardown::purge(host, id, &repositories)?;
    let known = ground.allocations.tenants.remove(id).is_some();
    kept::write(host, &mut ground.allocations)?;
    if known {
        let record = Record {
            time: host.now(),
            tenant: Some(id.clone()),
            event: HistoryEvent::Purged,
        };
        events::append(host.root(), &record)?;
    }
    Ok(())
}

/// Deletes the data of a tenant that left, before its time is over, and frees its numbers.
///
/// # Errors
/// When the tenant is registered, was not taken down yet, or is not known; when something of it is still mounted.
pub fn purge(host: &dyn Host, id: &Name, say: &mut dyn FnMut(Event)) -> Result<(), PassError> {
    let _lock = lock::take(host.root(), || say(Event::Waiting))?;
    let command = Command::new("tenant-purge", Some(id));
    audit::act(host, &operator(host), Some(command), || purge_now(host, id))
}

fn purge_now(host: &dyn Host, id: &Name) -> Result<(), PassError> {
    apply::recover(host, id)?;
    let mut ground = Ground::read(host, accepted_system(host)?)?;
    let refuse = |reason: String| {
        Err(PassError::Generation {
            tenant: id.clone(),
            reason,
        })
    };
    if ground.registration(id).is_ok() {
        return refuse(format!(
            "it is registered, and its data is in use: `bbctl tenant remove {id}` first"
        ));
    }
    let allocation = ground.allocations.tenants.get(id);
    let is_up = ground.registry.contains_key(id)
        || generations::current(host.root(), id)?.is_some()
        || allocation.is_some_and(|allocation| allocation.released.is_none());
    if is_up {
        return refuse("it is not taken down yet: `bbctl sync` does it".to_owned());
    }
    if allocation.is_none() && host.root().tenant(id).symlink_metadata().is_err() {
        return refuse("nothing is kept of a tenant with this id".to_owned());
    }
    delete(host, &mut ground, id)
}

/// A tenant that left, and when its data goes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Left {
    /// The tenant.
    pub tenant: Name,
    /// When it was taken down, seconds since the epoch.
    pub removed: u64,
    /// When its data and its numbers go, if the host is up until then.
    pub until: u64,
}

/// The tenants that left and of which something is kept, by id.
///
/// # Errors
/// When the host's state is unreadable.
pub fn left(host: &dyn Host) -> Result<Vec<Left>, PassError> {
    let allocations: Allocations =
        atomic::read_json(&host.root().allocations())?.unwrap_or_default();
    let uncounted = kept::uncounted(host, &allocations);
    let released = allocations.tenants.into_iter();
    let released: Vec<_> = released
        .filter_map(|(tenant, allocation)| {
            let removed = allocation.released?;
            Some((tenant, removed, allocation.kept.saturating_add(uncounted)))
        })
        .collect();
    // Most hosts have none, and then the policy does not matter.
    if released.is_empty() {
        return Ok(Vec::new());
    }
    let retention = accepted_system(host)?.system.policy.retention;
    let retention = retention.removed_tenants.0.div_ceil(1000);
    let now = host.now();
    let left = released.into_iter().map(|(tenant, removed, kept)| Left {
        tenant,
        removed,
        until: now.saturating_add(retention.saturating_sub(kept)),
    });
    Ok(left.collect())
}
