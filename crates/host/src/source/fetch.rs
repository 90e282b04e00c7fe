//! One look at a remote: did the reference move, and if so, fetch it.

use super::commit::resolve_ref;
use super::error::SourceError;
use super::refs::{self, Reference};
use super::repository::{open, refuse_alternates};
use super::sweep::sweep;
use super::url::RemoteUrl;
use crate::git::{Access, GitError, Invocation, Limits};
use gix::refs::FullName;
use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a fetch found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Whether the reference names another commit than before, also when it is new.
    pub moved: bool,
    /// The commit that it names now, full hexadecimal id.
    pub commit: String,
}

/// Brings `reference` of `url` into the bare mirror at `mirror`; [`fetch_with`] without keys.
///
/// # Errors
/// As [`fetch_with`].
pub fn fetch(
    mirror: &Path,
    url: &str,
    reference: &str,
    timeout: Duration,
) -> Result<Fetched, SourceError> {
    fetch_with(mirror, url, (reference, None), timeout, &Access::default())
}

/// Brings `reference` (a branch, tag, full ref name or full commit id) of `url` into the bare mirror at `mirror`, and the
/// branch `beside` it if the remote has one: it is gone from the mirror when it is gone there.
///
/// A local remote whose reference did not move costs a few file reads and no process. A moved reference is taken also when
/// its new commit does not descend from the old one: the caller decides what to make of it.
///
/// # Errors
/// When the URL or the reference is refused, the remote does not have it or does not answer within `timeout`, an
/// object is damaged, or the mirror cannot be written.
pub fn fetch_with(
    mirror: &Path,
    url: &str,
    (reference, beside): (&str, Option<&str>),
    timeout: Duration,
    access: &Access,
) -> Result<Fetched, SourceError> {
    let beside = beside.map(refs::branch).transpose()?;
    let fetch = Fetch {
        mirror,
        url: RemoteUrl::parse(url)?,
        reference,
        beside,
        timeout,
        access,
    };
    refuse_alternates(mirror)?;
    match refs::parse(reference)? {
        Reference::Commit(id) => fetch.pinned(&id.to_string()),
        Reference::Names(names) => fetch.named(&names),
    }
}

/// The commit of the branch `reference` of a local remote, without a process and without its mirror; `None` when `url` is
/// not local, or what it has of that name is not a branch.
///
/// # Errors
/// When the URL or the reference is refused, or the repository is unreadable.
pub fn peek(url: &str, reference: &str) -> Result<Option<String>, SourceError> {
    let Reference::Names(names) = refs::parse(reference)? else {
        return Ok(None);
    };
    let git_dir = local_git_dir(&RemoteUrl::parse(url)?)?;
    let Some(git_dir) = git_dir.filter(|path| has_ref_files(path)) else {
        return Ok(None);
    };
    let found = find(&git_dir, &names)?;
    let branch = found.filter(|(name, _)| name.as_bstr().starts_with(b"refs/heads/"));
    Ok(branch.map(|(_, id)| id.to_string()))
}

struct Fetch<'a> {
    mirror: &'a Path,
    url: RemoteUrl,
    reference: &'a str,
    beside: Option<FullName>,
    timeout: Duration,
    access: &'a Access,
}

