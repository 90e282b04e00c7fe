//! `.gitops/signers/`: keys and certificates of those who may sign commits.

use super::repository::Repository;
use crate::signature::{Certificate, KeyRing, allowed_signers, revoked_signers};

const DIRECTORY: &str = ".gitops/signers/";
const ARMOR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Whether a file of the directory is read.
pub(crate) fn is_read(name: &str) -> bool {
    matches!(name, "allowed_signers" | "revoked_signers") || is_certificate(name)
}

fn is_certificate(name: &str) -> bool {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension);
    matches!(extension, Some("asc" | "pgp" | "openpgp"))
}

/// The keys of the system repository.
pub(crate) fn signers(repository: &mut Repository<'_>) -> KeyRing {
    let mut ring = KeyRing::default();
    let tree = repository.tree;
    let paths = tree
        .entries
        .range(DIRECTORY.to_owned()..)
        .map(|(path, _)| path);
    for path in paths.take_while(|path| path.starts_with(DIRECTORY)) {
        let name = &path[DIRECTORY.len()..];
        if !is_read(name) || name.contains('/') {
            continue;
        }
        let Some(text) = repository.text(path) else {
            continue;
        };
        match name {
            "allowed_signers" => {
                ring.allowed = allowed_signers(path, text, &mut repository.findings);
            }
            "revoked_signers" => {
                ring.revoked = revoked_signers(path, text, &mut repository.findings);
            }
            _ if text.contains(ARMOR) => ring.certificates.push(Certificate {
                name: name.split('.').next().unwrap_or_default().to_owned(),
                armor: text.to_owned(),
            }),
            _ => repository.whole_file(
                path,
                "signers",
                "this is no OpenPGP certificate in ASCII armor",
                "write what `gpg --armor --export NAME` prints",
            ),
        }
    }
    ring
}
