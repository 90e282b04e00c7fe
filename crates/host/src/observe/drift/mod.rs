//! What is on the host against current generations: facts for [`bitbuilder_core::drift`].
//!
//! A pass looks at every tenant, so everything that concerns the whole host is asked once ([`Sight::read`]), and files
//! that have not changed since they were found right are not read again ([`Seals`]).

mod cgroup;
mod files;
mod limits;
mod links;
mod overrides;
mod seal;
mod steady;
mod units;

pub(crate) use seal::{Seal, Seals};
pub(crate) use steady::Care;

use super::Presence;
use crate::host::{Host, HostError, UnitState};
use bitbuilder_core::allocate::TenantAllocation;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::drift::{self, Interfaces, Item, Tables};
use bitbuilder_core::model::Name;
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// How closely is looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// As a pass does: what is sealed is not read again.
    Pass,
    /// Everything is read, and every unit and process is asked about.
    Full,
}

/// A tenant that is looked at.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// Its current generation.
    pub manifest: &'a Manifest,
    /// Its numbers and names.
    pub allocation: Option<&'a TenantAllocation>,
    /// Workloads that have done their work.
    pub finished: &'a BTreeSet<String>,
}

/// The whole host at one moment, as far as drift is concerned.
pub struct Sight {
    presence: Arc<Presence>,
    depth: Depth,
    overrides: overrides::Overrides,
    network: files::NetworkDirectories,
    seals: Seals,
    /// Of the packet rules, before they are looked at.
    rules: Option<u32>,
    links: OnceLock<Option<Interfaces>>,
    tables: OnceLock<Option<Tables>>,
    queued: OnceLock<BTreeSet<String>>,
}

impl Sight {
    /// Looks at what concerns all tenants.
    ///
    /// # Errors
    /// When a directory of the host is unreadable.
    pub fn read(host: &dyn Host, presence: Arc<Presence>, depth: Depth) -> Result<Self, HostError> {
        let root = host.root();
        Ok(Self {
            presence,
            depth,
            overrides: overrides::Overrides::read(root)?,
            network: files::NetworkDirectories::read(root)?,
            seals: Seals::read(root),
            rules: host.ruleset_version(),
            links: OnceLock::new(),
            tables: OnceLock::new(),
            queued: OnceLock::new(),
        })
    }

    /// What the host remembers of earlier looks.
    pub(crate) fn seals(&self) -> &Seals {
        &self.seals
    }

    /// What of a tenant differs from its generation, sorted. `host` is the one that was looked at.
    ///
    /// # Errors
    /// When the host cannot be asked.
    pub fn look(&self, host: &dyn Host, subject: &Subject<'_>) -> Result<Vec<Item>, HostError> {
        View { host, sight: self }.look(subject)
    }

    /// The seal of a tenant in which `items` differ: what was right now needs no look until it changes.
    ///
    /// # Errors
    /// When the host cannot be asked.
    pub(crate) fn seal(
        &self,
        host: &dyn Host,
        subject: &Subject<'_>,
        items: &[Item],
    ) -> Result<Seal, HostError> {
        let view = View { host, sight: self };
        let manifest = subject.manifest;
        let known = self.seals.of(&manifest.tenant, manifest.number);
        let is_down = |item: &Item| item.remedy == drift::Remedy::Converge;
        let steady = match known.and_then(|seal| seal.steady.as_ref()) {
            _ if !items.is_empty() => None,
            Some(steady) if view.is_steady(manifest, steady)? => Some(steady.clone()),
            _ => Some(view.steady(subject)?),
        };
        Ok(Seal {
            generation: manifest.number,
            came_up: known.is_some_and(|seal| seal.came_up) || !items.iter().any(is_down),
            steady,
        })
    }

    /// Whether nothing of a tenant but its units can have changed since generation `number` was found right.
    ///
    /// # Errors
    /// When the host cannot be asked.
    pub(crate) fn is_steady(
        &self,
        host: &dyn Host,
        id: &Name,
        number: u64,
        care: Care,
    ) -> Result<bool, HostError> {
        let view = View { host, sight: self };
        let seal = self.seals.of(id, number);
        match seal.and_then(|seal| seal.steady.as_ref()) {
            Some(steady) => view.holds(id, number, steady, care),
            None => Ok(false),
        }
    }
}

/// A look at a host.
#[derive(Clone, Copy)]
struct View<'a> {
    host: &'a dyn Host,
    sight: &'a Sight,
}

impl Deref for View<'_> {
    type Target = Sight;

    fn deref(&self) -> &Sight {
        self.sight
    }
}

impl View<'_> {
    fn look(&self, subject: &Subject<'_>) -> Result<Vec<Item>, HostError> {
        let manifest = subject.manifest;
        let mut items = units::look(self, subject)?;
        let sealed = self.seals.of(&manifest.tenant, manifest.number);
        if self.depth == Depth::Pass
            && let Some(steady) = sealed.and_then(|seal| seal.steady.as_ref())
            && self.is_steady(manifest, steady)?
        {
            return Ok(items);
        }
        items.extend(drift::overrides(
            &self.overrides.of(self.host.root(), manifest),
        ));
        items.extend(drift::files(&self.files(manifest)?));
        if self.is_up(&units::network(manifest)) {
            items.extend(links::look(self, subject)?);
            items.extend(self.rules(manifest)?);
        }
        items.extend(cgroup::look(self, subject));
        if self.depth == Depth::Full {
            items.extend(limits::look(self, manifest)?);
        }
        items.sort();
        items.dedup_by_key(|item| item.key());
        Ok(items)
    }

    fn is_up(&self, unit: &str) -> bool {
        let state = self.presence.units.get(unit);
        state.is_some_and(UnitState::is_active)
    }

    fn queued(&self) -> Result<&BTreeSet<String>, HostError> {
        once(&self.sight.queued, || self.host.queued())
    }

    fn links(&self) -> Result<Option<&Interfaces>, HostError> {
        once(&self.sight.links, || self.host.interfaces()).map(Option::as_ref)
    }
}

/// [`OnceLock::get_or_init`] of something that can fail.
fn once<T>(
    cell: &OnceLock<T>,
    make: impl FnOnce() -> Result<T, HostError>,
) -> Result<&T, HostError> {
    if let Some(value) = cell.get() {
        return Ok(value);
    }
    let value = make()?;
    Ok(cell.get_or_init(|| value))
}

/// Adds to `items` what the host tells of when and by whom.
pub(crate) fn testify(host: &dyn Host, items: &mut [Item]) {
    /// More are not asked about: each costs a look into the journal.
    const ASKED: usize = 32;
    let ended = |item: &&mut Item| {
        item.what == drift::What::Unit
            && matches!(item.how, drift::How::Stopped | drift::How::Failed)
    };
    for item in items.iter_mut().filter(ended).take(ASKED) {
        // A journal that cannot be read knows nothing.
        let witness = host.witness(&item.subject).unwrap_or_default();
        item.since = item.since.or(witness.at);
        item.by = item.by.take().or(witness.by);
    }
}
