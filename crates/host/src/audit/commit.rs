//! A record as a commit: bytes to parts and back.
//!
//! Git links commits by SHA-1. That is not enough for a record that shall hold against whoever wrote it, so the message,
//! which is signed, carries SHA-256 of the record and of the whole commit before it.

use super::AuditError;
use crate::source::SourceError;
use bitbuilder_core::digest::sha256;
use gix::ObjectId;
use gix::objs::{Commit, CommitRef, CommitRefIter, Kind, WriteTo};

/// The one file of a record's tree.
pub(super) const FILE: &str = "record.json";
/// Header of the signature.
const SIGNATURE: &str = "gpgsig";

/// A commit of the trail, read.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) number: u64,
    /// Digest of the record.
    pub(super) record: String,
    /// Digest of the commit before; none in the first.
    pub(super) previous: Option<String>,
    pub(super) parent: Option<ObjectId>,
    pub(super) tree: ObjectId,
    /// The bytes that are signed.
    pub(super) payload: Vec<u8>,
    /// The signature, as PEM.
    pub(super) signature: Option<String>,
}

/// What a new commit says.
pub(super) struct New<'a> {
    pub(super) subject: &'a str,
    pub(super) number: u64,
    pub(super) record: &'a [u8],
    /// Id and bytes of the commit before.
    pub(super) previous: Option<(ObjectId, &'a [u8])>,
    pub(super) tree: ObjectId,
    pub(super) host: &'a str,
    pub(super) time: u64,
}

impl New<'_> {
    /// The bytes of the commit, signed by `sign`.
    pub(super) fn signed(
        &self,
        sign: impl FnOnce(&[u8]) -> Result<String, AuditError>,
    ) -> Result<Vec<u8>, AuditError> {
        let mut commit = self.commit();
        let signature = sign(&bytes(&commit)?)?;
        commit
            .extra_headers
            .push((SIGNATURE.into(), signature.trim_end().into()));
        bytes(&commit)
    }

    fn commit(&self) -> Commit {
        let author = gix::actor::Signature {
            name: "BitBuilder audit".into(),
            email: format!("audit@{}", self.host).into(),
            time: gix::date::Time {
                seconds: i64::try_from(self.time).unwrap_or(i64::MAX),
                offset: 0,
            },
        };
        let previous = match self.previous {
            Some((_, bytes)) => sha256(bytes),
            None => "none".to_owned(),
        };
        let message = format!(
            "{}\n\nNumber: {}\nRecord: {}\nPrevious: {previous}\n",
            self.subject,
            self.number,
            sha256(self.record),
        );
        Commit {
            tree: self.tree,
            parents: self.previous.iter().map(|(id, _)| *id).collect(),
            author: author.clone(),
            committer: author,
            encoding: None,
            message: message.into(),
            extra_headers: Vec::new(),
        }
    }
}

fn bytes(commit: &Commit) -> Result<Vec<u8>, AuditError> {
    let mut bytes = Vec::new();
    let written = commit.write_to(&mut bytes);
    written.map_err(SourceError::object("new"))?;
    Ok(bytes)
}

impl Link {
    /// Reads the bytes of a commit.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let hash = gix::hash::Kind::Sha1;
        let commit = CommitRef::from_bytes(bytes, hash).map_err(|error| error.to_string())?;
        let mut parents = commit.parents();
        let parent = parents.next();
        if parents.next().is_some() {
            return Err("it has more than one parent".to_owned());
        }
        let message = std::str::from_utf8(commit.message).map_err(|error| error.to_string())?;
        let field = |name: &str| {
            let mut found = message.lines().filter_map(|line| line.strip_prefix(name));
            // Twice is as bad as never: the two could differ.
            found.next().filter(|_| found.next().is_none())
        };
        let missing = |name: &str| format!("its message has no line `{name}`");
        let number = field("Number: ").and_then(|text| text.parse().ok());
        let previous = field("Previous: ").ok_or_else(|| missing("Previous"))?;
        let signed = CommitRefIter::signature(bytes, hash).map_err(|error| error.to_string())?;
        let (signature, payload) = match signed {
            Some((signature, payload)) => (
                Some(String::from_utf8_lossy(&signature).into_owned()),
                payload.to_bstring().into(),
            ),
            None => (None, bytes.to_vec()),
        };
        Ok(Self {
            number: number.ok_or_else(|| missing("Number"))?,
            record: field("Record: ")
                .ok_or_else(|| missing("Record"))?
                .to_owned(),
            previous: (previous != "none").then(|| previous.to_owned()),
            parent,
            tree: commit.tree(),
            payload,
            signature,
        })
    }
}

/// The id that Git gives an object.
pub(super) fn id(kind: Kind, bytes: &[u8]) -> Result<ObjectId, String> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).map_err(|error| error.to_string())
}
