//! What can go wrong between a repository and its tree.

use crate::git::GitError;
use crate::host::HostError;
use std::path::{Path, PathBuf};

/// A failure of a source. What a writer of the repository should change is a finding instead.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The URL is not one that we fetch from.
    #[error("repository URL {url:?} is refused: {reason}")]
    Url {
        /// The URL, without its password.
        url: String,
        /// What is expected.
        reason: &'static str,
    },
    /// The reference is not a branch, tag or full commit id.
    #[error("reference {0:?} is not a branch, a tag or a full commit id")]
    Reference(String),
    /// The remote is not who it shall be. What ssh says of it is about files that are gone when somebody reads it.
    #[error(
        "Host key verification failed: nobody who is known answers at {0}; ask its operator for its keys, then correct \
         `access.knownHosts` in the registry, or `/etc/bitbuilder/known_hosts` for the system repository"
    )]
    HostKey(String),
    /// The repository does not have the reference.
    #[error("{} has no branch or tag {reference:?}", repository.display())]
    NoReference {
        /// What was looked for.
        reference: String,
        /// Where.
        repository: PathBuf,
    },
    /// The remote does not have the reference.
    #[error("{url} has no branch, tag or commit {reference:?}")]
    NoRemoteReference {
        /// What was looked for.
        reference: String,
        /// Where.
        url: String,
    },
    /// Nobody asked: other repositories of the same forge did not answer in time.
    #[error("{forge} lets requests time out")]
    Silent {
        /// Host name of the forge.
        forge: String,
    },
    /// It is not a repository that can be read.
    #[error("cannot read repository {}: {message}", path.display())]
    Repository {
        /// The repository.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// The repository borrows objects of another one.
    #[error("{} borrows objects of another repository; remove it and fetch again", .0.display())]
    Alternates(PathBuf),
    /// A local remote belongs to somebody else.
    #[error("{} belongs to uid {uid}; a local repository must belong to root or to the caller", path.display())]
    Ownership {
        /// The repository.
        path: PathBuf,
        /// Its owner.
        uid: u32,
    },
    /// An object is missing, damaged or of another kind.
    #[error("object {id}: {message}")]
    Object {
        /// Its id.
        id: String,
        /// Why.
        message: String,
    },
    /// A file operation failed.
    #[error("{}: {source}", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Reading took too long.
    #[error("reading {what} took more than {} s", limit.as_secs_f32())]
    TimeLimit {
        /// What was read.
        what: String,
        /// The limit.
        limit: std::time::Duration,
    },
    /// A layer holds something that cannot be copied to the host.
    #[error("layer: {path}: {reason}")]
    Layer {
        /// Path in the layer.
        path: String,
        /// Why.
        reason: String,
    },
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A hook was not called as git calls it.
    #[error("not called as a Git hook: {0}")]
    Hook(String),
}

impl SourceError {
    /// Wraps an I/O error with the path it concerns.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| Self::File {
            path: path.to_owned(),
            source,
        }
    }

    /// Wraps an error of a system call with the path it concerns.
    pub(super) fn call(path: &Path) -> impl FnOnce(rustix::io::Errno) -> Self + '_ {
        move |errno| Self::File {
            path: path.to_owned(),
            source: errno.into(),
        }
    }

    /// Wraps an error about an object.
    pub(crate) fn object<E: std::fmt::Display>(
        id: impl std::fmt::Display,
    ) -> impl FnOnce(E) -> Self {
        move |error| Self::Object {
            id: id.to_string(),
            message: error.to_string(),
        }
    }
}
