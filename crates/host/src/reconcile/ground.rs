//! What all tenants of a pass are compiled against.

use super::PassError;
use super::registry::{EffectiveRegistry, effective_registry};
use super::system::Revision;
use super::trust;
use crate::atomic;
use crate::host::{Host, HostError};
use crate::observe::{self, Depth, Presence, Sight};
use bitbuilder_core::allocate::Allocations;
use bitbuilder_core::desired::Templates;
use bitbuilder_core::model::{Name, Registration};
use bitbuilder_core::resolve::HostFacts;
use bitbuilder_core::signature::KeyRing;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The host and its policy at one moment.
pub(super) struct Ground {
    pub(super) revision: Revision,
    pub(super) templates: Templates,
    pub(super) facts: HostFacts,
    pub(super) allocations: Allocations,
    pub(super) presence: Arc<Presence>,
    sight: OnceLock<Sight>,
    /// Keys that the commits of tenants are verified with.
    pub(super) keys: KeyRing,
    pub(super) keys_digest: String,
    /// The effective registry, by id.
    pub(super) registry: BTreeMap<Name, super::EffectiveTenant>,
}

impl Ground {
    pub(super) fn read(host: &dyn Host, revision: Revision) -> Result<Self, PassError> {
        let root = host.root();
        let templates = observe::templates(root)?;
        let facts = observe::facts(host)?;
        let registry = effective_registry(root)?.map_or_else(Vec::new, |registry| registry.tenants);
        let keys = trust::keys(host, &revision);
        Ok(Self {
            keys_digest: keys.digest(),
            keys,
            templates,
            facts,
            allocations: atomic::read_json(&root.allocations())?.unwrap_or_default(),
            presence: Arc::new(Presence::read(host)?),
            sight: OnceLock::new(),
            registry: registry
                .into_iter()
                .map(|tenant| (tenant.id.clone(), tenant))
                .collect(),
            revision,
        })
    }

    /// What of the whole host matters for drift; asked for once.
    pub(super) fn sight(&self, host: &dyn Host) -> Result<&Sight, HostError> {
        if let Some(sight) = self.sight.get() {
            return Ok(sight);
        }
        let sight = Sight::read(host, Arc::clone(&self.presence), Depth::Pass)?;
        Ok(self.sight.get_or_init(|| sight))
    }

    /// The registry's entry of `id`.
    pub(super) fn registration(&self, id: &Name) -> Result<&Registration, PassError> {
        Self::find(&self.revision, id)
    }

    /// The entry of `id` in the registry of `revision`.
    pub(super) fn find<'r>(
        revision: &'r Revision,
        id: &Name,
    ) -> Result<&'r Registration, PassError> {
        let tenants = &revision.system.tenants;
        tenants
            .iter()
            .find(|registration| registration.id == *id)
            .ok_or_else(|| PassError::UnknownTenant {
                id: id.clone(),
                known: known(tenants),
            })
    }

    /// The effective registry after this pass.
    pub(super) fn effective(&self) -> EffectiveRegistry {
        EffectiveRegistry {
            format: atomic::FORMAT,
            system: self.revision.commit.clone(),
            tenants: self.registry.values().cloned().collect(),
        }
    }
}

/// The registered tenants, for people; long lists are cut.
fn known(tenants: &[Registration]) -> String {
    const SHOWN: usize = 10;
    let ids: Vec<&str> = tenants.iter().map(|t| t.id.as_str()).take(SHOWN).collect();
    match (ids.len(), tenants.len().saturating_sub(SHOWN)) {
        (0, _) => "it has none".to_owned(),
        (_, 0) => format!("it has {}", ids.join(", ")),
        (_, more) => format!("it has {} and {more} more", ids.join(", ")),
    }
}
