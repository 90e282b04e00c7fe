//! Writing a generation.

use super::{MANIFEST, read_manifest, unfinished, verify};
use crate::atomic::{self, Written};
use crate::disk;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Artefacts, Manifest};
use bitbuilder_core::digest::sha256;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Writes `artefacts` as the generation that `manifest` names; [`Written::Unchanged`] when it is there, equal.
///
/// # Errors
/// [`HostError::Immutable`] when the number is taken by other content; [`HostError::Damaged`] when the existing one or
/// the manifest does not agree with the files, or a path leaves the generation; else when a file operation fails.
pub fn write(
    root: &HostRoot,
    manifest: &Manifest,
    artefacts: &Artefacts,
) -> Result<Written, HostError> {
    let directory = root.generation(&manifest.tenant, manifest.number);
    check(&directory, manifest, artefacts)?;
    if directory.exists() {
        return compare(root, manifest, &directory);
    }
    let generations = root.generations(&manifest.tenant);
    atomic::make_directories(&generations)?;
    let temporary = generations.join(unfinished(manifest.number));
    disk::remove_tree(&temporary)?;
    write_files(&temporary, manifest, artefacts)?;
    disk::rename(&temporary, &directory)?;
    disk::sync_directory(&generations)?;
    Ok(Written::Created)
}

/// Writes the files of a generation again that are not as its record says, and removes what is not in it; whether there
/// were any. The content of a generation never changes by this.
///
/// # Errors
/// When `artefacts` are not what the record says, or a file operation fails.
pub fn restore(
    root: &HostRoot,
    manifest: &Manifest,
    artefacts: &Artefacts,
) -> Result<bool, HostError> {
    let directory = root.generation(&manifest.tenant, manifest.number);
    check(&directory, manifest, artefacts)?;
    let damages = verify(root, &manifest.tenant, manifest.number)?;
    for damage in &damages {
        let path = directory.join(&damage.path);
        let Some(artefact) = artefacts.files.get(&damage.path) else {
            disk::remove_tree(&path)?;
            continue;
        };
        if path.is_dir() && !path.is_symlink() {
            disk::remove_tree(&path)?;
        }
        atomic::write(&path, &artefact.content, artefact.mode)?;
    }
    Ok(!damages.is_empty())
}

/// Everything but the time of writing must be equal, on the disk too.
fn compare(root: &HostRoot, manifest: &Manifest, directory: &Path) -> Result<Written, HostError> {
    let mut existing = read_manifest(root, &manifest.tenant, manifest.number)?;
    existing.created = manifest.created;
    if existing != *manifest {
        return Err(HostError::Immutable {
            path: directory.to_owned(),
        });
    }
    match verify(root, &manifest.tenant, manifest.number)?.first() {
        None => Ok(Written::Unchanged),
        Some(damage) => Err(HostError::damaged(directory, damage.to_string())),
    }
}

fn write_files(
    directory: &Path,
    manifest: &Manifest,
    artefacts: &Artefacts,
) -> Result<(), HostError> {
    let mut directories = BTreeSet::from([directory.to_owned()]);
    atomic::make_directories(directory)?;
    for (path, artefact) in &artefacts.files {
        let target = directory.join(path);
        for above in target.ancestors().skip(1) {
            if above == directory || !directories.insert(above.to_owned()) {
                break;
            }
        }
        if let Some(parent) = target.parent() {
            atomic::make_directories(parent)?;
        }
        disk::create(&target, &artefact.content, artefact.mode)?;
    }
    let path = directory.join(MANIFEST);
    disk::create(&path, &atomic::json(&path, manifest)?, 0o644)?;
    directories
        .iter()
        .try_for_each(|directory: &PathBuf| disk::sync_directory(directory))
}

/// The manifest names exactly these files, and every one of them lies inside.
fn check(directory: &Path, manifest: &Manifest, artefacts: &Artefacts) -> Result<(), HostError> {
    if let Some(path) = artefacts.files.keys().find(|path| !is_inside(path)) {
        let reason = format!("refuses to write outside of the generation: {path:?}");
        return Err(HostError::damaged(directory, reason));
    }
    let agrees = manifest.files.len() == artefacts.files.len()
        && artefacts.files.iter().all(|(path, artefact)| {
            manifest.files.get(path).is_some_and(|record| {
                record.mode == artefact.mode && record.sha256 == sha256(&artefact.content)
            })
        });
    if agrees {
        Ok(())
    } else {
        let reason = "the manifest does not describe the rendered files";
        Err(HostError::damaged(directory, reason))
    }
}

/// Relative, only plain names, and not the manifest.
fn is_inside(path: &str) -> bool {
    !path.is_empty()
        && path != MANIFEST
        && !path.contains('\0')
        && Path::new(path)
            .components()
            .all(|component| matches!(component, Component::Normal(_)))
}
