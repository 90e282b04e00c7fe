//! Which files differ between two generations.

use super::diff::unified;
use super::stop::class_of_removed;
use super::{Change, FileChange, Input};
use crate::artefact::{FileRecord, OwnedUnit, UpdateClass};
use crate::digest::sha256;
use crate::finding::Origin;
use std::collections::BTreeSet;

/// Largest file of which a diff is made, in bytes.
const DIFF_MAX: usize = 256 << 10;

/// A file that differs, with both sides.
#[derive(Clone, Copy)]
pub(super) struct Differing<'a> {
    pub(super) path: &'a str,
    before: Option<&'a FileRecord>,
    after: Option<&'a FileRecord>,
}

impl<'a> Differing<'a> {
    /// What is known of it: of the new side, or of the old one when it is gone.
    fn record(&self) -> Option<&'a FileRecord> {
        self.after.or(self.before)
    }

    /// The line that it comes from, or came from.
    pub(super) fn origin(&self) -> Option<&'a Origin> {
        self.record()?.origin.as_ref()
    }

    /// The unit that reads it.
    pub(super) fn unit(&self) -> Option<&'a str> {
        self.record()?.unit.as_deref()
    }

    /// What the change costs: what was dearer, before or after. A link without a file goes.
    pub(super) fn class(&self) -> UpdateClass {
        if self.after.is_none() && self.path.ends_with(".netdev") {
            return UpdateClass::Destroy;
        }
        let before = self.before.map(|file| file.class);
        let after = self.after.map(|file| file.class);
        before.max(after).unwrap_or(UpdateClass::Live)
    }

    pub(super) fn change(&self) -> Change {
        match (self.before, self.after) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Modified,
        }
    }

    /// Both sides as text, when they are known.
    pub(super) fn texts(&self, input: &Input<'_>) -> Option<(String, String)> {
        Some((self.old_text(input)?, self.new_text(input)?))
    }

    /// The old side as text.
    fn old_text(&self, input: &Input<'_>) -> Option<String> {
        let before = self.before?;
        let old = (input.contents)(self.path)?;
        // Only what the record vouches for is shown as what was.
        let is_it = sha256(&old) == before.sha256;
        is_it.then(|| String::from_utf8(old).ok())?
    }

    /// The new side as text.
    pub(super) fn new_text(&self, input: &Input<'_>) -> Option<String> {
        let (_, artefacts) = input.target?;
        let content = artefacts.files.get(self.path)?.content.clone();
        String::from_utf8(content).ok()
    }
}

/// All files that differ, sorted by path; none when the tenant goes away, because its generation stays.
pub(super) fn differing<'a>(input: &Input<'a>) -> Vec<Differing<'a>> {
    let Some((target, _)) = input.target else {
        return Vec::new();
    };
    let mut paths: BTreeSet<&'a str> = target.files.keys().map(String::as_str).collect();
    if let Some(current) = input.current {
        paths.extend(current.files.keys().map(String::as_str));
    }
    let sides = |path: &'a str| Differing {
        path,
        before: input.current.and_then(|current| current.files.get(path)),
        after: target.files.get(path),
    };
    let differs = |file: &Differing<'_>| match (file.before, file.after) {
        (Some(before), Some(after)) => (before.mode, &before.sha256) != (after.mode, &after.sha256),
        _ => true,
    };
    paths.into_iter().map(sides).filter(differs).collect()
}

/// The same for the plan.
pub(super) fn listed(input: &Input<'_>, files: &[Differing<'_>]) -> Vec<FileChange> {
    let change = |file: &Differing<'_>| FileChange {
        path: file.path.to_owned(),
        change: file.change(),
        class: of_removed_unit(input, file).unwrap_or_else(|| file.class()),
        unit: file.unit().map(str::to_owned),
        diff: if input.diffs { diff(input, file) } else { None },
    };
    files.iter().map(change).collect()
}

/// What `file` costs when its unit has no place in the target.
fn of_removed_unit(input: &Input<'_>, file: &Differing<'_>) -> Option<UpdateClass> {
    let (target, _) = input.target?;
    let is_its = |unit: &&OwnedUnit| Some(unit.name.as_str()) == file.unit();
    if target.units.iter().any(|unit| is_its(&unit)) {
        return None;
    }
    let unit = input.current?.units.iter().find(is_its)?;
    Some(class_of_removed(unit, target))
}

/// Ciphertext is no reading matter. What is new or gone is compared with nothing.
fn diff(input: &Input<'_>, file: &Differing<'_>) -> Option<String> {
    if file.path.starts_with("credentials/") {
        return None;
    }
    let old = match file.before {
        Some(_) => file.old_text(input)?,
        None => String::new(),
    };
    let new = match file.after {
        Some(_) => file.new_text(input)?,
        None => String::new(),
    };
    let is_text = |text: &str| text.len() <= DIFF_MAX && !text.contains('\0');
    let diff = (is_text(&old) && is_text(&new)).then(|| unified(&old, &new))?;
    (!diff.is_empty()).then_some(diff)
}
