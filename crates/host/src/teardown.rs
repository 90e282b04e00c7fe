//! The end of a tenant: what was made for it goes with its removal, what it made itself with its purge.

use crate::disk;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::reconcile::watch;
use crate::wireguard;
use bitbuilder_core::model::Name;
use bitbuilder_core::unitfile::escape_path;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What stays in a tenant's directory until its purge: what it made itself, and what the host has to remember of it.
const KEPT: [&str; 6] = [
    "containers",
    "homes",
    "journal.json",
    "machines",
    "state.json",
    "volumes",
];
/// Of a container, what it wrote.
const WRITTEN: &str = "upper";
/// End of the name that a tenant's directory has while it is being purged.
const GONE: &str = ".gone";

/// Deletes what was made for `id`, which runs no more: generations, layers, mirror, mount points. What is there of `units`
/// that failed is forgotten by the manager. Says whether there was anything.
///
/// # Errors
/// When something of the tenant is still mounted, or a file operation fails. It can be repeated.
pub(crate) fn erase(host: &dyn Host, id: &Name, units: &[String]) -> Result<bool, HostError> {
    refuse_mounted(host, id)?;
    host.reset_failed(units)?;
    watch::end(host, id)?;
    let left = leftovers(host.root(), id)?;
    for path in &left {
        disk::remove_tree(path)?;
    }
    Ok(!left.is_empty())
}

/// What [`erase`] would delete.
///
/// # Errors
/// When a directory is unreadable.
pub(crate) fn leftovers(root: &HostRoot, id: &Name) -> Result<Vec<PathBuf>, HostError> {
    let home = root.tenant(id);
    let mut found: Vec<PathBuf> = entries(&home)?
        .into_iter()
        .filter(|path| !KEPT.iter().any(|kept| is_named(path, kept)))
        .collect();
    for container in entries(&home.join("containers"))? {
        let parts = entries(&container)?;
        let parts = parts.into_iter().filter(|path| !is_named(path, WRITTEN));
        found.extend(parts);
    }
    found.extend(wireguard::files(root, id)?);
    found.extend(runtime(root, id)?);
    Ok(found)
}

/// Whether there is anything that the tenant made itself.
///
/// # Errors
/// When a directory is unreadable.
pub(crate) fn has_data(root: &HostRoot, id: &Name) -> Result<bool, HostError> {
    for part in ["containers", "homes", "machines", "volumes"] {
        if !entries(&root.tenant(id).join(part))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Deletes everything of `id`, and its embedded repository unless one of `repositories` is it. From the first moment on its
/// directory is gone as a whole: what a crash leaves is nobody's, and [`sweep`] deletes it.
///
/// # Errors
/// When something of the tenant is still mounted, or a file operation fails. It can be repeated.
pub(crate) fn purge(host: &dyn Host, id: &Name, repositories: &[String]) -> Result<(), HostError> {
    refuse_mounted(host, id)?;
    let root = host.root();
    let home = root.tenant(id);
    if home.symlink_metadata().is_ok() {
        let gone = root.tenants().join(format!(".{id}{GONE}"));
        disk::remove_tree(&gone)?;
        disk::rename(&home, &gone)?;
        disk::sync_directory(&root.tenants())?;
    }
    sweep(root)?;
    watch::end(host, id)?;
    for path in wireguard::files(root, id)?
        .iter()
        .chain(&runtime(root, id)?)
    {
        disk::remove_tree(path)?;
    }
    let embedded = root.embedded(id.as_str());
    let used = |url: &String| root.embedded_path(url).as_ref() == Some(&embedded);
    if !repositories.iter().any(used) {
        disk::remove_tree(&embedded)?;
    }
    Ok(())
}

/// Deletes directories of tenants whose purge was interrupted.
///
/// # Errors
/// When a file operation fails.
pub(crate) fn sweep(root: &HostRoot) -> Result<(), HostError> {
    for path in entries(&root.tenants())? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(GONE) {
            disk::remove_tree(&path)?;
        }
    }
    Ok(())
}

/// Tenants that have a directory. One that has nothing of a tenant is somebody else's.
///
/// # Errors
/// When the directory of all is unreadable.
pub(crate) fn homes(root: &HostRoot) -> Result<Vec<Name>, HostError> {
    let name = |path: PathBuf| Name::new(path.file_name()?.to_str()?).ok();
    let is_ours = |id: &Name| {
        let marks = [root.mirror(id), root.tenant_state(id), root.generations(id)];
        marks.iter().any(|path| path.symlink_metadata().is_ok())
    };
    Ok(entries(&root.tenants())?
        .into_iter()
        .filter_map(name)
        .filter(is_ours)
        .collect())
}

/// A deletion would go into what is mounted: into images that others use.
fn refuse_mounted(host: &dyn Host, id: &Name) -> Result<(), HostError> {
    let home = format!("/var/lib/tenants/{id}");
    let pattern = format!("{}-*.mount", escape_path(&home));
    let units = host.units(&[&pattern])?;
    let mounts = fs::read_to_string(host.root().join("/proc/self/mountinfo")).unwrap_or_default();
    let below = |line: &str| {
        let point = line.split(' ').nth(4)?;
        point
            .strip_prefix(home.as_str())
            .is_some_and(|rest| rest.starts_with('/'))
            .then(|| point.to_owned())
    };
    let active = units.iter().find(|(_, state)| state.is_active());
    let mounted = active
        .map(|(unit, _)| unit.clone())
        .or_else(|| mounts.lines().find_map(below));
    match mounted {
        None => Ok(()),
        Some(what) => {
            let reason = format!("{what} is still mounted: `systemctl stop '{pattern}'` ends it");
            Err(HostError::damaged(&host.root().tenant(id), reason))
        }
    }
}

/// What is remembered of the tenant until the next boot: `/run/bitbuilder/*/<id>`, with and without an ending.
fn runtime(root: &HostRoot, id: &Name) -> Result<Vec<PathBuf>, HostError> {
    let mut found = Vec::new();
    for directory in entries(&root.runtime())?
        .into_iter()
        .filter(|path| path.is_dir())
    {
        let own =
            |path: &PathBuf| is_named(path, id.as_str()) || is_named(path, &format!("{id}.json"));
        found.extend(entries(&directory)?.into_iter().filter(own));
    }
    Ok(found)
}

fn is_named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|found| found == name)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, HostError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(HostError::file(directory)(error)),
    };
    entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(HostError::file(directory))
        })
        .collect()
}
