//! References: what people may write, and looking them up without opening a repository's objects.

use super::error::SourceError;
use gix::ObjectId;
use gix::refs::{FullName, Target, file};
use std::path::Path;

/// Symbolic refs that point to symbolic refs, at most.
const SYMBOLIC_CHAIN: usize = 5;

/// What a reference of a registry or policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reference {
    /// A full commit id.
    Commit(ObjectId),
    /// Full ref names, the first that exists counts.
    Names(Vec<FullName>),
}

/// Reads a branch, a tag, a full ref name or a full commit id. Expressions such as `main~3` are refused.
pub(super) fn parse(reference: &str) -> Result<Reference, SourceError> {
    let refused = || SourceError::Reference(reference.to_owned());
    if reference.starts_with('-') || reference == "@" {
        return Err(refused());
    }
    if let Ok(id) = ObjectId::from_hex(reference.as_bytes()) {
        return Ok(Reference::Commit(id));
    }
    let names = if reference.starts_with("refs/") {
        vec![reference.to_owned()]
    } else {
        vec![
            format!("refs/heads/{reference}"),
            format!("refs/tags/{reference}"),
        ]
    };
    let names = names
        .into_iter()
        .map(|name| FullName::try_from(name).map_err(|_| refused()))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Reference::Names(names))
}

/// The full name of a branch.
pub(super) fn branch(name: &str) -> Result<FullName, SourceError> {
    FullName::try_from(format!("refs/heads/{name}"))
        .map_err(|_| SourceError::Reference(name.to_owned()))
}

/// The refs of the bare repository at `git_dir`; reads nothing yet.
pub(super) fn store(git_dir: &Path) -> file::Store {
    file::Store::at(git_dir.to_owned(), gix::hash::Kind::Sha1)
}

/// The first of `names` that exists, with the object it points to: a commit, or an annotated tag.
pub(super) fn find(
    store: &file::Store,
    names: &[FullName],
) -> Result<Option<(FullName, ObjectId)>, String> {
    for name in names {
        if let Some(id) = follow(store, name.clone())? {
            return Ok(Some((name.clone(), id)));
        }
    }
    Ok(None)
}

fn follow(store: &file::Store, mut name: FullName) -> Result<Option<ObjectId>, String> {
    for _ in 0..SYMBOLIC_CHAIN {
        let found = store.try_find(name.as_ref()).map_err(|e| e.to_string())?;
        match found.map(|reference| reference.target) {
            None => return Ok(None),
            Some(Target::Object(id)) => return Ok(Some(id)),
            Some(Target::Symbolic(next)) => name = next,
        }
    }
    Err(format!("too many symbolic refs behind {name}"))
}
