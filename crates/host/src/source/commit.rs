//! Commits: looking them up and asking who descends from whom.

use super::error::SourceError;
use super::refs;
use super::repository::Repository;
use gix::ObjectId;

/// Commits that [`is_descendant`] looks at, at most.
pub(super) const LONGEST_HISTORY: usize = 1_000_000;
/// Tags that point to tags, at most.
const TAG_CHAIN: usize = 8;
/// Bytes of a commit or tag object, at most.
const LARGEST_COMMIT: u64 = 1 << 20;

/// A commit, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Object id, hex.
    pub id: String,
    /// Object id of its tree, hex.
    pub tree: String,
    /// `Name <address>` of the author.
    pub author: String,
    /// `Name <address>` of the committer.
    pub committer: String,
    /// Seconds since the epoch at which it was committed, as the committer says.
    pub time: i64,
    /// First line of the message.
    pub subject: String,
}

/// The commit that `reference` names: a branch, a tag (annotated ones are followed), a full ref name or a full
/// commit id. A branch wins over a tag of the same name.
///
/// # Errors
/// When it is none of these, does not exist, or does not name a commit.
pub fn resolve_ref(repository: &Repository, reference: &str) -> Result<Commit, SourceError> {
    let id = match refs::parse(reference)? {
        refs::Reference::Commit(id) => id,
        refs::Reference::Names(names) => refs::find(&repository.inner.refs, &names)
            .map_err(|message| SourceError::Repository {
                path: repository.path().to_owned(),
                message,
            })?
            .map(|(_, id)| id)
            .ok_or_else(|| SourceError::NoReference {
                reference: reference.to_owned(),
                repository: repository.path().to_owned(),
            })?,
    };
    commit_at(repository, id)
}

/// The commit with the full hexadecimal `id`, also when no ref reaches it; a tag object is followed.
///
/// # Errors
/// When there is no such commit.
pub fn read_commit(repository: &Repository, id: &str) -> Result<Commit, SourceError> {
    commit_at(repository, object_id(id)?)
}

/// Whether `commit` is `ancestor` or has it in its history; both are full hexadecimal ids. An `ancestor` that the
/// repository does not have has no descendants in it.
///
/// # Errors
/// When the history cannot be read or is longer than a million commits.
pub fn is_descendant(
    repository: &Repository,
    ancestor: &str,
    commit: &str,
) -> Result<bool, SourceError> {
    let (ancestor, commit) = (object_id(ancestor)?, object_id(commit)?);
    if ancestor == commit {
        return Ok(true);
    }
    if !repository.inner.has_object(ancestor) {
        return Ok(false);
    }
    let walk = repository
        .inner
        .rev_walk([commit])
        .all()
        .map_err(SourceError::object(commit))?;
    for (seen, step) in walk.enumerate() {
        if step.map_err(SourceError::object(commit))?.id == ancestor {
            return Ok(true);
        }
        if seen >= LONGEST_HISTORY {
            return Err(SourceError::Object {
                id: commit.to_string(),
                message: format!("its history has more than {LONGEST_HISTORY} commits"),
            });
        }
    }
    Ok(false)
}

/// A full hexadecimal object id.
pub(super) fn object_id(id: &str) -> Result<ObjectId, SourceError> {
    ObjectId::from_hex(id.as_bytes()).map_err(|_| SourceError::Reference(id.to_owned()))
}

/// The commit at `id`, through any tags.
fn commit_at(repository: &Repository, mut id: ObjectId) -> Result<Commit, SourceError> {
    for _ in 0..TAG_CHAIN {
        let header = repository
            .inner
            .find_header(id)
            .map_err(SourceError::object(id))?;
        if header.size() > LARGEST_COMMIT {
            return Err(SourceError::object(id)(
                "a commit or tag of more than 1 MiB",
            ));
        }
        match header.kind() {
            gix::object::Kind::Commit => return describe(repository, id),
            gix::object::Kind::Tag => id = tag_target(repository, id)?,
            other => {
                return Err(SourceError::object(id)(format!(
                    "is a {other}, not a commit"
                )));
            }
        }
    }
    Err(SourceError::object(id)("too many tags that point to tags"))
}

fn tag_target(repository: &Repository, id: ObjectId) -> Result<ObjectId, SourceError> {
    let tag = repository
        .inner
        .find_tag(id)
        .map_err(SourceError::object(id))?;
    let target = tag.target_id().map_err(SourceError::object(id))?;
    Ok(target.detach())
}

fn describe(repository: &Repository, id: ObjectId) -> Result<Commit, SourceError> {
    let object = repository
        .inner
        .find_commit(id)
        .map_err(SourceError::object(id))?;
    let commit = object.decode().map_err(SourceError::object(id))?;
    let author = commit.author().map_err(SourceError::object(id))?;
    let committer = commit.committer().map_err(SourceError::object(id))?;
    let subject = commit
        .message
        .split(|&b| b == b'\n')
        .next()
        .unwrap_or_default();
    Ok(Commit {
        id: id.to_string(),
        tree: commit.tree().to_string(),
        author: person(&author),
        committer: person(&committer),
        time: committer.seconds(),
        subject: super::names::text(subject).0,
    })
}

fn person(signature: &gix::actor::SignatureRef<'_>) -> String {
    let (name, _) = super::names::text(signature.name.trim_ascii());
    let (email, _) = super::names::text(signature.email.trim_ascii());
    format!("{name} <{email}>")
}
