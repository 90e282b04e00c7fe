//! Whether a trail is what the host wrote, all of it and in order. Public keys are all that it takes.

use super::AuditError;
use super::commit::Link;
use super::key::{NAMESPACE, PublicKey, fingerprint};
use super::read::{self, Sealed};
use crate::source::Repository;
use bitbuilder_core::digest::sha256;
use gix::ObjectId;
use ssh_key::SshSig;
use std::path::Path;

/// A trail that was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The records, oldest first.
    pub records: Vec<Sealed>,
    /// Fingerprint of the key that signs now.
    pub key: String,
}

/// Verifies the trail at `path`, from its first record to its last. The first one must be signed by one of `pinned`; a key
/// that comes later is known by the record that brings it in, signed by the one before. `kept` is the commit of a record
/// that the auditor saw before, in full or its beginning: a trail without it was cut off or written again.
///
/// # Errors
/// When anything is not as it was written; names the first such record.
pub fn verify(
    path: &Path,
    pinned: &[PublicKey],
    kept: Option<&str>,
) -> Result<Verified, AuditError> {
    let repository = read::open(path)?;
    let head = read::head(&repository)?.ok_or_else(|| AuditError::None(path.to_owned()))?;
    let chain = chain(&repository, head)?;
    let mut walk = Walk {
        repository: &repository,
        signers: pinned.to_vec(),
        previous: None,
        number: 0,
    };
    let mut records = Vec::with_capacity(chain.len());
    for id in chain.into_iter().rev() {
        records.push(walk.step(id)?);
    }
    if let Some(kept) = kept
        && !records.iter().any(|sealed| sealed.commit.starts_with(kept))
    {
        let head = kept.to_owned();
        return Err(AuditError::Cut { head });
    }
    let key = walk.signers.first().map(fingerprint).unwrap_or_default();
    Ok(Verified { records, key })
}

/// All commits, newest first.
fn chain(repository: &Repository, head: ObjectId) -> Result<Vec<ObjectId>, AuditError> {
    let mut chain = Vec::new();
    let mut at = Some(head);
    while let Some(id) = at {
        let parent = read::link(repository, id).map(|(_, link)| link.parent);
        // The one that cannot be read is told with the number that it has in its child.
        at = parent.map_err(|reason| AuditError::Broken {
            number: chain
                .last()
                .and_then(|child| read::link(repository, *child).ok())
                .map_or(0, |(_, child)| child.number.saturating_sub(1)),
            commit: id.to_string(),
            reason,
        })?;
        chain.push(id);
    }
    Ok(chain)
}

/// From the first record on.
struct Walk<'a> {
    repository: &'a Repository,
    /// Who may sign the next record: those who are pinned, then the one who signed the last.
    signers: Vec<PublicKey>,
    /// Digest of the commit before.
    previous: Option<String>,
    number: u64,
}

impl Walk<'_> {
    fn step(&mut self, id: ObjectId) -> Result<Sealed, AuditError> {
        self.number += 1;
        let number = self.number;
        self.check(id).map_err(|reason| AuditError::Broken {
            number,
            commit: id.to_string(),
            reason,
        })
    }

    fn check(&mut self, id: ObjectId) -> Result<Sealed, String> {
        let (bytes, link) = read::link(self.repository, id)?;
        if link.number != self.number {
            return Err(format!(
                "it is the {}. record that was written: others are missing or in another order",
                link.number
            ));
        }
        if link.previous != self.previous {
            return Err("the record before it is not the one that it was written after".to_owned());
        }
        let signer = self.signer(&link)?;
        let record = read::record(self.repository, &link)?;
        if sha256(&record) != link.record {
            return Err("its text is not the one that was signed".to_owned());
        }
        let entry = read::parse(&record)?;
        if entry.number != self.number {
            return Err(format!("its text says that it is record {}", entry.number));
        }
        let next = read::rotated_to(&entry.draft).map_err(|error| error.to_string())?;
        self.signers = vec![next.unwrap_or(signer)];
        self.previous = Some(sha256(&bytes));
        Ok(Sealed {
            commit: id.to_string(),
            entry,
        })
    }

    /// The key that signed it, one of those who may.
    fn signer(&self, link: &Link) -> Result<PublicKey, String> {
        let pem = link.signature.as_deref().ok_or("it is not signed")?;
        let signature = SshSig::from_pem(pem).map_err(|error| format!("its signature: {error}"))?;
        let signer = self
            .signers
            .iter()
            .find(|key| key.key_data() == signature.public_key());
        let signer = signer.ok_or_else(|| {
            let other = PublicKey::from(signature.public_key().clone());
            format!(
                "it is signed by {}, which is not the key of this trail",
                fingerprint(&other)
            )
        })?;
        signer
            .verify(NAMESPACE, &link.payload, &signature)
            .map_err(|_| "its signature is not valid".to_owned())?;
        Ok(signer.clone())
    }
}
