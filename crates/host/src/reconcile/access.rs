//! What opens a repository, in plain text for as long as one fetch takes: files below `/run`, which is in memory, in a
//! directory of root that goes with the fetch.

use super::PassError;
use super::init::SYSTEM;
use super::lock;
use crate::disk;
use crate::git;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::source;
use bitbuilder_core::model::Access;
use bitbuilder_core::sync::token;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

/// Secrets of the host itself, systemd.exec(5): for the system repository, which cannot hold its own.
const STORE: &str = "/etc/credstore.encrypted";
/// What is public of that: known_hosts and certificate authorities.
const CONFIGURATION: &str = "/etc/bitbuilder";

/// Opened access; the files are gone when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) git: git::Access,
    directory: Option<PathBuf>,
}

impl Drop for Opened {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            // What cannot be removed is tried again before the next pass.
            let _ = fs::remove_dir_all(directory);
        }
    }
}

/// Where a file comes from.
enum Origin<'a> {
    /// The system repository at a commit.
    Commit(&'a str),
    /// The host.
    Host,
}

/// Opens what the registration of `name` says, from the system repository at `commit`. The mirror's lock must be held:
/// there is one such directory for each.
pub(super) fn open(
    host: &dyn Host,
    name: &str,
    access: &Access,
    commit: &str,
    url: &str,
) -> Result<Opened, PassError> {
    Opening::new(host, name, url, Origin::Commit(commit)).open(access)
}

/// Opens what the host has for the system repository: credentials `bitbuilder.system.ssh-key` and
/// `bitbuilder.system.token`, and `known_hosts` and `ca.pem` in `/etc/bitbuilder/`.
pub(super) fn open_system(host: &dyn Host, url: &str) -> Result<Opened, PassError> {
    let root = host.root();
    let there = |directory: &str, name: &str| {
        let path = format!("{directory}/{name}");
        root.join(&path).exists().then_some(path)
    };
    let access = Access {
        ssh_key: there(STORE, "bitbuilder.system.ssh-key"),
        token: there(STORE, "bitbuilder.system.token"),
        known_hosts: there(CONFIGURATION, "known_hosts"),
        ca: there(CONFIGURATION, "ca.pem"),
    };
    Opening::new(host, SYSTEM, url, Origin::Host).open(&access)
}

/// Removes what a fetch left that was killed. What cannot be removed is tried again by the next pass.
pub(super) fn sweep(root: &HostRoot) {
    for entry in fs::read_dir(directory(root))
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        // Who has the lock is reading them.
        if let Ok(Some(_lock)) = lock::try_mirror(root, &name) {
            let _ = disk::remove_tree(&entry.path());
        }
    }
}

fn directory(root: &HostRoot) -> PathBuf {
    root.runtime().join("access")
}

struct Opening<'a> {
    host: &'a dyn Host,
    url: &'a str,
    origin: Origin<'a>,
    directory: PathBuf,
}

impl<'a> Opening<'a> {
    fn new(host: &'a dyn Host, name: &str, url: &'a str, origin: Origin<'a>) -> Self {
        Self {
            host,
            url,
            origin,
            directory: directory(host.root()).join(name),
        }
    }

    fn open(&self, access: &Access) -> Result<Opened, PassError> {
        if access.is_empty() {
            return Ok(Opened::default());
        }
        make(&self.directory)?;
        // From here on it is removed whatever happens.
        let mut opened = Opened {
            git: git::Access::default(),
            directory: Some(self.directory.clone()),
        };
        if let Some(path) = &access.ssh_key {
            let mut key = self.secret(path)?;
            // ssh does not read a key without its last newline.
            if key.last() != Some(&b'\n') {
                key.push(b'\n');
            }
            opened.git.ssh_key = Some(self.write("key", &key)?);
        }
        if let Some(path) = &access.known_hosts {
            opened.git.known_hosts = Some(self.write("known_hosts", &self.read(path)?)?);
        }
        if let Some(path) = &access.token {
            let line = token::line(self.url, &self.secret(path)?)
                .ok_or_else(|| HostError::damaged(Path::new(path), "is no line of text"))?;
            opened.git.credentials = Some(self.write("credentials", line.as_bytes())?);
        }
        if let Some(path) = &access.ca {
            opened.git.ca_bundle = Some(self.write("ca.pem", &self.read(path)?)?);
        }
        Ok(opened)
    }

    /// Plain text. A credential is called like its file.
    fn secret(&self, path: &str) -> Result<Vec<u8>, PassError> {
        let name = path.rsplit('/').next().unwrap_or(path);
        Ok(self.host.decrypt(name, &self.read(path)?)?)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, PassError> {
        let root = self.host.root();
        match self.origin {
            Origin::Commit(commit) => {
                let repository = source::open(&root.system_mirror())?;
                Ok(source::read_file(&repository, commit, path)?)
            }
            Origin::Host => {
                let path = root.join(path);
                Ok(fs::read(&path).map_err(HostError::file(&path))?)
            }
        }
    }

    fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, HostError> {
        let path = self.directory.join(name);
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let open = || -> std::io::Result<()> {
            let mode = Mode::RUSR | Mode::WUSR;
            let mut file = File::from(openat(CWD, &path, flags | OFlags::CLOEXEC, mode)?);
            file.write_all(content)
        };
        open().map_err(HostError::file(&path))?;
        Ok(path)
    }
}

/// An empty directory that only root enters.
fn make(path: &Path) -> Result<(), HostError> {
    disk::remove_tree(path)?;
    let parent = path.parent().unwrap_or(path);
    for directory in [parent, path] {
        match mkdirat(CWD, directory, Mode::RWXU).map_err(std::io::Error::from) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(HostError::file(directory)(error));
            }
            _ => {}
        }
    }
    Ok(())
}
