//! Opening a bare repository to read it, with nothing but its own objects and refs.

use super::error::SourceError;
use std::path::{Path, PathBuf};

/// No object larger than this is brought into memory, bases of deltas included.
pub(super) const LARGEST_OBJECT: u64 = 256 << 20;

/// A repository that can be read.
#[derive(Debug)]
pub struct Repository {
    pub(crate) inner: gix::Repository,
    path: PathBuf,
}

impl Repository {
    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Opens the bare repository at `path`.
///
/// Configuration of user and host, environment and replace refs have no effect.
///
/// # Errors
/// When there is no repository, its format is unknown, or it borrows objects of another one.
pub fn open(path: &Path) -> Result<Repository, SourceError> {
    refuse_alternates(path)?;
    open_with_alternates(path)
}

/// Opens a repository whose alternates the caller has made itself.
pub(super) fn open_with_alternates(path: &Path) -> Result<Repository, SourceError> {
    let options = gix::open::Options::isolated()
        .open_path_as_is(true)
        .with(gix::sec::Trust::Full)
        .strict_config(true)
        .cli_overrides([
            "core.useReplaceRefs=false".to_owned(),
            format!("gitoxide.objects.allocLimit={LARGEST_OBJECT}"),
        ]);
    let inner = options
        .open(path)
        .map_err(|error| SourceError::Repository {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
    Ok(Repository {
        inner: inner.to_thread_local(),
        path: path.to_owned(),
    })
}

/// Refuses bytes that are not what `id` says. The hash detects attacks on SHA-1, as Git's own does: two objects of one id
/// cannot take each other's place.
pub(super) fn intact(
    kind: gix::object::Kind,
    id: gix::ObjectId,
    data: &[u8],
) -> Result<(), SourceError> {
    let found = gix::objs::compute_hash(id.kind(), kind, data);
    let found = found.map_err(SourceError::object(id))?;
    if found == id {
        return Ok(());
    }
    let message = format!("its content is that of {kind} {found}");
    Err(SourceError::object(id)(message))
}

/// Refuses a repository that borrows objects: another tenant's could be among them.
pub(super) fn refuse_alternates(path: &Path) -> Result<(), SourceError> {
    refuse_borrowed(path, &path.join("objects"))
}

/// Refuses the directory `objects`, of the repository at `path`, when it names further ones.
pub(super) fn refuse_borrowed(path: &Path, objects: &Path) -> Result<(), SourceError> {
    for name in ["alternates", "http-alternates"] {
        let file = objects.join("info").join(name);
        match file.symlink_metadata() {
            Ok(_) => return Err(SourceError::Alternates(path.to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(SourceError::file(&file)(error)),
        }
    }
    Ok(())
}
