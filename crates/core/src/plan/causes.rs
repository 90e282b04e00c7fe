//! Why something is done to a unit, and steps of units that have the same reason.

use super::Input;
use super::changes::Differing;
use super::words::nouns;
use super::{Action, Phase, Step};
use crate::artefact::UpdateClass;
use crate::finding::Origin;
use std::collections::{BTreeMap, BTreeSet};

/// Most places that a reason names.
const PLACES: usize = 3;

/// Why something is done, and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cause {
    pub(super) class: UpdateClass,
    /// In a few words, without the places.
    pub(super) what: String,
    /// Lines of the repository that say so.
    pub(super) origins: BTreeSet<Origin>,
}

impl Cause {
    /// For a reason that is in no document.
    pub(super) fn plain(class: UpdateClass, what: impl Into<String>) -> Self {
        Self::at(class, what, None)
    }

    /// With the line that says so, if one does.
    pub(super) fn at(class: UpdateClass, what: impl Into<String>, origin: Option<&Origin>) -> Self {
        Self {
            class,
            what: what.into(),
            origins: origin.into_iter().cloned().collect(),
        }
    }

    /// That `files`, which are not none, changed.
    pub(super) fn changed<'a>(
        input: &Input<'_>,
        files: impl IntoIterator<Item = &'a Differing<'a>>,
    ) -> Self {
        let mut cause = Self::plain(UpdateClass::Live, "");
        let mut all = BTreeSet::new();
        for file in files {
            cause.class = cause.class.max(file.class());
            cause.origins.extend(file.origin().cloned());
            all.extend(nouns(input, file));
        }
        let all: Vec<String> = all.into_iter().collect();
        cause.what = format!("{} changed", all.join(", "));
        cause
    }

    /// For people: `environment changed (containers/web/config.yaml:7)`.
    pub(super) fn reason(&self) -> String {
        if self.origins.is_empty() {
            return self.what.clone();
        }
        let mut places: Vec<String> = self.origins.iter().take(PLACES).map(place).collect();
        if self.origins.len() > PLACES {
            places.push(format!("{} more", self.origins.len() - PLACES));
        }
        format!("{} ({})", self.what, places.join(", "))
    }

    /// A step that is done for this cause.
    pub(super) fn step(&self, phase: Phase, action: Action) -> Step {
        Step {
            phase,
            action,
            reason: self.reason(),
            class: self.class,
            origin: self.origins.first().cloned(),
        }
    }
}

/// `file:line`; the column is of no use in a sentence.
fn place(origin: &Origin) -> String {
    let place = Origin {
        column: 0,
        ..origin.clone()
    };
    place.to_string()
}

/// Units by cause: those that have the same one share a step, and so a transaction of the manager. Both the groups and
/// the units in them keep the order in which they come.
pub(super) fn grouped(
    units: impl IntoIterator<Item = (String, Cause)>,
) -> Vec<(Cause, Vec<String>)> {
    let mut places: BTreeMap<(UpdateClass, String), usize> = BTreeMap::new();
    let mut groups: Vec<(Cause, Vec<String>)> = Vec::new();
    for (unit, cause) in units {
        let key = (cause.class, cause.what.clone());
        let at = *places.entry(key).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((group, units)) => {
                group.origins.extend(cause.origins);
                units.push(unit);
            }
            None => groups.push((cause, vec![unit])),
        }
    }
    groups
}