impl Fetch<'_> {
    /// A commit id never moves; it is fetched until the mirror has it.
    fn pinned(&self, id: &str) -> Result<Fetched, SourceError> {
        let present = || -> Result<bool, SourceError> {
            Ok(super::commit::read_commit(&open(self.mirror)?, id).is_ok_and(|c| c.id == id))
        };
        let had = present()?;
        if !had {
            local_git_dir(&self.url)?;
            let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
            self.git(&all.map(str::to_owned))
                .map_err(|error| self.refused(error))?;
            if !present()? {
                return Err(self.not_there());
            }
        }
        Ok(Fetched {
            moved: !had,
            commit: id.to_owned(),
        })
    }

    fn named(&self, names: &[FullName]) -> Result<Fetched, SourceError> {
        let Some(git_dir) = local_git_dir(&self.url)?.filter(|path| has_ref_files(path)) else {
            return self.first_of(names);
        };
        let remote = find(&git_dir, names)?.ok_or_else(|| self.not_there())?;
        let Some(here) = find(self.mirror, std::slice::from_ref(&remote.0))? else {
            return self.first_of(&[remote.0]);
        };
        if here == remote && !self.moved_beside(&git_dir)? {
            // A branch points to a commit; only a tag needs a look at the objects.
            let commit = if here.0.as_bstr().starts_with(b"refs/heads/") {
                here.1.to_string()
            } else {
                self.resolve(&here.0)?
            };
            return Ok(Fetched {
                moved: false,
                commit,
            });
        }
        self.first_of(&[remote.0])
    }

    /// Fetches the first of `names` that the remote has.
    fn first_of(&self, names: &[FullName]) -> Result<Fetched, SourceError> {
        for name in names {
            let before = find(self.mirror, std::slice::from_ref(name))?;
            let mut refspecs = vec![format!("+{name}:{name}")];
            // What matches nothing is no error to git.
            refspecs.extend(
                self.beside
                    .iter()
                    .map(|beside| format!("+{beside}*:{beside}*")),
            );
            match self.git(&refspecs) {
                Err(GitError::Failed { message, .. }) if is_missing(&message) => {}
                Err(error) => return Err(self.refused(error)),
                Ok(()) => {
                    let moved = before != find(self.mirror, std::slice::from_ref(name))?;
                    return Ok(Fetched {
                        moved,
                        commit: self.resolve(name)?,
                    });
                }
            }
        }
        Err(self.not_there())
    }

    /// Whether the branch beside the reference is another one in the mirror than in the local remote at `git_dir`.
    fn moved_beside(&self, git_dir: &Path) -> Result<bool, SourceError> {
        let Some(beside) = &self.beside else {
            return Ok(false);
        };
        let name = std::slice::from_ref(beside);
        Ok(find(git_dir, name)? != find(self.mirror, name)?)
    }

    fn refused(&self, error: GitError) -> SourceError {
        match error {
            GitError::Failed { message, .. }
                if message.contains("Host key verification failed") =>
            {
                SourceError::HostKey(self.url.to_string())
            }
            error => error.into(),
        }
    }

    fn git(&self, refspecs: &[String]) -> Result<(), GitError> {
        let mut arguments: Vec<OsString> = [
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
            "--no-auto-gc",
            "--end-of-options",
            self.url.as_str(),
        ]
        .map(OsString::from)
        .into();
        if self.beside.is_some() {
            arguments.insert(0, "--prune".into());
        }
        arguments.extend(refspecs.iter().map(OsString::from));
        let limits = Limits {
            time: self.timeout,
            ..Limits::default()
        };
        sweep(self.mirror);
        let result = Invocation::new("fetch")
            .repository(self.mirror)
            .args(arguments)
            .access(self.access)
            .limits(limits)
            .run();
        if result.is_err() {
            sweep(self.mirror);
        }
        result.map(drop)
    }

    /// Full commit id behind a ref of the mirror.
    fn resolve(&self, name: &FullName) -> Result<String, SourceError> {
        Ok(resolve_ref(&open(self.mirror)?, &name.to_string())?.id)
    }

    fn not_there(&self) -> SourceError {
        SourceError::NoRemoteReference {
            reference: self.reference.to_owned(),
            url: self.url.to_string(),
        }
    }
}

/// Git directory of a local remote. Its owner could have git run commands, so it must be trusted.
fn local_git_dir(url: &RemoteUrl) -> Result<Option<PathBuf>, SourceError> {
    let Some(path) = url.local() else {
        return Ok(None);
    };
    let inner = path.join(".git");
    let git_dir = if inner.is_dir() {
        inner
    } else {
        path.to_owned()
    };
    let metadata = git_dir.metadata().map_err(SourceError::file(&git_dir))?;
    let caller = rustix::process::geteuid().as_raw();
    if metadata.uid() != 0 && metadata.uid() != caller {
        return Err(SourceError::Ownership {
            path: git_dir,
            uid: metadata.uid(),
        });
    }
    Ok(Some(git_dir))
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
    let url = RemoteUrl::parse(url).ok()?;
    let path = url.local()?;
    let inner = path.join(".git");
    let git_dir = match inner.is_dir() {
        true => inner,
        false => path.to_owned(),
    };
    Some(LocalRefs {
        reftable: git_dir.join("reftable").is_dir(),
        git_dir,
    })
}

/// Whether the refs at `git_dir` are files that [`find`] can read: not those of a linked work tree, nor reftables.
fn has_ref_files(git_dir: &Path) -> bool {
    git_dir.join("refs").is_dir()
        && git_dir.join("objects").is_dir()
        && !git_dir.join("reftable").exists()
}

fn find(
    git_dir: &Path,
    names: &[FullName],
) -> Result<Option<(FullName, gix::ObjectId)>, SourceError> {
    refs::find(&refs::store(git_dir), names).map_err(|message| SourceError::Repository {
        path: git_dir.to_owned(),
        message,
    })
}

/// What git says, in the C locale, when a remote does not have a ref.
fn is_missing(message: &str) -> bool {
    message.contains("couldn't find remote ref")
}
