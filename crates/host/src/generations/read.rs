//! Reading generations.

use super::{MANIFEST, current};
use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Artefact, Manifest};
use bitbuilder_core::model::Name;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;

/// The manifest of generation `number`.
///
/// # Errors
/// When it is not there, is unreadable, or is another tenant's or another number's.
pub fn read_manifest(root: &HostRoot, id: &Name, number: u64) -> Result<Manifest, HostError> {
    let path = root.generation(id, number).join(MANIFEST);
    let manifest: Manifest = atomic::read_json(&path)?
        .ok_or_else(|| HostError::damaged(&path, "there is no such generation"))?;
    if manifest.tenant != *id || manifest.number != number {
        let reason = format!("is of {} {}", manifest.tenant, manifest.number);
        return Err(HostError::damaged(&path, reason));
    }
    Ok(manifest)
}

/// The manifest of the current generation; `None` when there is no `current`.
///
/// # Errors
/// As [`read_manifest`], and when `current` does not point at a generation.
pub fn read_current(root: &HostRoot, id: &Name) -> Result<Option<Manifest>, HostError> {
    match current(root, id)? {
        Some(number) => read_manifest(root, id, number).map(Some),
        None => Ok(None),
    }
}

/// The files of a generation with their content, as they were rendered: what a roll-back or a plan starts from.
///
/// # Errors
/// When one of them is unreadable; the digests are [`super::verify()`]'s affair.
pub fn read_files(
    root: &HostRoot,
    manifest: &Manifest,
) -> Result<BTreeMap<String, Artefact>, HostError> {
    let directory = root.generation(&manifest.tenant, manifest.number);
    let read = |(path, record): (&String, &bitbuilder_core::artefact::FileRecord)| {
        let file = directory.join(path);
        let artefact = Artefact {
            content: fs::read(&file).map_err(HostError::file(&file))?,
            mode: record.mode,
            origin: record.origin.clone(),
            unit: record.unit.clone(),
            class: record.class,
        };
        Ok((path.clone(), artefact))
    };
    manifest.files.iter().map(read).collect()
}

/// Numbers of the tenant's generations, ascending.
///
/// # Errors
/// When the directory is unreadable.
pub fn list(root: &HostRoot, id: &Name) -> Result<Vec<u64>, HostError> {
    let directory = root.generations(id);
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(&directory)(error)),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.map_err(HostError::file(&directory))?;
        numbers.extend(entry.file_name().to_str().and_then(number));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// A number that no generation of the tenant has had: above every one on the disk, `current`, and `used`, the highest
/// one that the tenant's state remembers.
///
/// # Errors
/// As [`list`] and [`current`].
pub fn next_number(root: &HostRoot, id: &Name, used: u64) -> Result<u64, HostError> {
    let highest = list(root, id)?.last().copied().unwrap_or(0);
    let current = current(root, id)?.unwrap_or(0);
    Ok(highest.max(current).max(used) + 1)
}

/// A number as [`HostRoot::generation`] writes it: no sign, no leading zero.
pub(super) fn number(name: &str) -> Option<u64> {
    let number: u64 = name.parse().ok()?;
    (number > 0 && number.to_string() == name).then_some(number)
}
