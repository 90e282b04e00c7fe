//! Immutable, numbered, fully decided directories of a tenant, and the link `current` that points at one of them.
//!
//! - [`write()`] makes a generation beside the others, [`switch`] points `current` at it, [`unlink`] removes the link.
//! - [`read_manifest`], [`read_current`], [`current`], [`list`], [`read_files`] and [`next_number`] read.
//! - [`index`] writes what the generators read of all tenants, [`index_is_stale`] compares.
//! - [`verify()`] compares what is on the disk with the manifest, [`restore`] makes it so again, [`tree_hash`] says what it is. [`prune`] forgets old ones, [`remove`] one that never
//!   became current, [`sweep`] what a crash left.
//!
//! A directory with a number as its name is complete: it got the name by a rename after every byte was on the disk,
//! and loses it by a rename before the first byte goes.

mod forget;
mod index;
mod link;
mod read;
mod verify;
mod write;

pub use forget::{prune, remove, sweep};
pub use index::{index, index_is_stale};
pub use link::{current, switch, unlink};
pub use read::{list, next_number, read_current, read_files, read_manifest};
pub use verify::{Damage, DamageKind, tree_hash, verify};
pub use write::{restore, write};

/// The manifest's name in a generation.
pub const MANIFEST: &str = "generation.json";

/// Name of the directory in which generation `number` is written.
fn unfinished(number: u64) -> String {
    format!(".{number}.tmp")
}

/// Name that generation `number` gets before it is deleted.
fn condemned(number: u64) -> String {
    format!(".{number}.old")
}

#[cfg(test)]
pub(crate) mod tests;
