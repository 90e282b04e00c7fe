//! What a plan does not do to disks that are there: they hold what the machine wrote.

use super::Input;
use crate::artefact::OwnedDisk;
use crate::finding::{Finding, Origin};

/// Notes about disks that stay as they are although their document, or their image, says otherwise.
pub(super) fn kept(input: &Input<'_>) -> Vec<Finding> {
    let (Some(current), Some((target, _))) = (input.current, input.target) else {
        return Vec::new();
    };
    let there = |disk: &&OwnedDisk| input.observed.directories.contains(&disk.directory());
    let pairs = target.disks.iter().filter(there).filter_map(|disk| {
        let mut before = current.disks.iter();
        Some((before.find(|one| one.workload == disk.workload)?, disk))
    });
    pairs
        .flat_map(|(before, disk)| [smaller(before, disk), other_image(before, disk)])
        .flatten()
        .collect()
}

fn smaller(before: &OwnedDisk, disk: &OwnedDisk) -> Option<Finding> {
    let is_less = disk.size? < before.size?;
    let message = format!(
        "the disk of machine `{}` stays as large as it is: disks grow and never shrink",
        disk.workload
    );
    is_less.then(|| Finding::note(origin(disk), "disk-kept", message))
}

fn other_image(before: &OwnedDisk, disk: &OwnedDisk) -> Option<Finding> {
    let directory = disk.directory();
    let message = format!(
        "machine `{}` keeps the disk that it has, a copy of an earlier image {}: what it wrote is there",
        disk.workload, before.image.name
    );
    let help = format!("for a new disk stop it, and move {directory}/ of the tenant away");
    let changed = before.image.digest != disk.image.digest;
    changed.then(|| Finding::note(origin(disk), "disk-kept", message).help(help))
}

fn origin(disk: &OwnedDisk) -> Origin {
    Origin::file(format!("machines/{}/config.yaml", disk.workload))
}
