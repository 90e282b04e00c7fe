//! A whole tree as values.

use super::commit::{object_id, read_commit};
use super::error::SourceError;
use super::limits::{Budget, TreeLimits};
use super::repository::Repository;
use super::walk::{File, Visit, Visitor, walk_directory, walk_tree};
use bitbuilder_core::document::is_document;
use bitbuilder_core::finding::{Checked, Finding};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use gix::ObjectId;
use gix::objs::tree::{Entry as GitEntry, EntryKind};
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

/// A tree that was read, and what is wrong with it before any document is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Everything that could be read; complete unless there are findings.
    pub tree: Tree,
    /// Reached limits and hostile names, sorted by place.
    pub findings: Vec<Finding>,
}

impl Reading {
    /// The tree only if nothing is wrong with it.
    pub fn checked(self) -> Checked<Tree> {
        Checked::new(Some(self.tree), self.findings)
    }
}

/// Reads the tree of `commit` (a full hexadecimal id), without a checkout.
///
/// Submodules and links are entries, never followed; attributes and filters have no effect.
///
/// # Errors
/// When an object is missing or damaged, or the time limit is reached. Other limits are findings.
pub fn read_tree(
    repository: &Repository,
    commit: &str,
    limits: &TreeLimits,
) -> Result<Reading, SourceError> {
    let root = object_id(&read_commit(repository, commit)?.tree)?;
    let mut budget = Budget::new(limits);
    let mut collector = Collector::default();
    walk_tree(repository, root, &mut budget, &mut collector)?;
    Ok(collector.reading(budget))
}

/// Reads a plain directory as if it had been committed; `.git` is left out, links are not followed, and FIFOs, sockets
/// and devices are not opened. Directories have the tree ids that Git would give them.
///
/// # Errors
/// When something cannot be read, or the time limit is reached. Other limits are findings.
pub fn read_directory(path: &Path, limits: &TreeLimits) -> Result<Reading, SourceError> {
    let mut budget = Budget::new(limits);
    let mut hasher = Hasher::default();
    walk_directory(path, &mut budget, &mut hasher)?;
    Ok(hasher.collector.reading(budget))
}

/// Collects entries; loads documents.
#[derive(Default)]
struct Collector {
    tree: Tree,
    documents: u64,
}

impl Collector {
    fn reading(self, budget: Budget<'_>) -> Reading {
        let mut findings = budget.findings;
        findings.sort();
        findings.dedup();
        Reading {
            tree: self.tree,
            findings,
        }
    }

