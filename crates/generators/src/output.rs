//! The generator directory. Every generator of the host writes into the same one: what is there already stays.

use crate::{calls, file};
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode};
use rustix::io::Errno;
use std::ffi::CStr;
use std::path::Path;

/// The one directory that all tenants share.
const SHARED: &CStr = c"multi-user.target.wants";

/// Opens the generator directory at `path`.
///
/// # Errors
/// As open(2).
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Errno> {
    file::directory(CWD, path)
}

/// A writer to the directory.
pub(crate) struct Output<'d> {
    directory: &'d OwnedFd,
    /// Whether the directory that all tenants share is there.
    shared: bool,
}

impl<'d> Output<'d> {
    /// Writes to `directory`.
    pub(crate) fn new(directory: &'d OwnedFd) -> Self {
        Self {
            directory,
            shared: false,
        }
    }

    /// Makes all of `calls`, or no link: the path of what could not be made comes with the error.
    pub(crate) fn make<'a>(&mut self, calls: &'a [u8]) -> Result<(), (&'a CStr, Errno)> {
        for (index, (path, target)) in calls::iter(calls).enumerate() {
            let made = if target.is_empty() {
                self.make_directory(path)
            } else {
                rustix::fs::symlinkat(target, self.directory, path)
            };
            if let Err(error) = made {
                self.undo(calls::iter(calls).take(index));
                return Err((path, error));
            }
        }
        Ok(())
    }

    fn make_directory(&mut self, path: &CStr) -> Result<(), Errno> {
        let shared = path == SHARED;
        if shared && self.shared {
            return Ok(());
        }
        match rustix::fs::mkdirat(self.directory, path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        self.shared |= shared;
        Ok(())
    }

    /// Takes links away again. Directories stay: an empty one pulls in nothing.
    fn undo<'a>(&self, made: impl Iterator<Item = (&'a CStr, &'a CStr)>) {
        for (path, _) in made.filter(|(_, target)| !target.is_empty()) {
            // There is nothing else to try, and the first error is the one that is reported.
            let _ = rustix::fs::unlinkat(self.directory, path, AtFlags::empty());
        }
    }
}
