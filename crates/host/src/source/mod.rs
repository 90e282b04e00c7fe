//! Where revisions come from: mirrors of remote repositories, embedded repositories that accept pushes, and the tree of
//! a commit as values. Fetching runs git; everything else reads in-process, without a checkout.
//!
//! - [`Mirror`], [`fetch()`], [`LocalRemote`]: a bare mirror and one look at its remote, or at a local remote alone.
//! - [`RefFiles`]: whether a local remote's branches have moved at all.
//! - [`open`], [`resolve_ref`], [`is_descendant`]: a repository's commits. [`signed_commit`], [`first_parents`]: what was
//!   signed, and which commits are new.
//! - [`read_file`]: one file. [`read_tree`], [`read_directory`]: all entries within [`TreeLimits`], as a [`Reading`].
//! - [`export_layer`], [`export_directory`]: a directory of a tree as files on the host.
//! - [`embedded`], [`quarantine`]: repositories that accept pushes, and what a push brings before it is accepted.
//! - [`propose`]: a commit of our own, pushed.
//!
//! Never used: hooks, filters, LFS, `.gitattributes`, submodules, alternates, replace refs, a checkout.

mod commit;
pub mod embedded;
mod error;
mod fetch;
mod file;
mod layer;
mod limits;
mod local;
mod mirror;
mod names;
pub mod propose;
pub mod quarantine;
mod ref_files;
mod refs;
mod repository;
mod signed;
mod sweep;
mod tree;
mod url;
mod walk;

pub use commit::{Commit, is_descendant, read_commit, resolve_ref};
pub use error::SourceError;
pub use fetch::{Fetched, fetch, fetch_with};
pub use file::read_file;
pub use layer::{Chown, Export, export_directory, export_layer};
pub use limits::TreeLimits;
pub use local::{LocalRefs, LocalRemote, local_refs};
pub use mirror::Mirror;
pub(crate) use mirror::create_bare;
pub use ref_files::RefFiles;
pub use repository::{Repository, open};
pub use signed::{SignedCommit, first_parents, signed_commit};
pub use tree::{Reading, read_directory, read_tree};
pub use url::RemoteUrl;

#[cfg(test)]
mod tests;
