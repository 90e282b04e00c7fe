//! Whether somebody whose signature is good may sign here.

use super::allowed::AllowedSigner;
use super::problem::Problem;
use super::revoked::fingerprint;
use super::ring::KeyRing;
use crate::model::Verify;

/// Namespace of Git's signatures, ssh-keygen(1) `-n`.
pub const NAMESPACE: &str = "git";
/// How far the times of commits may be off, in seconds: clocks of people differ.
const SLACK: i64 = 86_400;
/// So much of a list of principals is shown.
const SHOWN: usize = 100;

/// What is known of a commit when its signature turned out to be good.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Fingerprint of the key, `SHA256:...`, or of the OpenPGP certificate, lower-case hex.
    pub fingerprint: &'a str,
    /// Time of the commit, as the committer says.
    pub time: i64,
    /// Time of its first parent.
    pub parent: Option<i64>,
    /// The host's time.
    pub now: i64,
}

/// Who signed a commit: somebody who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer(String);

impl Signer {
    fn new(name: &str, fingerprint: &str) -> Self {
        let shown: String = name.chars().take(SHOWN).collect();
        Self(match shown.as_str() {
            "" => fingerprint.to_owned(),
            name => format!("{name} ({fingerprint})"),
        })
    }
}

impl std::fmt::Display for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Judges a good signature of OpenSSH that was made in `namespace`.
///
/// # Errors
/// Why it does not count.
pub fn judge_ssh(
    ring: &KeyRing,
    verify: &Verify,
    namespace: &str,
    facts: &Facts<'_>,
) -> Result<Signer, Problem> {
    if namespace != NAMESPACE {
        return Err(Problem::Namespace(namespace.to_owned()));
    }
    let key = facts.fingerprint;
    if ring.revoked.contains(key) {
        return Err(Problem::Revoked(key.to_owned()));
    }
    dated(facts)?;
    let lines = || {
        ring.allowed
            .iter()
            .filter(|line| line.key.fingerprint == key)
    };
    let by_key = names(verify, key);
    let may = |line: &&AllowedSigner| {
        by_key
            || verify
                .signers
                .iter()
                .any(|name| line.principals.accepts(name) || line.principals.has(name))
    };
    let Some(first) = lines().next() else {
        // The registry names the key itself: nothing restricts it.
        return if by_key {
            Ok(Signer::new("", key))
        } else {
            Err(Problem::Unknown(key.to_owned()))
        };
    };
    let mut problem = Problem::Foreign(Signer::new(&first.principals.0, key).to_string());
    for line in lines().filter(may) {
        match restricted(line, facts) {
            Ok(()) => return Ok(Signer::new(&line.principals.0, key)),
            Err(reason) => problem = reason,
        }
    }
    Err(problem)
}

/// Judges a good OpenPGP signature by a certificate of the ring that is known as `known`.
///
/// # Errors
/// Why it does not count.
pub fn judge_openpgp(
    ring: &KeyRing,
    verify: &Verify,
    known: &[&str],
    facts: &Facts<'_>,
) -> Result<Signer, Problem> {
    let certificate = facts.fingerprint;
    if ring.revoked.contains(certificate) {
        return Err(Problem::Revoked(certificate.to_owned()));
    }
    dated(facts)?;
    let names_it = |name: &&&str| verify.signers.iter().any(|signer| signer == *name);
    let mut given = known.iter().filter(|name| fingerprint(name).is_none());
    let by_name = given.clone().find(names_it);
    let name = by_name
        .or_else(|| given.next())
        .copied()
        .unwrap_or_default();
    let signer = Signer::new(name, certificate);
    if by_name.is_some() || names(verify, certificate) {
        Ok(signer)
    } else {
        Err(Problem::Foreign(signer.to_string()))
    }
}

/// Whether `signers` names the key with this fingerprint.
fn names(verify: &Verify, key: &str) -> bool {
    let mut signers = verify.signers.iter();
    signers.any(|signer| fingerprint(signer).as_deref() == Some(key))
}

/// Nobody signs in the future.
fn dated(facts: &Facts<'_>) -> Result<(), Problem> {
    if facts.time > facts.now.saturating_add(SLACK) {
        return Err(Problem::Future(facts.time));
    }
    Ok(())
}

/// What the line of the key says of what it may sign, and when.
///
/// The time that counts is the commit's, as Git does it: a commit does not become bad when the key of its author expires
/// later. Who has stolen an expired key could set any time; that is why such a commit must not be older than its parent.
fn restricted(line: &AllowedSigner, facts: &Facts<'_>) -> Result<(), Problem> {
    let who = || Signer::new(&line.principals.0, facts.fingerprint).to_string();
    if line
        .namespaces
        .as_ref()
        .is_some_and(|list| !list.accepts(NAMESPACE))
    {
        return Err(Problem::NotForGit(who()));
    }
    if let Some(after) = line.valid_after.filter(|after| facts.time < *after) {
        return Err(Problem::NotYetValid { who: who(), after });
    }
    if let Some(before) = line.valid_before {
        if facts.time > before {
            return Err(Problem::Expired { who: who(), before });
        }
        let parent = facts.parent.map(|parent| parent.min(facts.now));
        let backdated = parent.is_some_and(|parent| facts.time < parent.saturating_sub(SLACK));
        if facts.now > before && backdated {
            return Err(Problem::Backdated { who: who(), before });
        }
    }
    Ok(())
}
