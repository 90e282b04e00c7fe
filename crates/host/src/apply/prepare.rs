//! Layers and directories of a tenant.

use super::LayerSource;
use crate::atomic;
use crate::disk;
use crate::host::{Host, HostError};
use bitbuilder_core::artefact::{OwnedDirectory, OwnedDisk};
use bitbuilder_core::desired::Layer;
use bitbuilder_core::model::Name;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path};

/// Exports `layer` unless it is there; whether it was not.
///
/// A layer gets its name by a rename when all of it is on the disk: one that exists is complete.
pub(super) fn layer(
    host: &dyn Host,
    source: &dyn LayerSource,
    tenant: &Name,
    layer: &Layer,
    owner: u32,
) -> Result<bool, HostError> {
    let layers = host.root().layers(tenant);
    let target = layers.join(&layer.key);
    if !layer.key.bytes().all(|byte| byte.is_ascii_alphanumeric()) || layer.key.is_empty() {
        return Err(HostError::damaged(&target, "is not the key of a layer"));
    }
    if target.is_dir() {
        return Ok(false);
    }
    atomic::make_directories(&layers)?;
    let temporary = layers.join(format!(".{}.tmp", layer.key));
    disk::remove_tree(&temporary)?;
    source.export_layer(tenant, layer, &temporary)?;
    give(host, &temporary, owner)?;
    sync_all(&temporary)?;
    disk::rename(&temporary, &target)?;
    disk::sync_directory(&layers)?;
    Ok(true)
}

/// Deletes layers and disks that a crash left half made.
pub(super) fn sweep(host: &dyn Host, tenant: &Name) -> Result<(), HostError> {
    sweep_in(&host.root().layers(tenant))?;
    sweep_in(&host.root().tenant(tenant).join("machines"))
}

fn sweep_in(directory: &Path) -> Result<(), HostError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(HostError::file(directory)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(HostError::file(directory))?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            disk::remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Makes a directory with owner and mode; whether anything changed. What it holds stays as it is.
pub(super) fn directory(
    host: &dyn Host,
    tenant: &Name,
    wanted: &OwnedDirectory,
) -> Result<bool, HostError> {
    let base = host.root().tenant(tenant);
    let path = base.join(&wanted.path);
    let plain = |component| matches!(component, Component::Normal(_));
    if wanted.path.is_empty() || !Path::new(&wanted.path).components().all(plain) {
        return Err(HostError::damaged(
            &path,
            "is outside of the tenant's directory",
        ));
    }
    if let Some(parent) = path.parent() {
        atomic::make_directories(parent)?;
    }
    let created = disk::create_directory(&path)?;
    let metadata = fs::symlink_metadata(&path).map_err(HostError::file(&path))?;
    if !metadata.is_dir() {
        return Err(HostError::damaged(&path, "is not a directory"));
    }
    if metadata.uid() != wanted.owner || metadata.gid() != wanted.owner {
        host.chown(&path, wanted.owner)?;
    }
    let changed = created || metadata.permissions().mode() & 0o7777 != wanted.mode;
    if changed {
        disk::set_mode(&path, wanted.mode)?;
        path.parent().map_or(Ok(()), disk::sync_directory)?;
    }
    Ok(changed)
}

/// Makes the disk of a machine, with what boots it; whether it was not there. Its directory gets its name when all of it
/// is on the disk: one that exists is complete, and is the machine's own from then on.
pub(super) fn disk(host: &dyn Host, tenant: &Name, wanted: &OwnedDisk) -> Result<bool, HostError> {
    let target = host.root().tenant(tenant).join(wanted.directory());
    if target.is_dir() {
        return Ok(false);
    }
    let machines = host.root().tenant(tenant).join("machines");
    let temporary = machines.join(format!(".{}.tmp", wanted.workload));
    disk::remove_tree(&temporary)?;
    atomic::make_directories(&temporary)?;
    for (from, name, mode) in [
        (&wanted.image.root, "disk.raw", 0o600),
        (&wanted.boot.kernel, "kernel", 0o644),
        (&wanted.boot.initrd, "initrd", 0o644),
    ] {
        let to = temporary.join(name);
        disk::copy_sparse(&host.root().join(from), &to)?;
        disk::set_mode(&to, mode)?;
    }
    disk::set_mode(&temporary, 0o700)?;
    sync_all(&temporary)?;
    disk::rename(&temporary, &target)?;
    disk::sync_directory(&machines)?;
    Ok(true)
}

/// Gives `path` and all below it to `owner`; links are not followed.
fn give(host: &dyn Host, path: &Path, owner: u32) -> Result<(), HostError> {
    host.chown(path, owner)?;
    let metadata = fs::symlink_metadata(path).map_err(HostError::file(path))?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path).map_err(HostError::file(path))? {
            let entry = entry.map_err(HostError::file(path))?;
            give(host, &entry.path(), owner)?;
        }
    }
    Ok(())
}

/// One call instead of an fsync per file: a layer can have thousands.
fn sync_all(path: &Path) -> Result<(), HostError> {
    let directory = File::open(path).map_err(HostError::file(path))?;
    rustix::fs::syncfs(&directory).map_err(|error| HostError::file(path)(error.into()))
}
