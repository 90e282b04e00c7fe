//! The tree of a commit, without a checkout.

use super::{Content, File, LONGEST_TARGET, Visit, Visitor, checked_path, checked_target};
use crate::source::error::SourceError;
use crate::source::limits::Budget;
use crate::source::repository::{Repository, intact};
use gix::ObjectId;
use gix::objs::tree::{EntryKind, EntryRef};
use std::collections::HashSet;
use std::io::Read;

/// Bytes of one tree object: more than 10,000 of the longest names need.
const LARGEST_TREE: u64 = 4 << 20;

/// Calls `visitor` for everything below the tree `root`.
pub(in crate::source) fn walk_tree(
    repository: &Repository,
    root: ObjectId,
    budget: &mut Budget<'_>,
    visitor: &mut dyn Visitor,
) -> Result<(), SourceError> {
    let mut walk = Walk {
        repository: &repository.inner,
        budget,
        visitor,
    };
    walk.directory(root, "", 0)
}

struct Walk<'w, 'l> {
    repository: &'w gix::Repository,
    budget: &'w mut Budget<'l>,
    visitor: &'w mut dyn Visitor,
}

impl Walk<'_, '_> {
    fn directory(&mut self, id: ObjectId, path: &str, depth: usize) -> Result<(), SourceError> {
        let Some(data) = self.tree_object(id, path)? else {
            return Ok(());
        };
        self.visitor
            .visit(path, Visit::Enter(Some(id)), self.budget)?;
        let mut names = HashSet::new();
        for entry in gix::objs::TreeRefIter::from_bytes(&data, id.kind()) {
            let entry = entry.map_err(SourceError::object(id))?;
            if !self.budget.entry(path)? {
                return Ok(());
            }
            let Some(path) = checked_path(path, entry.filename, self.budget) else {
                continue;
            };
            if names.insert(entry.filename) {
                self.entry(entry, &path, depth + 1)?;
            } else {
                self.budget
                    .refuse(&path, "hostile-name", "the name occurs twice");
            }
            if self.budget.is_spent() {
                return Ok(());
            }
        }
        self.visitor.visit(path, Visit::Leave, self.budget)
    }

    fn entry(&mut self, entry: EntryRef<'_>, path: &str, depth: usize) -> Result<(), SourceError> {
        let id = entry.oid.to_owned();
        match entry.mode.kind() {
            EntryKind::Tree if self.budget.depth(path, depth) => self.directory(id, path, depth),
            EntryKind::Tree => Ok(()),
            EntryKind::Commit => self.visitor.visit(path, Visit::Submodule, self.budget),
            EntryKind::Link => self.link(id, path),
            EntryKind::Blob => self.file(id, path, false),
            EntryKind::BlobExecutable => self.file(id, path, true),
        }
    }

    fn file(&mut self, id: ObjectId, path: &str, executable: bool) -> Result<(), SourceError> {
        let size = self.size(id, gix::object::Kind::Blob)?;
        if !self.budget.file(path, size) {
            return Ok(());
        }
        let mut content = BlobContent {
            repository: self.repository,
            id,
        };
        let file = File {
            size,
            executable,
            id: Some(id),
            content: &mut content,
        };
        self.visitor.visit(path, Visit::File(file), self.budget)
    }

    fn link(&mut self, id: ObjectId, path: &str) -> Result<(), SourceError> {
        let target = if self.size(id, gix::object::Kind::Blob)? > LONGEST_TARGET {
            Vec::new()
        } else {
            blob(self.repository, id)?
        };
        let target = checked_target(path, &target, self.budget);
        self.visitor
            .visit(path, Visit::Symlink(target), self.budget)
    }

    /// The bytes of a tree, unless it is unreasonably large.
    fn tree_object(&mut self, id: ObjectId, path: &str) -> Result<Option<Vec<u8>>, SourceError> {
        if self.size(id, gix::object::Kind::Tree)? > LARGEST_TREE {
            let message = "the directory has too many entries".to_owned();
            self.budget.exhaust(path, "too-many-entries", message);
            return Ok(None);
        }
        let tree = self
            .repository
            .find_tree(id)
            .map_err(SourceError::object(id))?;
        let data = tree.detached().data;
        intact(gix::object::Kind::Tree, id, &data)?;
        Ok(Some(data))
    }

    /// Size of an object that must be a `kind`, without reading it.
    fn size(&self, id: ObjectId, kind: gix::object::Kind) -> Result<u64, SourceError> {
        let header = self
            .repository
            .find_header(id)
            .map_err(SourceError::object(id))?;
        if header.kind() != kind {
            let message = format!("is a {}, not a {kind}", header.kind());
            return Err(SourceError::object(id)(message));
        }
        Ok(header.size())
    }
}

struct BlobContent<'r> {
    repository: &'r gix::Repository,
    id: ObjectId,
}

impl Content for BlobContent<'_> {
    fn reader(&mut self) -> Result<Box<dyn Read + '_>, SourceError> {
        let content = blob(self.repository, self.id)?;
        Ok(Box::new(std::io::Cursor::new(content)))
    }
}

fn blob(repository: &gix::Repository, id: ObjectId) -> Result<Vec<u8>, SourceError> {
    let blob = repository.find_blob(id);
    let data = blob.map_err(SourceError::object(id))?.take_data();
    intact(gix::object::Kind::Blob, id, &data)?;
    Ok(data)
}
