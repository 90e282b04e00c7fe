//! Layers: a directory of a repository as files on the host, complete or not at all.

use super::commit::object_id;
use super::error::SourceError;
use super::limits::{Budget, TreeLimits};
use super::mirror::{partial_name, remove_tree, sync_directory, sync_tree};
use super::repository::Repository;
use super::walk::{Visit, Visitor, walk_directory, walk_tree};
use crate::host::HostError;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Gives a path, which is not followed, an owner: [`crate::host::Host::chown`], or nothing.
pub type Chown<'a> = &'a dyn Fn(&Path) -> Result<(), HostError>;

/// What an export did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Export {
    /// The layer was written.
    Created,
    /// It was there; layers never change.
    Unchanged,
}

/// Writes the tree `tree` (a full hexadecimal tree id) as the directory `destination` and gives every entry to its owner
/// through `chown`.
///
/// Files are 0644 or 0755, directories 0755; links are written as they are and never followed. The directory appears under
/// its name when it is complete and on disk.
///
/// # Errors
/// When the tree breaks a limit, holds a submodule or a hostile name, or a file cannot be written.
pub fn export_layer(
    repository: &Repository,
    tree: &str,
    destination: &Path,
    limits: &TreeLimits,
    chown: Chown<'_>,
) -> Result<Export, SourceError> {
    let root = object_id(tree)?;
    export(destination, limits, chown, |budget, writer| {
        walk_tree(repository, root, budget, writer)
    })
}

/// As [`export_layer`], from a plain directory.
///
/// # Errors
/// As [`export_layer`]; also when the directory holds a FIFO, socket or device.
pub fn export_directory(
    source: &Path,
    destination: &Path,
    limits: &TreeLimits,
    chown: Chown<'_>,
) -> Result<Export, SourceError> {
    export(destination, limits, chown, |budget, writer| {
        walk_directory(source, budget, writer)
    })
}

fn export(
    destination: &Path,
    limits: &TreeLimits,
    chown: Chown<'_>,
    walk: impl FnOnce(&mut Budget<'_>, &mut Writer<'_>) -> Result<(), SourceError>,
) -> Result<Export, SourceError> {
    if destination.symlink_metadata().is_ok() {
        return Ok(Export::Unchanged);
    }
    let parent = destination.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(parent).map_err(SourceError::file(parent))?;
    let root = partial_name(destination);
    remove_tree(&root)?;
    let mut writer = Writer { root: &root, chown };
    let mut budget = Budget::new(limits);
    let written = walk(&mut budget, &mut writer).and_then(|()| refuse_findings(budget));
    if let Err(error) = written {
        remove_tree(&root)?;
        return Err(error);
    }
    sync_tree(&root)?;
    fs::rename(&root, destination).map_err(SourceError::file(destination))?;
    sync_directory(parent)?;
    Ok(Export::Created)
}

fn refuse_findings(budget: Budget<'_>) -> Result<(), SourceError> {
    match budget.findings.into_iter().next() {
        None => Ok(()),
        Some(finding) => Err(SourceError::Layer {
            path: finding.origin.file,
            reason: finding.message,
        }),
    }
}

/// Creates entries below a directory that nobody else can write to. Everything is made new and no name has `..` or
/// `/`, so no path leads through a link.
struct Writer<'w> {
    root: &'w Path,
    chown: Chown<'w>,
}

impl Visitor for Writer<'_> {
    fn visit(
        &mut self,
        path: &str,
        visit: Visit<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), SourceError> {
        // An escaped name is not the name: it must not be written.
        if !budget.findings.is_empty() {
            budget.exhaust(path, "layer", "the layer is refused".into());
            return Ok(());
        }
        let full = self.full(path);
        let error = || SourceError::file(&full);
        match visit {
            Visit::Enter(_) => fs::DirBuilder::new()
                .mode(0o700)
                .create(&full)
                .map_err(error()),
            Visit::Leave => {
                let mode = fs::Permissions::from_mode(0o755);
                fs::set_permissions(&full, mode).map_err(error())?;
                Ok((self.chown)(&full)?)
            }
            Visit::File(file) => {
                write_file(&full, file.executable, &mut *file.content.reader()?).map_err(error())?;
                Ok((self.chown)(&full)?)
            }
            Visit::Symlink(target) => {
                std::os::unix::fs::symlink(target, &full).map_err(error())?;
                Ok((self.chown)(&full)?)
            }
            Visit::Submodule => Err(refused(path, "a submodule cannot be part of a layer")),
            Visit::Special => Err(refused(
                path,
                "a FIFO, socket or device cannot be part of a layer",
            )),
        }
    }
}

impl Writer<'_> {
    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() {
            self.root.to_owned()
        } else {
            self.root.join(path)
        }
    }
}

fn write_file(path: &Path, executable: bool, from: &mut dyn std::io::Read) -> std::io::Result<()> {
    let mode = if executable { 0o755 } else { 0o644 };
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    std::io::copy(from, &mut file)?;
    // The umask may have taken bits away.
    file.set_permissions(fs::Permissions::from_mode(mode))
}

fn refused(path: &str, reason: &str) -> SourceError {
    SourceError::Layer {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
