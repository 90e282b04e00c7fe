//! What a plan is made from.

use super::Observed;
use crate::artefact::{Artefacts, FileRecord, Manifest, UnitKind, hash};
use crate::digest::sha256;
use crate::finding::Finding;
use crate::model::Name;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that [`super::plan`] looks at.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The tenant.
    pub tenant: &'a Name,
    /// The generation that `current` points at.
    pub current: Option<&'a Manifest>,
    /// What shall be, and [`crate::artefact::manifest`] of it; `None` when the tenant is disabled or gone, so that
    /// nothing of it is linked any more.
    pub target: Option<(&'a Manifest, &'a Artefacts)>,
    /// What is on the host.
    pub observed: &'a Observed,
    /// Content of a file of the current generation, for reasons and diffs; `None` when it cannot be had.
    pub contents: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// Whether [`super::FileChange::diff`] is wanted. Plans that are executed go to the journal, and are smaller
    /// without.
    pub diffs: bool,
    /// Whether the target generation is on the disk already: a roll-back.
    pub written: bool,
    /// Whether units may be started. Provisioning may not: `tenant@` waits for it.
    pub start: bool,
    /// Units that ended by themselves and shall stay so, as a command that is done and is not to be restarted. They
    /// are started again only when they change.
    pub finished: &'a BTreeSet<String>,
    /// For [`super::Plan::findings`].
    pub findings: &'a [Finding],
}

static NOTHING: BTreeSet<String> = BTreeSet::new();

impl<'a> Input<'a> {
    /// Nothing current, no target; starts are allowed.
    pub fn new(tenant: &'a Name, observed: &'a Observed) -> Self {
        Self {
            tenant,
            current: None,
            target: None,
            observed,
            contents: &|_| None,
            diffs: false,
            written: false,
            start: true,
            finished: &NOTHING,
            findings: &[],
        }
    }

    /// The number of the current generation.
    pub(super) fn from(&self) -> Option<u64> {
        self.current.map(|current| current.number)
    }

    /// The number of the target: the current one when both are the same.
    pub(super) fn to(&self) -> Option<u64> {
        let (target, _) = self.target?;
        if self.moves() {
            Some(target.number)
        } else {
            self.from()
        }
    }

    /// Whether there is another generation to switch to.
    pub(super) fn moves(&self) -> bool {
        match (self.current, self.target) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(current), Some((target, _))) => !is_equal(current, target),
        }
    }

    /// Whether anything of the tenant is to run.
    pub(super) fn enabled(&self) -> bool {
        self.target.is_some_and(|(manifest, _)| {
            let mut units = manifest.units.iter();
            units.any(|unit| unit.kind == UnitKind::Tenant && unit.autostart)
        })
    }

    /// Whether `unit` runs.
    pub(super) fn active(&self, unit: &str) -> bool {
        self.observed.active.contains(unit)
    }
}

/// Whether `artefacts` are what the generation `current` holds already: then there is nothing to write or to switch,
/// whatever commit they come from, and [`super::plan`] keeps the number of the current generation. Files are compared by
/// the hash over their paths, modes and digests.
pub fn is_same(current: &Manifest, artefacts: &Artefacts) -> bool {
    let record = |(path, file): (&String, &crate::artefact::Artefact)| {
        let record = FileRecord {
            sha256: sha256(&file.content),
            mode: file.mode,
            origin: None,
            unit: None,
            class: file.class,
        };
        (path.clone(), record)
    };
    current.units == artefacts.units
        && current.layers == artefacts.layers
        && current.directories == artefacts.directories
        && current.disks == artefacts.disks
        && current.hash
            == hash(
                &artefacts
                    .files
                    .iter()
                    .map(record)
                    .collect::<BTreeMap<_, _>>(),
            )
}

/// [`is_same`] of two records.
fn is_equal(one: &Manifest, other: &Manifest) -> bool {
    one.units == other.units
        && one.layers == other.layers
        && one.directories == other.directories
        && one.disks == other.disks
        && one.hash == other.hash
}
