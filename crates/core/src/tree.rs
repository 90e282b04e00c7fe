//! A repository at one commit, as values: what `source` read and `document` checks.

use std::collections::BTreeMap;
use std::sync::Arc;

/// All entries of a repository tree, by path relative to its root (`containers/web/config.yaml`).
///
/// Paths are as Git stores them: separated by `/`, no leading slash. They may still be hostile
/// (control characters, `..`); `document` checks them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// The entries; directories exist only through what they hold.
    pub entries: BTreeMap<String, Entry>,
    /// Git object ids of the directories, by path, for content-addressed layers.
    pub directories: BTreeMap<String, String>,
}

/// One blob, link or foreign entry of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(Blob),
    /// A symbolic link with its target, as stored.
    Symlink(String),
    /// A submodule: never followed, always a finding.
    Submodule,
    /// Something Git cannot store but a local directory can hold: a FIFO, socket or device node.
    Special,
}

/// A regular file of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Size in bytes.
    pub size: u64,
    /// The executable bit, the only mode Git keeps.
    pub executable: bool,
    /// Git object id in hex; empty when the tree was read from a plain directory.
    pub oid: String,
    /// The content of a document; `None` for data that only the host copies (overlays, images) and
    /// for documents larger than the limit.
    pub content: Option<Arc<[u8]>>,
}