    /// Adds a file; returns its content if it was loaded.
    fn file(
        &mut self,
        path: &str,
        file: &mut File<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Arc<[u8]>>, SourceError> {
        let content = if file.size > budget.limits.document || !is_document(path) {
            None
        } else {
            self.document(path, file, budget)?
        };
        let blob = Blob {
            size: file.size,
            executable: file.executable,
            oid: file.id.map(|id| id.to_string()).unwrap_or_default(),
            content: content.clone(),
        };
        self.tree.entries.insert(path.to_owned(), Entry::File(blob));
        Ok(content)
    }

    fn document(
        &mut self,
        path: &str,
        file: &mut File<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<Option<Arc<[u8]>>, SourceError> {
        self.documents += file.size;
        if self.documents > budget.limits.documents {
            let message = format!(
                "the repository has more than {} bytes of documents; data belongs in rootfs-overlay/, extensions/ or services/",
                budget.limits.documents
            );
            budget.exhaust(path, "documents-too-large", message);
            return Ok(None);
        }
        let mut bytes = Vec::new();
        let mut reader = file.content.reader()?.take(budget.limits.document);
        reader
            .read_to_end(&mut bytes)
            .map_err(SourceError::file(Path::new(path)))?;
        file.size = bytes.len() as u64;
        Ok(Some(bytes.into()))
    }

    fn other(&mut self, path: &str, entry: Entry) {
        self.tree.entries.insert(path.to_owned(), entry);
    }

    fn directory(&mut self, path: &str, id: ObjectId) {
        if !path.is_empty() {
            self.tree
                .directories
                .insert(path.to_owned(), id.to_string());
        }
    }
}

impl Visitor for Collector {
    fn visit(
        &mut self,
        path: &str,
        visit: Visit<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), SourceError> {
        match visit {
            Visit::Enter(Some(id)) => self.directory(path, id),
            Visit::Enter(None) | Visit::Leave => {}
            Visit::File(mut file) => {
                self.file(path, &mut file, budget)?;
            }
            Visit::Symlink(target) => self.other(path, Entry::Symlink(target)),
            Visit::Submodule => self.other(path, Entry::Submodule),
            Visit::Special => self.other(path, Entry::Special),
        }
        Ok(())
    }
}

/// Collects entries and computes the ids that Git would give the directories.
#[derive(Default)]
struct Hasher {
    collector: Collector,
    /// Entries of the directories that are being read, the innermost last.
    open: Vec<Vec<GitEntry>>,
}

impl Hasher {
    fn add(&mut self, path: &str, kind: EntryKind, oid: ObjectId) {
        let name = path.rsplit('/').next().unwrap_or(path);
        if let Some(directory) = self.open.last_mut() {
            directory.push(GitEntry {
                mode: kind.into(),
                filename: name.into(),
                oid,
            });
        }
    }

    fn file(
        &mut self,
        path: &str,
        mut file: File<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), SourceError> {
        let content = self.collector.file(path, &mut file, budget)?;
        let id = match content {
            Some(bytes) => hash(gix::object::Kind::Blob, &bytes),
            None => hash_stream(&mut file),
        };
        let kind = if file.executable {
            EntryKind::BlobExecutable
        } else {
            EntryKind::Blob
        };
        self.add(path, kind, id.map_err(SourceError::object(path))?);
        Ok(())
    }

    fn leave(&mut self, path: &str) -> Result<(), SourceError> {
        let mut entries = self.open.pop().unwrap_or_default();
        // Git has no empty directories.
        if entries.is_empty() {
            return Ok(());
        }
        entries.sort();
        let mut bytes = Vec::new();
        gix::objs::WriteTo::write_to(&gix::objs::Tree { entries }, &mut bytes)
            .map_err(SourceError::object(path))?;
        let id = hash(gix::object::Kind::Tree, &bytes).map_err(SourceError::object(path))?;
        self.collector.directory(path, id);
        self.add(path, EntryKind::Tree, id);
        Ok(())
    }
}

impl Visitor for Hasher {
    fn visit(
        &mut self,
        path: &str,
        visit: Visit<'_>,
        budget: &mut Budget<'_>,
    ) -> Result<(), SourceError> {
        match visit {
            Visit::Enter(_) => self.open.push(Vec::new()),
            Visit::Leave => self.leave(path)?,
            Visit::File(file) => self.file(path, file, budget)?,
            Visit::Symlink(target) => {
                let id = hash(gix::object::Kind::Blob, target.as_bytes())
                    .map_err(SourceError::object(path))?;
                self.add(path, EntryKind::Link, id);
                self.collector.other(path, Entry::Symlink(target));
            }
            other @ (Visit::Submodule | Visit::Special) => {
                self.collector.visit(path, other, budget)?;
            }
        }
        Ok(())
    }
}

fn hash(kind: gix::object::Kind, bytes: &[u8]) -> Result<ObjectId, String> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, kind, bytes).map_err(|e| e.to_string())
}

fn hash_stream(file: &mut File<'_>) -> Result<ObjectId, String> {
    let size = file.size;
    let mut reader = file.content.reader().map_err(|e| e.to_string())?;
    gix::objs::compute_stream_hash(
        gix::hash::Kind::Sha1,
        gix::object::Kind::Blob,
        &mut reader,
        size,
        &mut gix::progress::Discard,
        &std::sync::atomic::AtomicBool::new(false),
    )
    .map_err(|e| e.to_string())
}
