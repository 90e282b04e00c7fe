//! A commit made by us, pushed like anybody's: the hooks of the repository check it. No checkout, no index.

use super::commit::{object_id, read_commit};
use super::error::SourceError;
use super::mirror::Mirror;
use super::repository::{Repository, open};
use super::{fetch, resolve_ref};
use crate::git::{Invocation, Limits};
use crate::host::Host;
use crate::paths::HostRoot;
use gix::ObjectId;
use gix::objs::tree::{Entry, EntryKind};
use gix::objs::{Commit, Tree};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Time for the fetch before.
const FETCH: Duration = Duration::from_secs(120);
/// Time for the push: a hook may wait until what was pushed runs.
const PUSH: Duration = Duration::from_secs(900);

/// Who makes a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Seconds since the epoch.
    pub time: u64,
}

impl Author {
    /// The user of this process, also behind sudo, at this host.
    pub fn caller(host: &dyn Host) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|text| is_plain(text));
        let name = ["SUDO_USER", "USER", "LOGNAME"]
            .into_iter()
            .find_map(variable)
            .unwrap_or_else(|| "root".into());
        let hostname = hostname(host.root());
        Self {
            email: format!("{name}@{hostname}"),
            name,
            time: host.now(),
        }
    }
}

/// The name of the host, as a commit can carry it.
pub(crate) fn hostname(root: &HostRoot) -> String {
    std::fs::read_to_string(root.join("/etc/hostname"))
        .map(|text| text.trim().to_owned())
        .ok()
        .filter(|text| is_plain(text))
        .unwrap_or_else(|| "localhost".into())
}

/// Whether a text can stand in the header of a commit.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// One commit on top of a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal<'a> {
    /// URL of the repository.
    pub url: &'a str,
    /// The branch.
    pub branch: &'a str,
    /// The commit that the branch has now, hex; `None` for the first one.
    pub parent: Option<String>,
    /// Files that are new or have other content, by path.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Message of the commit.
    pub message: &'a str,
    /// Who makes it.
    pub author: &'a Author,
}

/// Makes the commit and pushes it; its id. `scratch` is a path for a repository that is removed afterwards.
///
/// # Errors
/// When the branch has moved, the repository refuses the commit (with what its hooks said), or it cannot be reached.
pub fn propose(proposal: &Proposal<'_>, scratch: &Path) -> Result<String, SourceError> {
    let scratch = Scratch::new(scratch)?;
    Mirror::ensure(&scratch.0, proposal.url)?;
    if let Some(parent) = &proposal.parent {
        fetch(&scratch.0, proposal.url, proposal.branch, FETCH)?;
        let found = resolve_ref(&open(&scratch.0)?, proposal.branch)?.id;
        if found != *parent {
            return Err(SourceError::Object {
                id: found,
                message: format!("`{}` has moved meanwhile; try again", proposal.branch),
            });
        }
    }
    let id = commit(&open(&scratch.0)?, proposal)?;
    let branch = proposal.branch.trim_start_matches("refs/heads/");
    let arguments: [OsString; 4] = [
        "--quiet".into(),
        "--end-of-options".into(),
        proposal.url.into(),
        format!("{id}:refs/heads/{branch}").into(),
    ];
    let limits = Limits {
        time: PUSH,
        ..Limits::default()
    };
    Invocation::new("push")
        .repository(&scratch.0)
        .args(arguments)
        .limits(limits)
        .run()?;
    Ok(id)
}

/// A directory that goes when it is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new(path: &Path) -> Result<Self, SourceError> {
        super::mirror::remove_tree(path)?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next one of this name removes what stays.
        let _ = super::mirror::remove_tree(&self.0);
    }
}

fn commit(repository: &Repository, proposal: &Proposal<'_>) -> Result<String, SourceError> {
    let (mut base, mut parents) = (None, Vec::new());
    if let Some(parent) = &proposal.parent {
        base = Some(object_id(&read_commit(repository, parent)?.tree)?);
        parents.push(object_id(parent)?);
    }
    let files: Vec<File<'_>> = proposal
        .files
        .iter()
        .map(|(path, content)| (path.split('/').collect(), content.as_slice()))
        .collect();
    let tree = write_tree(repository, base, &files)?;
    let author = signature(proposal.author);
    let commit = Commit {
        tree,
        parents: parents.into_iter().collect(),
        committer: author.clone(),
        author,
        encoding: None,
        message: format!("{}\n", proposal.message.trim_end()).into(),
        extra_headers: Vec::new(),
    };
    write(repository, &commit).map(|id| id.to_string())
}

fn signature(author: &Author) -> gix::actor::Signature {
    gix::actor::Signature {
        name: author.name.as_str().into(),
        email: author.email.as_str().into(),
        time: gix::date::Time {
            seconds: i64::try_from(author.time).unwrap_or(i64::MAX),
            offset: 0,
        },
    }
}

/// A file: the parts of its path, and its content.
type File<'f> = (Vec<&'f str>, &'f [u8]);

/// Writes the tree `base` with `files` in it.
fn write_tree(
    repository: &Repository,
    base: Option<ObjectId>,
    files: &[File<'_>],
) -> Result<ObjectId, SourceError> {
    let mut entries = match base {
        Some(id) => read_entries(repository, id)?,
        None => Vec::new(),
    };
    let mut below: BTreeMap<&str, Vec<File<'_>>> = BTreeMap::new();
    for (path, content) in files {
        match path.as_slice() {
            [] => {}
            [name] => {
                let id = repository.inner.write_blob(content);
                let id = id.map_err(SourceError::object(name))?.detach();
                put(&mut entries, name, EntryKind::Blob, id);
            }
            [name, rest @ ..] => below
                .entry(name)
                .or_default()
                .push((rest.to_vec(), content)),
        }
    }
    for (name, files) in below {
        let inner = entries
            .iter()
            .find(|entry| entry.filename == name && entry.mode.is_tree())
            .map(|entry| entry.oid);
        let id = write_tree(repository, inner, &files)?;
        put(&mut entries, name, EntryKind::Tree, id);
    }
    entries.sort();
    write(repository, &Tree { entries })
}

fn read_entries(repository: &Repository, id: ObjectId) -> Result<Vec<Entry>, SourceError> {
    let object = repository.inner.find_object(id);
    let object = object.map_err(SourceError::object(id))?;
    let tree = gix::objs::TreeRef::from_bytes(&object.data, id.kind());
    let tree = tree.map_err(SourceError::object(id))?;
    Ok(tree.entries.into_iter().map(Entry::from).collect())
}

fn put(entries: &mut Vec<Entry>, name: &str, kind: EntryKind, oid: ObjectId) {
    let mode = match entries.iter().position(|entry| entry.filename == name) {
        Some(at) => {
            let before = entries.swap_remove(at).mode;
            if kind == EntryKind::Blob && before.is_blob() {
                before
            } else {
                kind.into()
            }
        }
        None => kind.into(),
    };
    entries.push(Entry {
        mode,
        filename: name.into(),
        oid,
    });
}

fn write(
    repository: &Repository,
    object: impl gix::objs::WriteTo,
) -> Result<ObjectId, SourceError> {
    let id = repository.inner.write_object(object);
    Ok(id.map_err(SourceError::object("new"))?.detach())
}
