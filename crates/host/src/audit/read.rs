//! Reading the trail, of this host or of a clone.

use super::commit::{FILE, Link, id};
use super::entry::{Draft, Entry};
use super::key::PublicKey;
use super::trail::REFERENCE;
use super::{AuditError, key};
use crate::source::{self, Repository, SourceError};
use gix::ObjectId;
use gix::objs::Kind;
use std::path::Path;

/// Kind of the event that brings in another key.
pub(super) const ROTATED: &str = "audit-key-rotated";
/// Where a clone has the ref.
const REFERENCES: [&str; 2] = [REFERENCE, "refs/remotes/origin/audit"];

/// A record with its commit.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sealed {
    /// Id of the commit.
    pub commit: String,
    /// What it says.
    #[serde(flatten)]
    pub entry: Entry,
}

/// Records of the trail at `path` (a bare repository or a clone), newest first, as long as `wanted` says so. Nothing is
/// verified.
///
/// # Errors
/// When there is no trail, or a record is unreadable.
pub fn newest(
    path: &Path,
    mut wanted: impl FnMut(&Sealed) -> bool,
) -> Result<Vec<Sealed>, AuditError> {
    let repository = open(path)?;
    let mut at = Some(head(&repository)?.ok_or_else(|| AuditError::None(path.to_owned()))?);
    let mut found = Vec::new();
    while let Some(id) = at {
        let sealed = Sealed {
            commit: id.to_string(),
            entry: entry(&repository, id)?,
        };
        if !wanted(&sealed) {
            break;
        }
        found.push(sealed);
        at = link(&repository, id).map_err(broken(id))?.1.parent;
    }
    Ok(found)
}

/// Opens a bare repository, or the one of a clone.
pub(super) fn open(path: &Path) -> Result<Repository, AuditError> {
    let inner = path.join(".git");
    let path = if inner.exists() { &inner } else { path };
    if !path.join("HEAD").exists() {
        return Err(AuditError::None(path.to_owned()));
    }
    Ok(source::open(path)?)
}

/// Commit of the newest record.
pub(super) fn head(repository: &Repository) -> Result<Option<ObjectId>, AuditError> {
    for name in REFERENCES {
        let found = repository.inner.try_find_reference(name);
        let found = found.map_err(|error| SourceError::Repository {
            path: repository.path().to_owned(),
            message: error.to_string(),
        })?;
        if let Some(reference) = found {
            return Ok(Some(reference.id().detach()));
        }
    }
    Ok(None)
}

/// The bytes of an object, which are what its id says.
pub(super) fn object(
    repository: &Repository,
    wanted: ObjectId,
    kind: Kind,
) -> Result<Vec<u8>, String> {
    let found = repository.inner.find_object(wanted);
    let found = found.map_err(|error| error.to_string())?;
    if found.kind != kind {
        return Err(format!("object {wanted} is a {}, not a {kind}", found.kind));
    }
    if id(kind, &found.data)? != wanted {
        return Err(format!("object {wanted} was altered"));
    }
    Ok(found.detached().data)
}

/// A commit, its bytes and what they say.
pub(super) fn link(repository: &Repository, at: ObjectId) -> Result<(Vec<u8>, Link), String> {
    let bytes = object(repository, at, Kind::Commit)?;
    let link = Link::parse(&bytes)?;
    Ok((bytes, link))
}

/// The bytes of the one file in a record's tree.
pub(super) fn record(repository: &Repository, link: &Link) -> Result<Vec<u8>, String> {
    let tree = object(repository, link.tree, Kind::Tree)?;
    let tree = gix::objs::TreeRef::from_bytes(&tree, gix::hash::Kind::Sha1)
        .map_err(|error| error.to_string())?;
    match tree.entries.as_slice() {
        [entry] if entry.filename == FILE && entry.mode.is_blob() => {
            object(repository, entry.oid.to_owned(), Kind::Blob)
        }
        _ => Err(format!("its tree has other files than {FILE}")),
    }
}

/// The record of a commit.
pub(super) fn entry(repository: &Repository, at: ObjectId) -> Result<Entry, AuditError> {
    let read = || {
        let (_, link) = link(repository, at)?;
        parse(&record(repository, &link)?)
    };
    read().map_err(broken(at))
}

/// What a record says.
pub(super) fn parse(record: &[u8]) -> Result<Entry, String> {
    serde_json::from_slice(record).map_err(|error| format!("{FILE} is not a record: {error}"))
}

/// The key that signs after this record, when it brings one in.
pub(super) fn rotated_to(draft: &Draft) -> Result<Option<PublicKey>, AuditError> {
    let rotation = draft
        .events
        .iter()
        .rev()
        .find(|event| event.event == ROTATED);
    let Some(rotation) = rotation else {
        return Ok(None);
    };
    let text = rotation.details.get("key").and_then(|key| key.as_str());
    let keys = key::parse_keys(Path::new(FILE), text.unwrap_or_default())?;
    Ok(keys.into_iter().next())
}

fn broken(at: ObjectId) -> impl FnOnce(String) -> AuditError {
    move |reason| AuditError::Broken {
        number: 0,
        commit: at.to_string(),
        reason,
    }
}
