//! From rendered artefacts to the record of a generation.

use super::{Artefact, Artefacts, FileRecord, Manifest};
use crate::digest::{sha256, sha256_parts};
use crate::model::Name;
use std::collections::BTreeMap;

/// What a manifest says beside the artefacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provenance {
    /// The tenant.
    pub tenant: Name,
    /// Number of the generation, from 1.
    pub number: u64,
    /// Number of the generation that it replaces.
    pub parent: Option<u64>,
    /// Commit it was compiled from, hex.
    pub commit: String,
    /// Ref that pointed at the commit.
    pub reference: String,
    /// URL of the repository.
    pub repository: String,
    /// Commit of the system repository it was compiled with.
    pub system: String,
    /// Who signed the commit, when that was verified.
    pub signer: Option<String>,
    /// [`crate::plan::inputs_hash`] of what the compiler read.
    pub inputs: String,
    /// Seconds since the epoch.
    pub created: u64,
}

/// The record of the generation that holds `artefacts`.
pub fn manifest(provenance: Provenance, artefacts: &Artefacts) -> Manifest {
    let files: BTreeMap<_, _> = artefacts
        .files
        .iter()
        .map(|(path, artefact)| (path.clone(), record(artefact)))
        .collect();
    Manifest {
        format: 1,
        tenant: provenance.tenant,
        number: provenance.number,
        parent: provenance.parent,
        commit: provenance.commit,
        reference: provenance.reference,
        repository: provenance.repository,
        system: provenance.system,
        signer: provenance.signer,
        inputs: provenance.inputs,
        hash: hash(&files),
        files,
        units: artefacts.units.clone(),
        layers: artefacts.layers.clone(),
        directories: artefacts.directories.clone(),
        disks: artefacts.disks.clone(),
        created: provenance.created,
    }
}

/// SHA-256 over paths, modes and digests of `files`: equal hash, equal generation.
pub fn hash(files: &BTreeMap<String, FileRecord>) -> String {
    let lines: Vec<String> = files
        .iter()
        .map(|(path, file)| format!("{:o} {} {path}", file.mode, file.sha256))
        .collect();
    sha256_parts(lines.iter().map(String::as_bytes))
}

fn record(artefact: &Artefact) -> FileRecord {
    FileRecord {
        sha256: sha256(&artefact.content),
        mode: artefact.mode,
        origin: artefact.origin.clone(),
        unit: artefact.unit.clone(),
        class: artefact.class,
    }
}
