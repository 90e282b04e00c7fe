//! Deleting generations: never the current one, and never a part of one.

use super::{condemned, current, list};
use crate::disk;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::model::Name;
use std::fs;
use std::io::ErrorKind;

/// Deletes the oldest generations until `keep` are left; `current` and those that are `needed` stay in any case. Returns
/// what went.
///
/// # Errors
/// When a file operation fails; what is left is complete.
pub fn prune(root: &HostRoot, id: &Name, keep: u64, needed: &[u64]) -> Result<Vec<u64>, HostError> {
    let current = current(root, id)?;
    let numbers = list(root, id)?;
    let keep = usize::try_from(keep.max(1)).unwrap_or(usize::MAX);
    let excess = numbers.len().saturating_sub(keep);
    let old: Vec<u64> = numbers
        .into_iter()
        .filter(|number| Some(*number) != current && !needed.contains(number))
        .take(excess)
        .collect();
    for number in &old {
        remove(root, id, *number)?;
    }
    Ok(old)
}

/// Deletes generation `number` and what an unfinished write of it left; one that does not exist counts as deleted.
///
/// # Errors
/// [`HostError::Damaged`] when it is the current one; else when a file operation fails.
pub fn remove(root: &HostRoot, id: &Name, number: u64) -> Result<(), HostError> {
    let directory = root.generation(id, number);
    if current(root, id)? == Some(number) {
        let reason = "is the current generation and stays";
        return Err(HostError::damaged(&directory, reason));
    }
    let generations = root.generations(id);
    if directory.exists() {
        let condemned = generations.join(condemned(number));
        disk::remove_tree(&condemned)?;
        disk::rename(&directory, &condemned)?;
        disk::sync_directory(&generations)?;
        disk::remove_tree(&condemned)?;
    }
    disk::remove_tree(&generations.join(super::unfinished(number)))
}

/// Deletes what a crash left of writes and deletions.
///
/// # Errors
/// When a file operation fails.
pub fn sweep(root: &HostRoot, id: &Name) -> Result<(), HostError> {
    let directory = root.generations(id);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(HostError::file(&directory))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && (name.ends_with(".tmp") || name.ends_with(".old")) {
            disk::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}
