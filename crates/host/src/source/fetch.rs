//! One look at a remote: did the reference move, and if so, fetch it.

use super::commit::resolve_ref;
use super::error::SourceError;
use super::local::{LocalRemote, find, trusted};
use super::refs::{self, Reference};
use super::repository::{open, refuse_alternates};
use super::sweep::sweep;
use super::url::RemoteUrl;
use crate::git::{Access, GitError, Invocation, Limits};
use gix::refs::FullName;
use std::ffi::OsString;
use std::path::Path;
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
            self.url.local().map(trusted).transpose()?;
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
        let Some(local) = LocalRemote::open(&self.url)? else {
            return self.first_of(names);
        };
        let remote = local.find(names)?.ok_or_else(|| self.not_there())?;
        let Some(here) = find(self.mirror, std::slice::from_ref(&remote.0))? else {
            return self.first_of(&[remote.0]);
        };
        if here == remote && !self.moved_beside(&local)? {
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

    /// Whether the branch beside the reference is another one in the mirror than in the local remote.
    fn moved_beside(&self, local: &LocalRemote) -> Result<bool, SourceError> {
        let Some(beside) = &self.beside else {
            return Ok(false);
        };
        let name = std::slice::from_ref(beside);
        Ok(local.find(name)? != find(self.mirror, name)?)
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

/// What git says, in the C locale, when a remote does not have a ref.
fn is_missing(message: &str) -> bool {
    message.contains("couldn't find remote ref")
}
