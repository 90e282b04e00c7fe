//! Every commit that is new, and what is to be said of it.

use super::openpgp::{OpenPgp, Window};
use super::ssh;
use crate::source::{Repository, SignedCommit, SourceError, first_parents, signed_commit};
use bitbuilder_core::finding::{Finding, Origin};
use bitbuilder_core::model::{Verify, VerifyCommits};
use bitbuilder_core::signature::{Facts, KeyRing, Problem, Signer, judge_openpgp, judge_ssh};
use std::path::Path;

/// Commits that one deployment may bring, at most.
const LONGEST_PATH: usize = 1000;
/// Commits that are complained about, at most.
const COMPLAINTS: usize = 8;
/// Characters of a subject that are shown.
const SUBJECT: usize = 60;

/// Whom to trust.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a> {
    /// All keys that the host knows.
    pub keys: &'a KeyRing,
    /// Who may sign, and whether they have to.
    pub verify: &'a Verify,
    /// The host's time, seconds since the epoch.
    pub now: u64,
    /// A directory for scratch files.
    pub scratch: &'a Path,
}

/// What became of the signatures of some commits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Who signed the newest one, when that counts.
    pub signer: Option<String>,
    /// What is wrong, for people.
    pub findings: Vec<Finding>,
    /// Why the commit is not accepted, in words that follow `commit X is refused: `.
    pub refusal: Option<String>,
}

/// Verifies the commits that `commit` brings when `deployed` is there already: all of its first-parent path, oldest first.
/// For the first deployment that is `commit` alone, whose signature vouches for what it holds. What is deployed already
/// is never refused, only complained about.
///
/// # Errors
/// When the repository cannot be read.
pub fn verify(
    repository: &Repository,
    deployed: Option<&str>,
    commit: &str,
    trust: &Trust<'_>,
) -> Result<Verified, SourceError> {
    let mut verified = Verified::default();
    if trust.verify.commits == VerifyCommits::Off {
        return Ok(verified);
    }
    let refuses = trust.verify.commits == VerifyCommits::Required && deployed != Some(commit);
    let path = first_parents(repository, deployed, commit, LONGEST_PATH)?;
    if path.len() > LONGEST_PATH {
        let problem =
            format!("more than {LONGEST_PATH} commits are new, too many to verify at once");
        let finding = Finding::error(origin(commit), "too-many-commits", &problem);
        verified
            .findings
            .push(severe(refuses, finding.help("push them in steps")));
        verified.refusal = refuses.then_some(problem);
        return Ok(verified);
    }
    let mut verifier = Verifier {
        repository,
        trust,
        openpgp: None,
    };
    for id in path.iter().rev() {
        let (commit_read, judged) = verifier.commit(id);
        match judged {
            Ok(signer) => verified.signer = Some(signer.to_string()),
            Err(problem) => {
                verified.signer = None;
                if refuses && verified.refusal.is_none() {
                    verified.refusal = Some(reason(id, commit, &problem));
                }
                verified
                    .findings
                    .push(severe(refuses, complaint(id, commit_read, &problem)));
                if verified.findings.len() == COMPLAINTS {
                    break;
                }
            }
        }
    }
    Ok(verified)
}

struct Verifier<'a> {
    repository: &'a Repository,
    trust: &'a Trust<'a>,
    /// Made for the first signature that needs it.
    openpgp: Option<OpenPgp<'a>>,
}

impl Verifier<'_> {
    /// The commit, if it could be read, and who signed it.
    fn commit(&mut self, id: &str) -> (Option<SignedCommit>, Result<Signer, Problem>) {
        match signed_commit(self.repository, id) {
            Ok(commit) => {
                let judged = self.signature(&commit);
                (Some(commit), judged)
            }
            Err(error) => (None, Err(Problem::Damaged(error.to_string()))),
        }
    }

    fn signature(&mut self, commit: &SignedCommit) -> Result<Signer, Problem> {
        let armor = match commit.signatures.as_slice() {
            [] => return Err(Problem::Unsigned),
            [armor] => armor.as_slice(),
            _ => return Err(Problem::Several),
        };
        let parent = commit.parent.as_deref();
        // A parent that cannot be read bounds nothing; the walk to it has failed before.
        let parent = parent.and_then(|id| crate::source::read_commit(self.repository, id).ok());
        let facts = Facts {
            fingerprint: "",
            time: commit.time,
            parent: parent.map(|parent| parent.time),
            now: i64::try_from(self.trust.now).unwrap_or(i64::MAX),
        };
        let payload = &commit.payload;
        if ssh::is_ssh(armor) {
            let (fingerprint, namespace) = ssh::check(payload, armor)?;
            let facts = Facts {
                fingerprint: &fingerprint,
                ..facts
            };
            return judge_ssh(self.trust.keys, self.trust.verify, &namespace, &facts);
        }
        if armor.starts_with(b"-----BEGIN PGP ") {
            return self.openpgp(payload, armor, &facts);
        }
        Err(if armor.starts_with(b"-----BEGIN SIGNED MESSAGE") {
            Problem::Unsupported("an X.509 certificate".to_owned())
        } else {
            Problem::Malformed("it is of no known kind".to_owned())
        })
    }

    fn openpgp(
        &mut self,
        payload: &[u8],
        armor: &[u8],
        facts: &Facts<'_>,
    ) -> Result<Signer, Problem> {
        let Trust {
            keys,
            verify,
            scratch,
            ..
        } = *self.trust;
        let openpgp = match &mut self.openpgp {
            Some(ready) => ready,
            none => {
                let made = OpenPgp::new(keys, scratch);
                none.insert(made.map_err(|error| Problem::Unverifiable(error.to_string()))?)
            }
        };
        let window = Window {
            parent: facts.parent,
            now: facts.now,
        };
        let mut problem = Problem::Bad;
        for fingerprint in openpgp.check(payload, armor, window)? {
            let facts = Facts {
                fingerprint: &fingerprint,
                ..*facts
            };
            match judge_openpgp(keys, verify, openpgp.names(&fingerprint), &facts) {
                Ok(signer) => return Ok(signer),
                Err(reason) => problem = reason,
            }
        }
        Err(problem)
    }
}

fn origin(commit: &str) -> Origin {
    Origin::file(format!("commit {}", short(commit)))
}

fn severe(refuses: bool, finding: Finding) -> Finding {
    use bitbuilder_core::finding::Severity;
    let severity = if refuses {
        Severity::Error
    } else {
        Severity::Warning
    };
    Finding {
        severity,
        ..finding
    }
}

fn complaint(id: &str, commit: Option<SignedCommit>, problem: &Problem) -> Finding {
    let what = commit.map_or_else(
        || "it".to_owned(),
        |commit| {
            let subject: String = commit.subject.chars().take(SUBJECT).collect();
            format!("`{subject}` by {}", commit.committer)
        },
    );
    let message = format!("{what} {problem}");
    Finding::error(origin(id), problem.rule(), message).help(problem.help())
}

/// The first thing that is wrong, after `commit X is refused: `.
fn reason(id: &str, newest: &str, problem: &Problem) -> String {
    if id == newest {
        format!("it {problem}")
    } else {
        format!("commit {} before it {problem}", short(id))
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
