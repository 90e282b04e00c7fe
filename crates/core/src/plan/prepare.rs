//! What must be there before anything is switched.

use super::causes::Cause;
use super::changes::Differing;
use super::{Action, Change, Input, Phase, Step};
use crate::artefact::{OwnedDirectory, UpdateClass};
use crate::finding::Origin;

/// Directories, layers and the generation itself.
pub(super) fn steps(input: &Input<'_>, files: &[Differing<'_>]) -> Vec<Step> {
    let Some((target, _)) = input.target else {
        return Vec::new();
    };
    let mut steps = Vec::new();
    for directory in &target.directories {
        let what = if !input.observed.directories.contains(&directory.path) {
            "missing"
        } else if is_changed(input, directory) {
            "owner or mode changed"
        } else {
            continue;
        };
        let action = Action::MakeDirectory(directory.clone());
        steps.push(Cause::plain(UpdateClass::Live, what).step(Phase::Prepare, action));
    }
    let mut keys = std::collections::BTreeSet::new();
    for layer in &target.layers {
        // Two directories with equal content are one layer.
        if !input.observed.layers.contains(&layer.key) && keys.insert(&layer.key) {
            let origin = Origin::file(&layer.path);
            let cause = Cause::at(UpdateClass::Live, "not on the host yet", Some(&origin));
            steps.push(cause.step(Phase::Prepare, Action::PrepareLayer(layer.clone())));
        }
    }
    for disk in &target.disks {
        if !input.observed.directories.contains(&disk.directory()) {
            let cause = Cause::plain(UpdateClass::Live, "missing");
            steps.push(cause.step(Phase::Prepare, Action::MakeDisk(disk.clone())));
        }
    }
    if input.moves() && !input.written {
        let number = target.number;
        let cause = Cause::plain(UpdateClass::Live, summary(input, files));
        steps.push(cause.step(Phase::Prepare, Action::WriteGeneration { number }));
    }
    steps
}

fn is_changed(input: &Input<'_>, wanted: &OwnedDirectory) -> bool {
    let known = input.current.map(|current| current.directories.as_slice());
    let mut known = known.unwrap_or_default().iter();
    known.any(|directory| directory.path == wanted.path && directory != wanted)
}

/// `first generation`, or how many files differ.
fn summary(input: &Input<'_>, files: &[Differing<'_>]) -> String {
    if input.current.is_none() {
        return "first generation".into();
    }
    let count = |change| files.iter().filter(|file| file.change() == change).count();
    let parts: Vec<String> = [
        (count(Change::Modified), "changed"),
        (count(Change::Added), "added"),
        (count(Change::Removed), "removed"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| match number {
        1 => format!("1 file {word}"),
        _ => format!("{number} files {word}"),
    })
    .collect();
    if parts.is_empty() {
        return "other units, layers, directories or disks".into();
    }
    parts.join(", ")
}
