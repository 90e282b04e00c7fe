//! How much of a repository is read.

use super::error::SourceError;
use bitbuilder_core::finding::{Finding, Origin};
use std::time::{Duration, Instant};

/// Limits of one tree. All but `time` are findings when reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeLimits {
    /// Entries, directories included.
    pub entries: usize,
    /// Nesting of directories.
    pub depth: usize,
    /// Bytes of all files together.
    pub bytes: u64,
    /// Bytes of one file.
    pub file: u64,
    /// Bytes of a document; the content of a larger file is not read.
    pub document: u64,
    /// Bytes of all documents together, which are kept in memory.
    pub documents: u64,
    /// Time.
    pub time: Duration,
}

impl Default for TreeLimits {
    /// 10,000 entries, depth 64, 2 GiB, files of 256 MiB, documents of 1 MiB (64 MiB together), 10 s.
    fn default() -> Self {
        Self {
            entries: 10_000,
            depth: 64,
            bytes: 2 << 30,
            file: super::repository::LARGEST_OBJECT,
            document: 1 << 20,
            documents: 64 << 20,
            time: Duration::from_secs(10),
        }
    }
}

/// What is left of the limits during a walk, and what was found.
pub(super) struct Budget<'l> {
    pub(super) limits: &'l TreeLimits,
    pub(super) findings: Vec<Finding>,
    entries: usize,
    bytes: u64,
    started: Instant,
    spent: bool,
}

impl<'l> Budget<'l> {
    pub(super) fn new(limits: &'l TreeLimits) -> Self {
        Self {
            limits,
            findings: Vec::new(),
            entries: 0,
            bytes: 0,
            started: Instant::now(),
            spent: false,
        }
    }

    /// Whether the walk must end: a limit of the whole tree is reached.
    pub(super) fn is_spent(&self) -> bool {
        self.spent
    }

    /// Entries that may still come.
    pub(super) fn entries_left(&self) -> usize {
        self.limits.entries.saturating_sub(self.entries)
    }

    /// Counts an entry; false when it is one too many.
    pub(super) fn entry(&mut self, path: &str) -> Result<bool, SourceError> {
        if self.started.elapsed() > self.limits.time {
            return Err(SourceError::TimeLimit {
                what: format!("the tree ({path})"),
                limit: self.limits.time,
            });
        }
        self.entries += 1;
        if self.entries > self.limits.entries {
            let message = format!(
                "the repository has more than {} entries",
                self.limits.entries
            );
            self.exhaust(path, "too-many-entries", message);
        }
        Ok(!self.spent)
    }

    /// Whether a directory at `depth` (the root is 0) may be entered.
    pub(super) fn depth(&mut self, path: &str, depth: usize) -> bool {
        if depth <= self.limits.depth {
            return true;
        }
        // The path is long by nature: its head is enough to find it.
        let head = path.chars().take(200).collect::<String>();
        let message = format!(
            "directories are nested more than {} deep",
            self.limits.depth
        );
        self.refuse(&head, "tree-too-deep", message);
        false
    }

    /// Counts a file; false when it is too large or one too many.
    pub(super) fn file(&mut self, path: &str, size: u64) -> bool {
        if size > self.limits.file {
            let message = format!(
                "the file has {size} bytes; at most {} are allowed",
                self.limits.file
            );
            self.refuse(path, "file-too-large", message);
            return false;
        }
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.bytes {
            let message = format!(
                "the repository has more than {} bytes of files",
                self.limits.bytes
            );
            self.exhaust(path, "tree-too-large", message);
        }
        !self.spent
    }

    /// Records an error and ends the walk.
    pub(super) fn exhaust(&mut self, path: &str, rule: &str, message: String) {
        if !self.spent {
            self.spent = true;
            self.refuse(path, rule, message);
        }
    }

    /// Records an error.
    pub(super) fn refuse(&mut self, path: &str, rule: &str, message: impl Into<String>) {
        self.findings
            .push(Finding::error(Origin::file(path), rule, message));
    }
}
