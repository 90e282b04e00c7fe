//! Signatures that Git, OpenSSH and GnuPG made, and what attackers make of them.

mod collision;
mod openpgp;
mod ssh;
mod voa;

use super::{Trust, Verified, verify};
use crate::source::open;
use bitbuilder_core::finding::Severity;
use bitbuilder_core::model::{Verify, VerifyCommits};
use bitbuilder_core::signature::{KeyRing, allowed_signers, revoked_signers};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Noon of a day in March 2026.
pub(crate) const NOON: u64 = 1_772_366_400;
pub(crate) const DAY: u64 = 86_400;

/// Keys of OpenSSH in a directory.
pub(crate) struct Keys(PathBuf);

impl Keys {
    pub(crate) fn new(directory: &Path) -> Self {
        let path = directory.join("keys");
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The private key `name`, made when it is not there; `kind` is `ed25519`, `ecdsa`, `rsa`.
    pub(crate) fn make(&self, name: &str, kind: &str) -> PathBuf {
        let path = self.0.join(name);
        if !path.exists() {
            run(Command::new("ssh-keygen")
                .args(["-q", "-t", kind, "-N", "", "-C", name, "-f"])
                .arg(&path));
        }
        path
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.make(name, "ed25519")
    }

    /// `ssh-ed25519 AAAA...`.
    pub(crate) fn public(&self, name: &str) -> String {
        let path = self.key(name).with_extension("pub");
        let text = fs::read_to_string(path).unwrap();
        let words: Vec<&str> = text.split_whitespace().take(2).collect();
        words.join(" ")
    }

    /// `SHA256:...`.
    pub(crate) fn fingerprint(&self, name: &str) -> String {
        let text = run(Command::new("ssh-keygen").arg("-lf").arg(self.key(name)));
        text.split_whitespace().nth(1).unwrap().to_owned()
    }

    /// A signature of `payload` by `name`, armored.
    pub(crate) fn sign(&self, name: &str, namespace: &str, payload: &[u8]) -> String {
        let file = self.0.join("payload");
        let signature = file.with_extension("sig");
        let _ = fs::remove_file(&signature);
        fs::write(&file, payload).unwrap();
        run(Command::new("ssh-keygen")
            .args(["-Y", "sign", "-q", "-n", namespace, "-f"])
            .arg(self.key(name))
            .arg(&file));
        fs::read_to_string(signature).unwrap()
    }
}

pub(crate) fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// The repository at `path`, whose commits are changed after they were made.
pub(crate) struct Repo(pub(crate) PathBuf);

impl Repo {
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.current_dir(&self.0).env_clear();
        for (name, value) in [
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.org"),
            ("GIT_COMMITTER_NAME", "C"),
            ("GIT_COMMITTER_EMAIL", "c@example.org"),
        ] {
            command.env(name, value);
        }
        run(command.args(arguments)).trim().to_owned()
    }

