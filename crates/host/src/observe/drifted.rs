//! What of every tenant differs from its current generation, now: for people and programs.

use super::drift::{Depth, Sight, Subject, testify};
use super::presence::{Presence, finished, may_end};
use crate::atomic;
use crate::generations;
use crate::host::{Host, HostError};
use crate::reconcile::{TenantState, effective_registry};
use bitbuilder_core::allocate::Allocations;
use bitbuilder_core::drift::Item;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantDrift {
    /// The tenant.
    pub tenant: Name,
    /// Its current generation, which it is compared with.
    pub generation: Option<u64>,
    /// What differs, sorted.
    pub items: Vec<Item>,
    /// Why it could not be compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Looks closely at every tenant of the effective registry, or only at `only`. What is damaged of one tenant hides no
/// other.
///
/// # Errors
/// When the host's own state is unreadable or the manager does not answer.
pub fn drifted(host: &dyn Host, only: Option<&Name>) -> Result<Vec<TenantDrift>, HostError> {
    let root = host.root();
    let registry = effective_registry(root)?;
    let tenants = registry
        .into_iter()
        .flat_map(|registry| registry.tenants)
        .map(|tenant| tenant.id)
        .filter(|id| only.is_none_or(|only| id == only));
    let allocations: Allocations = atomic::read_json(&root.allocations())?.unwrap_or_default();
    let presence = Arc::new(Presence::read(host)?);
    let sight = Sight::read(host, Arc::clone(&presence), Depth::Full)?;
    let look = |id: Name| match one(host, &sight, &presence, &allocations, &id) {
        Ok(found) => found,
        Err(error) => TenantDrift {
            tenant: id,
            generation: None,
            items: Vec::new(),
            error: Some(error.to_string()),
        },
    };
    Ok(tenants.map(look).collect())
}

fn one(
    host: &dyn Host,
    sight: &Sight,
    presence: &Presence,
    allocations: &Allocations,
    id: &Name,
) -> Result<TenantDrift, HostError> {
    let root = host.root();
    let mut found = TenantDrift {
        tenant: id.clone(),
        generation: None,
        items: Vec::new(),
        error: None,
    };
    if root.journal(id).exists() {
        let error =
            format!("a change is under way or was interrupted: `bbctl sync {id}` finishes it");
        found.error = Some(error);
        return Ok(found);
    }
    let Some(manifest) = generations::read_current(root, id)? else {
        return Ok(found);
    };
    found.generation = Some(manifest.number);
    found.items = sight.look(
        host,
        &Subject {
            manifest: &manifest,
            allocation: allocations.tenants.get(id),
            finished: &finished(presence, &manifest, may_end(root, &manifest)),
        },
    )?;
    testify(host, &mut found.items);
    let known = TenantState::read(root, id)?.drift;
    let known = known.map_or_else(Vec::new, |drift| drift.items);
    for item in &mut found.items {
        // A pass may have seen more than the host still tells.
        if let Some(one) = known.iter().find(|one| one.key() == item.key()) {
            item.since = one.since.or(item.since);
            item.by = item.by.take().or_else(|| one.by.clone());
        }
    }
    Ok(found)
}
