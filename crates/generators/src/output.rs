//! The generator directory. Every generator of the host writes into the same one: what is there already stays.

use crate::boot::{Link, Links, Target};
use crate::file;
use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, CWD, Mode};
use rustix::io::Errno;
use std::path::Path;

const TENANTS: &str = "/var/lib/tenants/";

/// Opens the generator directory at `path`.
///
/// # Errors
/// As open(2).
pub(crate) fn open(path: &Path) -> Result<OwnedFd, Errno> {
    file::directory(CWD, path)
}

/// One writer to the directory; there can be several.
pub(crate) struct Output<'d> {
    directory: &'d OwnedFd,
    /// Directory below it that was made last; the links of a generation are sorted.
    last: String,
    /// Whether the one directory that all tenants share is there.
    shared: bool,
    /// Text of the link that is being made.
    target: String,
}

impl<'d> Output<'d> {
    /// Writes to `directory`.
    pub(crate) fn new(directory: &'d OwnedFd) -> Self {
        Self {
            directory,
            last: String::new(),
            shared: false,
            target: String::new(),
        }
    }

    /// Makes all links of tenant `id` into its `generation`, or none: the path of the one that could not be made comes
    /// with the error.
    pub(crate) fn place<'a>(
        &mut self,
        id: &str,
        generation: &str,
        links: Links<'a>,
    ) -> Result<(), (&'a str, Errno)> {
        for (index, link) in links.iter().enumerate() {
            if let Err(error) = self.link(id, generation, link) {
                self.undo(links.iter().take(index));
                return Err((link.path, error));
            }
        }
        Ok(())
    }

    /// Makes one link to a file of the host.
    pub(crate) fn place_shipped(&mut self, path: &str, target: &str) -> Result<(), Errno> {
        self.prepare(path)?;
        rustix::fs::symlinkat(target, self.directory, path)
    }

    fn link(&mut self, id: &str, generation: &str, link: Link<'_>) -> Result<(), Errno> {
        self.prepare(link.path)?;
        match link.target {
            Target::Shipped(target) => rustix::fs::symlinkat(target, self.directory, link.path),
            Target::Own(target) => {
                self.target.clear();
                for part in [TENANTS, id, "/", generation, "/", target] {
                    self.target.push_str(part);
                }
                rustix::fs::symlinkat(self.target.as_str(), self.directory, link.path)
            }
        }
    }

    /// Makes the directory that `path` is in.
    fn prepare(&mut self, path: &str) -> Result<(), Errno> {
        let Some((directory, _)) = path.split_once('/') else {
            return Ok(());
        };
        let shared = directory == "multi-user.target.wants";
        if (shared && self.shared) || self.last == directory {
            return Ok(());
        }
        match rustix::fs::mkdirat(self.directory, directory, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        self.shared |= shared;
        self.last.clear();
        self.last.push_str(directory);
        Ok(())
    }

    /// Takes links away again. Directories stay: an empty one pulls in nothing.
    fn undo<'a>(&self, links: impl Iterator<Item = Link<'a>>) {
        for link in links {
            // There is nothing else to try, and the first error is the one that is reported.
            let _ = rustix::fs::unlinkat(self.directory, link.path, AtFlags::empty());
        }
    }
}
