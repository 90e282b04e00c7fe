//! What of a tenant differs from its current generation without a new revision: facts of the host in, [`Item`]s out.
//!
//! - [`units()`], [`files()`], [`links()`], [`rules()`], [`slice()`]: one comparison each. Whoever observes gives what was looked at.
//! - [`Item`] says what differs, what was expected, and how it is put right: [`Remedy`].
//! - [`repair`] adds the steps that put items right to a plan.

mod files;
mod item;
pub mod limits;
mod links;
mod repair;
mod rules;
mod slice;
#[cfg(test)]
mod tests;
mod units;

pub use files::{FileFact, Found, Place, files};
pub use item::{How, Item, Key, Remedy, What};
pub use links::{Bridge, ExpectedLinks, Interfaces, Link, Port, links};
pub use repair::repair;
pub use rules::{Tables, rendered, rules, tables};
pub use slice::{Stranger, slice};
pub use units::{Activity, Override, OverrideKind, Units, overrides, units};
