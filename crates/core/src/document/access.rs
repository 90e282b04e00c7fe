//! What opens a repository, and what a forge signs with: files of the system repository, secrets only as ciphertext.

use super::decode::{At, Cx, written};
use super::facts::Facts;
use super::scalar::{GitUrl, RepoPath};
use super::workload::{CredentialDoc, is_ciphertext};
use crate::model::Access;
use crate::tree::{Entry, Tree};

written! {
    /// What opens a repository. Files are those of the system repository.
    struct AccessDoc {
        /// Private key for ssh, in ciphertext.
        optional "sshKey" ssh_key: CredentialDoc,
        /// Host keys for ssh, as in known_hosts; those that the host knows by default.
        optional "knownHosts" known_hosts: RepoPath,
        /// `user:token` or a token for https, in ciphertext.
        optional "token" token: CredentialDoc,
        /// Certificate authorities for https, PEM; those of the host by default.
        optional "ca" ca: RepoPath,
    }
}

/// What opens the repository at `url`.
pub(crate) fn access(
    doc: At<AccessDoc>,
    url: Option<&At<GitUrl>>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Access {
    let doc = doc.value;
    let transport = url.map(|url| transport(&url.value.0));
    let mut only = |span, key: &str, wanted: &str| {
        if let Some(transport) = transport.filter(|transport| *transport != wanted) {
            let message =
                format!("`{key}` is for {wanted}, and the repository is read by {transport}");
            cx.error_help(span, "access", message, "remove it".to_owned());
        }
    };
    if let Some(key) = &doc.ssh_key {
        only(key.span, "sshKey", "ssh");
    }
    if let Some(hosts) = &doc.known_hosts {
        only(hosts.span, "knownHosts", "ssh");
    }
    if let Some(token) = &doc.token {
        only(token.span, "token", "https");
    }
    if let Some(ca) = &doc.ca {
        only(ca.span, "ca", "https");
    }
    let mut public = |path: Option<At<RepoPath>>, marker: &str, what: &str| {
        let path = path?;
        let found = facts.file(&path, cx)?;
        if !has_line(facts.tree, &found, marker) {
            let message = format!("`{found}` holds no {what}");
            cx.error_help(path.span, "access", message, None);
        }
        Some(found)
    };
    let known_hosts = public(doc.known_hosts, "", "host key as ssh-keyscan prints it");
    let ca = public(doc.ca, "-----BEGIN CERTIFICATE-----", "certificate in PEM");
    Access {
        ssh_key: secret(doc.ssh_key, facts, cx),
        known_hosts,
        token: secret(doc.token, facts, cx),
        ca,
    }
}

/// The file of a secret. Its name is that of the credential: `systemd-creds encrypt` takes it from there.
pub(crate) fn secret(
    doc: Option<At<CredentialDoc>>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<String> {
    let file = doc?.value.encrypted?;
    let found = facts.file(&file, cx)?;
    if !is_ciphertext(&found, facts) {
        let message = format!("`{found}` is not the output of systemd-creds");
        let help = format!("run `systemd-creds encrypt PLAIN {found}` on the host");
        cx.error_help(file.span, "plain-credential", message, help);
    }
    Some(found)
}

/// Whether a line of the file begins with `marker` and is no comment; never one of a private key.
fn has_line(tree: &Tree, path: &str, marker: &str) -> bool {
    let Some(Entry::File(blob)) = tree.entries.get(path) else {
        return false;
    };
    let content = blob.content.as_deref().unwrap_or_default();
    let text = String::from_utf8_lossy(content);
    let line = |line: &str| {
        let line = line.trim();
        !line.is_empty() && !line.starts_with('#') && line.starts_with(marker)
    };
    text.lines().any(line) && !text.contains("PRIVATE KEY")
}

/// How a repository is read.
fn transport(url: &str) -> &'static str {
    match url.split_once("://") {
        Some(("https", _)) => "https",
        Some(("file", _)) => "a path",
        None if url.starts_with('/') => "a path",
        _ => "ssh",
    }
}
