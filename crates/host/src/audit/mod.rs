//! The audit trail: what was done on this host, by whom, in records that hold each other.
//!
//! - [`Entry`]: what a record says. Each is a commit of `/var/lib/bitbuilder/audit.git`, signed with the host's audit
//!   key as Git signs commits, with the record before as its parent.
//! - [`record`]: adds one. [`rotate_key`]: from here on another key signs. What is done under the host's lock is an
//!   [`act()`], which is on the disk before its effects. [`waiting`]: how many records the trail does not have yet.
//! - [`newest`]: reads them. [`verify`]: whether nothing was removed, edited or put in another order; on any machine,
//!   with public keys alone.

mod act;
mod commit;
mod entry;
mod error;
mod key;
mod read;
mod refusals;
#[cfg(test)]
mod tests;
mod trail;
mod verify;
mod waiting;

pub(crate) use act::{act, ahead, note};
pub use entry::{Command, Draft, Entry, Event, Who};
pub use error::AuditError;
pub use key::{PublicKey, allowed_signers, fingerprint, parse_keys, public_keys};
pub use read::{Sealed, newest};
pub use verify::{Verified, verify};

use crate::host::Host;
use crate::paths::HostRoot;
use trail::Trail;

/// Adds a record. One that cannot be written now waits, and the next writer adds it.
pub fn record(host: &dyn Host, draft: Draft) {
    let write = || {
        let mut trail = Trail::open(host)?;
        waiting::settle(host, &mut trail)?;
        trail.write(draft.clone())
    };
    if write().is_err() {
        waiting::keep(host.root(), &draft);
    }
}

/// Adds what waits.
fn settle(host: &dyn Host) {
    // What cannot be added goes on waiting; [`waiting`] tells.
    let _ = Trail::open(host).and_then(|mut trail| waiting::settle(host, &mut trail));
}

/// Makes another key; the record of it, which `draft` begins, is the last one that the old key signs.
///
/// # Errors
/// When it cannot be made, or the record of it cannot be written.
pub fn rotate_key(host: &dyn Host, draft: Draft) -> Result<(), AuditError> {
    Trail::open(host)?.rotate(draft)
}

/// How many records are not in the trail, because it could not be written.
///
/// # Errors
/// When that cannot be found out.
pub fn waiting(root: &HostRoot) -> Result<usize, AuditError> {
    waiting::count(root)
}

/// How many records the trail has.
///
/// # Errors
/// When it cannot be read, or no more records can be written: the reason why they wait.
pub fn check(host: &dyn Host) -> Result<u64, AuditError> {
    Trail::open(host)?.check()
}
