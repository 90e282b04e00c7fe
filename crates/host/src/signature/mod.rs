//! Signatures of commits: which commits have to be signed, whether the signatures are good, and by whom they are.
//!
//! - [`verify()`]: every commit on the first-parent path since the deployed one, judged with the keys of the host.
//! - `ssh`: OpenSSH's signatures, in this process. `openpgp`: by the program sqv, shut in.
//! - [`voa`]: the keys that the host itself has, below /etc/voa and its like.

mod certificate;
mod openpgp;
mod ssh;
mod verify;
pub mod voa;

pub use openpgp::VERIFIER;
pub use verify::{Trust, Verified, verify};

#[cfg(test)]
pub(crate) mod tests;
