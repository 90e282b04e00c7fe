//! Commits as they were signed: their bytes without the signature, and the path that a branch has gone.

use super::commit::{LONGEST_HISTORY, object_id};
use super::error::SourceError;
use super::repository::{Repository, intact};
use gix::ObjectId;
use gix::objs::CommitRefIter;
use std::collections::HashSet;

/// Headers of a commit that are no part of what is signed, gitformat-signature(5).
const SIGNATURES: [&[u8]; 2] = [b"gpgsig ", b"gpgsig-sha256 "];

/// A commit and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCommit {
    /// Object id, hex.
    pub id: String,
    /// Its first parent, hex.
    pub parent: Option<String>,
    /// Seconds since the epoch at which it was committed, as the committer says.
    pub time: i64,
    /// `Name <address>` of the committer.
    pub committer: String,
    /// First line of the message.
    pub subject: String,
    /// What was signed.
    pub payload: Vec<u8>,
    /// What its `gpgsig` headers say, armored; at most one when all is well.
    pub signatures: Vec<Vec<u8>>,
}

/// The commit `id`, whose bytes are proved to be what the id says.
///
/// # Errors
/// When there is no such commit, it is damaged, or it is part of an attack on SHA-1.
pub fn signed_commit(repository: &Repository, id: &str) -> Result<SignedCommit, SourceError> {
    let described = super::read_commit(repository, id)?;
    let id = object_id(&described.id)?;
    let object = repository.inner.find_commit(id);
    let object = object.map_err(SourceError::object(id))?;
    intact(gix::object::Kind::Commit, id, &object.data)?;
    let (payload, signatures) = split(&object.data);
    Ok(SignedCommit {
        parent: first_parent(repository, id)?.map(|parent| parent.to_string()),
        id: described.id,
        time: described.time,
        committer: described.committer,
        subject: described.subject,
        payload,
        signatures,
    })
}

/// The commits of the first-parent path of `commit` that `deployed` does not have, newest first, `limit` at most and one
/// more when there are more. `commit` is always one of them. Without a `deployed` commit that is known, it is alone.
///
/// A merge whose first parent is not the deployed branch brings all that is new on its own first-parent path.
///
/// # Errors
/// When history is damaged, or longer than a million commits.
pub fn first_parents(
    repository: &Repository,
    deployed: Option<&str>,
    commit: &str,
    limit: usize,
) -> Result<Vec<String>, SourceError> {
    let commit = object_id(commit)?;
    let deployed = deployed.map(object_id).transpose()?;
    let Some(deployed) = deployed.filter(|id| repository.inner.has_object(id)) else {
        return Ok(vec![commit.to_string()]);
    };
    let mut path = vec![commit];
    let mut at = commit;
    let mut met = at == deployed;
    while path.len() <= limit && !met {
        let Some(parent) = first_parent(repository, at)? else {
            break;
        };
        met = parent == deployed;
        if !met {
            path.push(parent);
        }
        at = parent;
    }
    if !met {
        let known = ancestors(repository, deployed)?;
        let end = path.iter().skip(1).position(|id| known.contains(id));
        path.truncate(end.map_or(path.len(), |end| end + 1));
    }
    Ok(path.iter().map(ToString::to_string).collect())
}

fn first_parent(repository: &Repository, id: ObjectId) -> Result<Option<ObjectId>, SourceError> {
    let commit = repository
        .inner
        .find_commit(id)
        .map_err(SourceError::object(id))?;
    Ok(CommitRefIter::from_bytes(&commit.data, id.kind())
        .parent_ids()
        .next())
}

fn ancestors(repository: &Repository, id: ObjectId) -> Result<HashSet<ObjectId>, SourceError> {
    let walk = repository.inner.rev_walk([id]).all();
    let mut known = HashSet::new();
    for step in walk.map_err(SourceError::object(id))? {
        known.insert(step.map_err(SourceError::object(id))?.id);
        if known.len() > LONGEST_HISTORY {
            return Err(SourceError::object(id)(format!(
                "its history has more than {LONGEST_HISTORY} commits"
            )));
        }
    }
    Ok(known)
}

/// Takes the signatures out of a commit object.
fn split(object: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut payload, mut signatures) = (Vec::with_capacity(object.len()), Vec::new());
    let mut rest = object;
    // A header goes on in lines that begin with a space.
    let mut continued = None;
    while let Some(line) = rest.split_inclusive(|&b| b == b'\n').next() {
        if line == b"\n" {
            break;
        }
        rest = &rest[line.len()..];
        if let Some(more) = line.strip_prefix(b" ") {
            match continued {
                Some(true) => signatures
                    .last_mut()
                    .map_or((), |last: &mut Vec<u8>| last.extend(more)),
                Some(false) => {}
                None => payload.extend(line),
            }
            continue;
        }
        continued = SIGNATURES
            .iter()
            .position(|name| line.starts_with(name))
            .map(|at| at == 0);
        match continued {
            Some(true) => signatures.push(line[SIGNATURES[0].len()..].to_vec()),
            Some(false) => {}
            None => payload.extend(line),
        }
    }
    payload.extend(rest);
    (payload, signatures)
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn signatures_are_taken_out_and_nothing_else() {
        let object = b"tree 1\ngpgsig-sha256 other\n x\nauthor a\ngpgsig one\n two\n \n three\nmergetag object 2\n gpgsig x\n\ngpgsig no\n";
        let (payload, signatures) = split(object);
        let kept = "tree 1\nauthor a\nmergetag object 2\n gpgsig x\n\ngpgsig no\n";
        assert_eq!(String::from_utf8(payload).unwrap(), kept);
        assert_eq!(signatures, [b"one\ntwo\n\nthree\n".to_vec()]);
        for unsigned in ["", "tree 1", "tree 1\n\nmessage", "\n", " odd\n\n"] {
            assert_eq!(
                split(unsigned.as_bytes()),
                (unsigned.as_bytes().to_vec(), vec![])
            );
        }
        let (_, two) = split(b"gpgsig a\ngpgsig b\n\n");
        assert_eq!(two.len(), 2);
    }
}
