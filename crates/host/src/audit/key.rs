//! The key that signs the trail: ed25519, made on the host, which it never leaves.
//!
//! `/var/lib/bitbuilder/audit/key`, readable by root alone: sealed where the host can (systemd-creds: host key, TPM), else
//! as ssh-keygen writes it. `allowed_signers` beside it has the public keys, present and past, in the form that Git and
//! ssh-keygen read.

use super::AuditError;
use crate::atomic;
use crate::disk;
use crate::host::Host;
use crate::paths::HostRoot;
use crate::source::propose::hostname;
use ssh_key::private::{Ed25519Keypair, KeypairData};
use ssh_key::{HashAlg, LineEnding, PrivateKey};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use ssh_key::PublicKey;

/// Name that the key is sealed under.
const SEALED_AS: &str = "bitbuilder.audit-key";
/// How a key begins that is not sealed.
const PLAIN: &[u8] = b"-----BEGIN OPENSSH PRIVATE KEY-----";
/// Namespace of the signatures of commits, git-config(1) `gpg.format`.
pub(super) const NAMESPACE: &str = "git";

/// A private key with its place.
pub(super) struct Key {
    private: PrivateKey,
}

/// Which key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Which {
    /// The one in use.
    Present,
    /// The one that a rotation is about to bring in.
    Next,
}

impl Which {
    pub(super) fn path(self, root: &HostRoot) -> PathBuf {
        root.audit().join(match self {
            Self::Present => "key",
            Self::Next => "key.next",
        })
    }
}

impl Key {
    /// The key; `None` when there is none yet.
    pub(super) fn read(host: &dyn Host, which: Which) -> Result<Option<Self>, AuditError> {
        let path = which.path(host.root());
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        if text.starts_with(PLAIN) {
            return Self::parse(&path, &text).map(Some);
        }
        Self::parse(&path, &host.decrypt(SEALED_AS, &text)?).map(Some)
    }

    /// Makes one and keeps it as `which`.
    pub(super) fn make(host: &dyn Host, which: Which) -> Result<Self, AuditError> {
        let path = which.path(host.root());
        let pair = Ed25519Keypair::from_seed(&host.random()?);
        let comment = format!("audit@{}", hostname(host.root()));
        let private = PrivateKey::new(KeypairData::Ed25519(pair), comment);
        let private = private.map_err(invalid(&path))?;
        let text = private.to_openssh(LineEnding::LF).map_err(invalid(&path))?;
        let sealed = host.encrypt(SEALED_AS, text.as_bytes())?;
        let content = sealed.as_deref().unwrap_or(text.as_bytes());
        atomic::write(&path, content, 0o600)?;
        Ok(Self { private })
    }

    /// The next key becomes the present one.
    pub(super) fn promote(root: &HostRoot) -> Result<(), AuditError> {
        disk::rename(&Which::Next.path(root), &Which::Present.path(root))?;
        Ok(disk::sync_directory(&root.audit())?)
    }

    /// A next key that nothing was ever signed about goes.
    pub(super) fn discard_next(root: &HostRoot) -> Result<(), AuditError> {
        atomic::remove(&Which::Next.path(root))?;
        Ok(())
    }

    pub(super) fn public(&self) -> &PublicKey {
        self.private.public_key()
    }

    /// A signature of `payload` as Git keeps it in a commit.
    pub(super) fn sign(&self, payload: &[u8]) -> Result<String, ssh_key::Error> {
        let signature = self.private.sign(NAMESPACE, HashAlg::Sha512, payload)?;
        signature.to_pem(LineEnding::LF)
    }

    fn parse(path: &Path, text: &[u8]) -> Result<Self, AuditError> {
        let private = PrivateKey::from_openssh(text).map_err(invalid(path))?;
        Ok(Self { private })
    }
}

/// The public keys of this host, oldest first; none before the first record.
///
/// # Errors
/// When the file is unreadable.
pub fn public_keys(root: &HostRoot) -> Result<Vec<PublicKey>, AuditError> {
    let path = allowed_signers(root);
    match read(&path)? {
        Some(text) => parse_keys(&path, &String::from_utf8_lossy(&text)),
        None => Ok(Vec::new()),
    }
}

/// `/var/lib/bitbuilder/audit/allowed_signers`.
pub fn allowed_signers(root: &HostRoot) -> PathBuf {
    root.audit().join("allowed_signers")
}

/// Adds a key to those that the host says are its own.
pub(super) fn publish(root: &HostRoot, key: &PublicKey) -> Result<(), AuditError> {
    let path = allowed_signers(root);
    let mut keys = public_keys(root)?;
    if keys.iter().any(|known| known.key_data() == key.key_data()) {
        return Ok(());
    }
    keys.push(key.clone());
    let lines: Result<Vec<String>, AuditError> =
        keys.iter().map(|key| signer_line(&path, key)).collect();
    atomic::write(&path, lines?.concat().as_bytes(), 0o644)?;
    Ok(())
}

/// One line of an allowed signers file, ssh-keygen(1).
fn signer_line(path: &Path, key: &PublicKey) -> Result<String, AuditError> {
    let text = key.to_openssh().map_err(invalid(path))?;
    let principal = match key.comment() {
        "" => "audit",
        comment => comment,
    };
    Ok(format!("{principal} namespaces=\"{NAMESPACE}\" {text}\n"))
}

/// Public keys of a file: lines of an allowed signers file, or keys as `ssh-keygen` writes them.
///
/// # Errors
/// When a line has no ed25519 key.
pub fn parse_keys(path: &Path, text: &str) -> Result<Vec<PublicKey>, AuditError> {
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let at = line.find("ssh-ed25519 ").unwrap_or(0);
            PublicKey::from_openssh(&line[at..]).map_err(invalid(path))
        })
        .collect()
}

/// Who a key is, as `ssh-keygen -l` prints it.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, AuditError> {
    match fs::read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(crate::host::HostError::file(path)(error).into()),
    }
}

fn invalid(path: &Path) -> impl Fn(ssh_key::Error) -> AuditError + '_ {
    move |error| AuditError::Key {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
