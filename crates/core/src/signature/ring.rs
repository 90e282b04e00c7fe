//! All keys that a host knows, wherever they come from.

use super::allowed::AllowedSigner;
use crate::digest::sha256_parts;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Keys that may sign, those that may not any more, and certificates. Who may sign for which tenant is the registry's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct KeyRing {
    /// Keys of OpenSSH.
    pub allowed: Vec<AllowedSigner>,
    /// Fingerprints of keys and certificates that may not sign any more.
    pub revoked: BTreeSet<String>,
    /// OpenPGP certificates.
    pub certificates: Vec<Certificate>,
}

/// An OpenPGP certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Name of its file, without what follows the first dot: a name for it in `signers`.
    pub name: String,
    /// ASCII armor.
    pub armor: String,
}

impl KeyRing {
    /// Both together.
    pub fn extend(&mut self, other: Self) {
        self.allowed.extend(other.allowed);
        self.revoked.extend(other.revoked);
        self.certificates.extend(other.certificates);
    }

    /// Equal for equal rings: what was judged with one is judged again with another.
    pub fn digest(&self) -> String {
        let text = format!("{self:?}");
        sha256_parts([text.as_bytes()])
    }
}
