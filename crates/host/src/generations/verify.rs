//! Comparing a generation on the disk with its manifest.

use super::{MANIFEST, read_manifest};
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{FileRecord, UpdateClass, hash};
use bitbuilder_core::digest::sha256;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// One file of a generation that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Path in the generation.
    pub path: String,
    /// What is wrong with it.
    pub kind: DamageKind,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DamageKind {
    /// The manifest names it and it is not there.
    Missing,
    /// Its content has another digest.
    Content,
    /// It has other permission bits.
    Mode,
    /// The manifest does not name it.
    Foreign,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = match self.kind {
            DamageKind::Missing => "is missing",
            DamageKind::Content => "has other content than when it was written",
            DamageKind::Mode => "has another mode than when it was written",
            DamageKind::Foreign => "does not belong to this generation",
        };
        write!(f, "{} {what}", self.path)
    }
}

/// Reads every file of generation `number` again; empty when all is as it was written.
///
/// # Errors
/// When the manifest or a file is unreadable.
pub fn verify(root: &HostRoot, id: &Name, number: u64) -> Result<Vec<Damage>, HostError> {
    let manifest = read_manifest(root, id, number)?;
    let directory = root.generation(id, number);
    let mut damages = Vec::new();
    for (path, record) in &manifest.files {
        if let Some(kind) = check_file(&directory.join(path), record)? {
            damages.push(Damage {
                path: path.clone(),
                kind,
            });
        }
    }
    let mut found = BTreeSet::new();
    collect(&directory, &directory, &mut found)?;
    let foreign = found
        .into_iter()
        .filter(|path| path != MANIFEST && !manifest.files.contains_key(path))
        .map(|path| Damage {
            path,
            kind: DamageKind::Foreign,
        });
    damages.extend(foreign);
    Ok(damages)
}

/// [`bitbuilder_core::artefact::hash`] of what is on the disk now.
///
/// # Errors
/// When the generation is unreadable.
pub fn tree_hash(root: &HostRoot, id: &Name, number: u64) -> Result<String, HostError> {
    let directory = root.generation(id, number);
    let mut found = BTreeSet::new();
    collect(&directory, &directory, &mut found)?;
    found.remove(MANIFEST);
    let record = |relative: String| {
        let path = directory.join(&relative);
        let metadata = fs::symlink_metadata(&path).map_err(HostError::file(&path))?;
        let content = fs::read(&path).map_err(HostError::file(&path))?;
        let record = FileRecord {
            sha256: sha256(&content),
            mode: metadata.permissions().mode() & 0o7777,
            origin: None,
            unit: None,
            class: UpdateClass::Live,
        };
        Ok((relative, record))
    };
    let files: Result<BTreeMap<_, _>, HostError> = found.into_iter().map(record).collect();
    Ok(hash(&files?))
}

fn check_file(path: &Path, record: &FileRecord) -> Result<Option<DamageKind>, HostError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(Some(DamageKind::Content)),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Some(DamageKind::Missing)),
        Err(error) => return Err(HostError::file(path)(error)),
    };
    let content = fs::read(path).map_err(HostError::file(path))?;
    Ok(if sha256(&content) != record.sha256 {
        Some(DamageKind::Content)
    } else if metadata.permissions().mode() & 0o7777 != record.mode {
        Some(DamageKind::Mode)
    } else {
        None
    })
}

/// Paths of everything below `directory` that is not a directory, relative to `base`.
fn collect(base: &Path, directory: &Path, found: &mut BTreeSet<String>) -> Result<(), HostError> {
    for entry in fs::read_dir(directory).map_err(HostError::file(directory))? {
        let entry = entry.map_err(HostError::file(directory))?;
        let path = entry.path();
        if entry.file_type().map_err(HostError::file(&path))?.is_dir() {
            collect(base, &path, found)?;
        } else if let Ok(relative) = path.strip_prefix(base) {
            found.insert(relative.to_string_lossy().into_owned());
        }
    }
    Ok(())
}
