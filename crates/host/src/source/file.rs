//! One file of a commit, without reading the rest of its tree.

use super::commit::{object_id, read_commit};
use super::error::SourceError;
use super::repository::Repository;
use bitbuilder_core::document::MAX_DOCUMENT;

/// The content of the regular file at `path` of `commit` (a full hexadecimal id); nothing is followed.
///
/// # Errors
/// When there is no such file, it is larger than a document may be, or an object is damaged.
pub fn read_file(
    repository: &Repository,
    commit: &str,
    path: &str,
) -> Result<Vec<u8>, SourceError> {
    let missing = || SourceError::object(commit)(format!("it has no file {path:?}"));
    let mut id = object_id(&read_commit(repository, commit)?.tree)?;
    let mut parts = path.split('/').peekable();
    while let Some(part) = parts.next() {
        let object = repository.inner.find_object(id);
        let object = object.map_err(SourceError::object(id))?;
        let tree = gix::objs::TreeRef::from_bytes(&object.data, id.kind());
        let tree = tree.map_err(SourceError::object(id))?;
        let mut entries = tree.entries.iter();
        let entry = entries
            .find(|entry| entry.filename == part)
            .ok_or_else(missing)?;
        let fits = match parts.peek() {
            Some(_) => entry.mode.is_tree(),
            None => entry.mode.is_blob(),
        };
        if !fits {
            return Err(missing());
        }
        id = entry.oid.to_owned();
    }
    let header = repository.inner.find_header(id);
    let size = header.map_err(SourceError::object(id))?.size();
    if size > MAX_DOCUMENT {
        let message = format!("{path:?} has more than {MAX_DOCUMENT} bytes");
        return Err(SourceError::object(id)(message));
    }
    let object = repository.inner.find_object(id);
    Ok(object.map_err(SourceError::object(id))?.detach().data)
}
