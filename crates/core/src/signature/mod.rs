//! Who may sign commits, and what a signature is worth: texts and facts in, a verdict out. Cryptography is the host's.
//!
//! - [`allowed_signers`] and [`revoked_signers`] read lists of keys, [`KeyRing`] is all that a host trusts.
//! - [`judge_ssh`], [`judge_openpgp`]: whether who signed may sign, as [`Signer`] or as the [`Problem`].

mod allowed;
mod judge;
mod key;
mod line;
mod pattern;
mod problem;
mod revoked;
mod ring;
mod time;

pub use allowed::{AllowedSigner, allowed_signers};
pub use judge::{Facts, NAMESPACE, Signer, judge_openpgp, judge_ssh};
pub use key::{Key, decode_base64};
pub use pattern::Patterns;
pub use problem::Problem;
pub use revoked::revoked_signers;
pub use ring::{Certificate, KeyRing};
pub use time::text as time_text;

#[cfg(test)]
mod tests;
