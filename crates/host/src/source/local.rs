//! Remotes on this host: what their references name is read from files, without a process and without a mirror.

use super::error::SourceError;
use super::refs::{self, Reference};
use super::url::RemoteUrl;
use gix::ObjectId;
use gix::refs::{FullName, Target, file};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A remote on this host whose references are files that can be read: not those of a linked work tree, nor reftables.
pub struct LocalRemote {
    git_dir: PathBuf,
    store: file::Store,
}

impl LocalRemote {
    /// That of `url`; `None` when it is elsewhere, or its references are no such files.
    ///
    /// # Errors
    /// When it is not there, or belongs to somebody else than root and the caller.
    pub fn open(url: &RemoteUrl) -> Result<Option<Self>, SourceError> {
        url.local().map_or(Ok(None), Self::at)
    }

    /// The one in the directory `path`.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn at(path: &Path) -> Result<Option<Self>, SourceError> {
        let git_dir = trusted(path)?;
        Ok(has_ref_files(&git_dir).then(|| Self {
            store: refs::store(&git_dir),
            git_dir,
        }))
    }

    /// The commit of a branch; `None` when it has none of that name, or what has it is not a branch.
    ///
    /// # Errors
    /// When the reference is refused, or the repository is unreadable.
    pub fn branch(&self, reference: &str) -> Result<Option<String>, SourceError> {
        let Reference::Names(names) = refs::parse(reference)? else {
            return Ok(None);
        };
        let found = self.find(&names)?;
        let branch = found.filter(|(name, _)| name.as_bstr().starts_with(b"refs/heads/"));
        Ok(branch.map(|(_, id)| id.to_string()))
    }

    pub(super) fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// What a reference says, without following it.
    pub(super) fn target(&self, name: &FullName) -> Result<Option<Target>, SourceError> {
        match self.store.try_find(name.as_ref()) {
            Ok(found) => Ok(found.map(|reference| reference.target)),
            Err(error) => Err(SourceError::Repository {
                path: self.git_dir.clone(),
                message: error.to_string(),
            }),
        }
    }

    /// The first of `names` that it has.
    pub(super) fn find(
        &self,
        names: &[FullName],
    ) -> Result<Option<(FullName, ObjectId)>, SourceError> {
        find_in(&self.store, &self.git_dir, names)
    }
}

/// Git directory of the repository at `path`. Its owner could have git run commands, so it must be trusted.
pub(super) fn trusted(path: &Path) -> Result<PathBuf, SourceError> {
    let git_dir = git_dir(path);
    let metadata = git_dir.metadata().map_err(SourceError::file(&git_dir))?;
    let caller = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != caller {
        return Err(SourceError::Ownership {
            path: git_dir,
            uid: metadata.uid(),
        });
    }
    Ok(git_dir)
}

/// The first of `names` that the repository at `git_dir` has.
pub(super) fn find(
    git_dir: &Path,
    names: &[FullName],
) -> Result<Option<(FullName, ObjectId)>, SourceError> {
    find_in(&refs::store(git_dir), git_dir, names)
}

fn find_in(
    store: &file::Store,
    git_dir: &Path,
    names: &[FullName],
) -> Result<Option<(FullName, ObjectId)>, SourceError> {
    refs::find(store, names).map_err(|message| SourceError::Repository {
        path: git_dir.to_owned(),
        message,
    })
}

/// Where a local remote writes its refs down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalRefs {
    /// Its Git directory, which need not be there yet.
    pub git_dir: PathBuf,
    /// Whether the refs are in one table rather than in a file each.
    pub reftable: bool,
}

/// Where the remote `url` writes `reference` down; `None` when it is not local, or a commit that never moves.
pub fn local_refs(url: &str, reference: &str) -> Option<LocalRefs> {
    let Ok(Reference::Names(_)) = refs::parse(reference) else {
        return None;
    };
    let git_dir = git_dir(RemoteUrl::parse(url).ok()?.local()?);
    Some(LocalRefs {
        reftable: git_dir.join("reftable").is_dir(),
        git_dir,
    })
}

fn git_dir(path: &Path) -> PathBuf {
    let inner = path.join(".git");
    if inner.is_dir() {
        inner
    } else {
        path.to_owned()
    }
}

fn has_ref_files(git_dir: &Path) -> bool {
    git_dir.join("refs").is_dir()
        && git_dir.join("objects").is_dir()
        && !git_dir.join("reftable").exists()
}
