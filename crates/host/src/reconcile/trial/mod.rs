//! Generations on trial: deployed, and gone by themselves unless somebody confirms them.
//!
//! `current` points at the generation on trial, as at any other that runs. What must not be forgotten is where to go back
//! to: a link `/var/lib/bitbuilder/trials/<id>` points at the confirmed generation for as long as there is a trial, and a
//! mark in `/run/bitbuilder/trial/` says that this start of the host has made it. With the link and without the mark the
//! host was restarted: the generators take the confirmed generation, and `setup-tenant@` makes it current before anything
//! of the tenant starts.
//!
//! - [`try_out`] begins one, [`confirm`] ends it well, [`end_stale`] after a restart; its time and its health are
//!   [`super::watch`]'s affair.
//! - [`branch()`]: the branch that passes try by themselves. [`mark`]: what is on the disk of a trial.

mod begin;
mod branch;
mod confirm;
mod end;
mod mark;

pub use begin::try_out;
pub use branch::branch;
pub(super) use branch::{confirm_merged, follow};
pub use confirm::confirm;
pub(super) use confirm::settle;
pub use end::end_stale;
pub(super) use end::{end_all_stale, forget, over, words};
pub(crate) use mark::until;

use super::PassError;
use crate::source::Repository;
use begin::begin;
use bitbuilder_core::model::{Millis, Name};

/// What is to be tried.
struct Wanted<'a> {
    repository: &'a Repository,
    commit: String,
    /// `None` is the tenant's own.
    reference: Option<&'a str>,
    length: Millis,
}

fn refused(id: &Name, reason: &str) -> PassError {
    PassError::Generation {
        tenant: id.clone(),
        reason: reason.to_owned(),
    }
}
