//! A plain directory, such as a work tree that is being edited. Nothing is followed, and only regular files are opened.

use super::{Content, File, Visit, Visitor, checked_path, checked_target};
use crate::source::error::SourceError;
use crate::source::limits::Budget;
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RawMode, fstat, openat, readlinkat, statat,
};
use std::ffi::{CStr, CString};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// Calls `visitor` for everything below `root`; a link at `root` itself is followed.
pub(in crate::source) fn walk_directory(
    root: &Path,
    budget: &mut Budget<'_>,
    visitor: &mut dyn Visitor,
) -> Result<(), SourceError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory =
        rustix::fs::open(root, flags, Mode::empty()).map_err(SourceError::call(root))?;
    let mut walk = Walk {
        root,
        budget,
        visitor,
    };
    let names = walk.names(&directory, "")?;
    walk.directory(&directory, names, "", 0)
}

struct Walk<'w, 'l> {
    root: &'w Path,
    budget: &'w mut Budget<'l>,
    visitor: &'w mut dyn Visitor,
}

impl Walk<'_, '_> {
    fn directory(
        &mut self,
        directory: &OwnedFd,
        names: Vec<CString>,
        path: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        self.visitor.visit(path, Visit::Enter(None), self.budget)?;
        for name in names {
            // Git's own directory is no part of the tree.
            if name.as_bytes() == b".git" {
                continue;
            }
            if !self.budget.entry(path)? {
                return Ok(());
            }
            if let Some(path) = checked_path(path, name.as_bytes(), self.budget) {
                self.entry(directory, &name, &path, depth + 1)?;
            }
            if self.budget.is_spent() {
                return Ok(());
            }
        }
        self.visitor.visit(path, Visit::Leave, self.budget)
    }

    fn entry(
        &mut self,
        directory: &OwnedFd,
        name: &CStr,
        path: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        // Looked at before it is opened: opening a device can have effects.
        let stat = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(SourceError::call(&self.full(path)))?;
        match FileType::from_raw_mode(stat.st_mode as RawMode) {
            FileType::Directory => self.subdirectory(directory, name, path, depth),
            FileType::RegularFile => self.file(directory, name, path),
            FileType::Symlink => {
                let target = readlinkat(directory, name, Vec::new())
                    .map_err(SourceError::call(&self.full(path)))?;
                let target = checked_target(path, target.as_bytes(), self.budget);
                self.visitor
                    .visit(path, Visit::Symlink(target), self.budget)
            }
            _ => self.visitor.visit(path, Visit::Special, self.budget),
        }
    }

    fn subdirectory(
        &mut self,
        parent: &OwnedFd,
        name: &CStr,
        path: &str,
        depth: usize,
    ) -> Result<(), SourceError> {
        if !self.budget.depth(path, depth) {
            return Ok(());
        }
        let directory = self.open(parent, name, path, OFlags::DIRECTORY)?;
        let names = self.names(&directory, path)?;
        // Git takes a directory that is a repository itself for a submodule.
        if names.iter().any(|name| name.as_bytes() == b".git") {
            return self.visitor.visit(path, Visit::Submodule, self.budget);
        }
        self.directory(&directory, names, path, depth)
    }

    fn file(&mut self, directory: &OwnedFd, name: &CStr, path: &str) -> Result<(), SourceError> {
        let file = self.open(directory, name, path, OFlags::empty())?;
        let stat = fstat(&file).map_err(SourceError::call(&self.full(path)))?;
        if FileType::from_raw_mode(stat.st_mode as RawMode) != FileType::RegularFile {
            return self.visitor.visit(path, Visit::Special, self.budget);
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if !self.budget.file(path, size) {
            return Ok(());
        }
        let mut content = OpenFile {
            file: file.into(),
            size,
        };
        let file = File {
            size,
            executable: stat.st_mode & 0o100 != 0,
            id: None,
            content: &mut content,
        };
        self.visitor.visit(path, Visit::File(file), self.budget)
    }

    /// Opens an entry as it is: neither a link nor a FIFO that was put in its place makes this wait or go elsewhere.
    fn open(
        &self,
        directory: &OwnedFd,
        name: &CStr,
        path: &str,
        kind: OFlags,
    ) -> Result<OwnedFd, SourceError> {
        let flags =
            OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        openat(directory, name, flags | kind, Mode::empty())
            .map_err(SourceError::call(&self.full(path)))
    }

    /// The names in a directory, sorted; not many more than may still come.
    fn names(&self, directory: &OwnedFd, path: &str) -> Result<Vec<CString>, SourceError> {
        let full = self.full(path);
        let entries = Dir::read_from(directory).map_err(SourceError::call(&full))?;
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry.map_err(SourceError::call(&full))?;
            let name = entry.file_name();
            if !matches!(name.to_bytes(), b"." | b"..") {
                names.push(name.to_owned());
            }
            if names.len() > self.budget.entries_left() + 1 {
                break;
            }
        }
        names.sort();
        Ok(names)
    }

    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}

struct OpenFile {
    file: std::fs::File,
    size: u64,
}

impl Content for OpenFile {
    fn reader(&mut self) -> Result<Box<dyn Read + '_>, SourceError> {
        Ok(Box::new((&self.file).take(self.size)))
    }
}