    /// Stores a commit object as it is; its id.
    pub(crate) fn object(&self, content: &[u8]) -> String {
        let mut child = Command::new("git")
            .current_dir(&self.0)
            .args([
                "hash-object",
                "-t",
                "commit",
                "-w",
                "--literally",
                "--stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    /// Puts what `change` makes of the newest commit in its place; its id.
    pub(crate) fn replace(&self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
        let mut old = self.git(&["cat-file", "commit", "HEAD"]);
        old.push('\n');
        let id = self.object(&change(old.into_bytes()));
        self.git(&["update-ref", "HEAD", &id]);
        id
    }

    /// Signs the newest commit; its id.
    pub(crate) fn sign(&self, keys: &Keys, name: &str) -> String {
        self.replace(|payload| with(&payload, &[&keys.sign(name, "git", &payload)]))
    }
}

/// A commit object with these signatures, one header each.
pub(crate) fn with(payload: &[u8], signatures: &[&str]) -> Vec<u8> {
    let payload = String::from_utf8(payload.to_vec()).unwrap();
    let (headers, message) = payload.split_once("\n\n").unwrap();
    let header = |armor: &&str| format!("\ngpgsig {}", armor.trim_end().replace('\n', "\n "));
    let signatures: String = signatures.iter().map(header).collect();
    format!("{headers}{signatures}\n\n{message}").into_bytes()
}

/// A repository with commits, and keys.
struct Case {
    directory: tempfile::TempDir,
    repo: Repo,
    keys: Keys,
    ring: KeyRing,
    verify: Verify,
    now: u64,
}

impl Case {
    /// Alice and Bob are known, and Alice may sign.
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let repo = Repo(directory.path().join("repo.git"));
        fs::create_dir(&repo.0).unwrap();
        repo.git(&["init", "-q", "--bare", "-b", "main"]);
        let keys = Keys::new(directory.path());
        let mut case = Self {
            directory,
            repo,
            keys,
            ring: KeyRing::default(),
            verify: Verify {
                commits: VerifyCommits::Required,
                signers: vec!["alice".into()],
            },
            now: NOON + DAY,
        };
        case.allow("alice", "");
        case.allow("bob", "");
        case
    }

    /// Adds a line to the list of allowed signers.
    fn allow(&mut self, name: &str, options: &str) {
        let line = format!("{name} {options} {}", self.keys.public(name));
        let mut findings = Vec::new();
        let signers = allowed_signers("allowed_signers", &line, &mut findings);
        assert_eq!(findings, []);
        self.ring.allowed.extend(signers);
    }

    fn revoke(&mut self, line: &str) {
        let revoked = revoked_signers("revoked_signers", line, &mut Vec::new());
        self.ring.revoked.extend(revoked);
    }

    /// A commit on top of HEAD at `time`, not signed yet.
    fn commit(&self, subject: &str, time: u64) -> String {
        let parent = self
            .repo
            .git(&["for-each-ref", "--format=%(objectname)", "refs/heads/main"]);
        let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let parent = if parent.is_empty() {
            String::new()
        } else {
            format!("parent {parent}\n")
        };
        let content = format!(
            "tree {tree}\n{parent}author A <a@example.org> {time} +0000\n\
             committer C <c@example.org> {time} +0000\n\n{subject}\n"
        );
        let id = self.repo.object(content.as_bytes());
        self.repo.git(&["update-ref", "refs/heads/main", &id]);
        id
    }

    /// A commit at noon, signed by `name`.
    fn signed(&self, subject: &str, name: &str) -> String {
        self.commit(subject, NOON);
        self.repo.sign(&self.keys, name)
    }

    fn verify(&self, deployed: Option<&str>, commit: &str) -> Verified {
        let scratch = self.directory.path().join("scratch");
        let trust = Trust {
            keys: &self.ring,
            verify: &self.verify,
            now: self.now,
            scratch: &scratch,
        };
        let verified = verify(&open(&self.repo.0).unwrap(), deployed, commit, &trust).unwrap();
        let left = fs::read_dir(&scratch).map_or(0, Iterator::count);
        assert_eq!(left, 0, "scratch files stay");
        verified
    }

    /// Asserts that `commit` is signed by `name`.
    #[track_caller]
    fn accepts(&self, deployed: Option<&str>, commit: &str, signer: &str) {
        let verified = self.verify(deployed, commit);
        assert_eq!(verified.refusal, None);
        assert_eq!(verified.findings, []);
        let found = verified.signer.unwrap_or_default();
        assert!(found.contains(signer), "{found}");
    }

    /// Asserts that `commit` is refused for what a finding of `rule` says with these words.
    #[track_caller]
    fn refuses(&self, deployed: Option<&str>, commit: &str, rule: &str, words: &str) {
        let verified = self.verify(deployed, commit);
        let [finding, ..] = verified.findings.as_slice() else {
            panic!("{verified:?}")
        };
        assert_eq!(finding.severity, Severity::Error);
        assert_eq!(finding.rule, rule, "{finding:?}");
        assert!(finding.message.contains(words), "{finding:?}");
        assert!(finding.help.is_some(), "{finding:?}");
        let refusal = verified.refusal.unwrap();
        assert!(refusal.contains(words), "{refusal}");
    }
}
