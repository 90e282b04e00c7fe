//! The file operations that change something, each with the path in its error. What writes the host's state goes
//! through here, so that the tests can end the process between any two of them.

use crate::host::HostError;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

#[cfg(test)]
pub(crate) mod crash;

/// Between two effects; here the tests end the process.
#[cfg(test)]
pub(crate) fn point() {
    crash::point();
}

/// Between two effects; here the tests end the process.
#[cfg(not(test))]
pub(crate) fn point() {}

/// Creates a file that must not exist under another name yet, and brings it to the disk. What is at `path` goes.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), HostError> {
    remove_file(path)?;
    point();
    // `create_new` follows no link and truncates nothing.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(HostError::file(path))?;
    point();
    file.write_all(content)
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .map_err(HostError::file(path))
}

/// Writes a file in place, for readers that hold on to it; not at once, and not safe from a crash.
pub(crate) fn overwrite(path: &Path, content: &[u8]) -> Result<(), HostError> {
    point();
    fs::write(path, content).map_err(HostError::file(path))
}

/// Renames; what has the name `to` goes in the same instant.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), HostError> {
    point();
    fs::rename(from, to).map_err(HostError::file(to))
}

/// Makes a symbolic link that is not there.
pub(crate) fn symlink(target: &Path, link: &Path) -> Result<(), HostError> {
    point();
    std::os::unix::fs::symlink(target, link).map_err(HostError::file(link))
}

/// Makes a directory; whether it was not there. What is there may be something else.
pub(crate) fn create_directory(path: &Path) -> Result<bool, HostError> {
    point();
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(HostError::file(path)(error)),
    }
}

/// Sets permission bits.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), HostError> {
    point();
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(HostError::file(path))
}

/// Removes a file or link; whether it was there.
pub(crate) fn remove_file(path: &Path) -> Result<bool, HostError> {
    point();
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(HostError::file(path)(error)),
    }
}

/// Removes a directory and all below it, or what is there instead; nothing counts as removed.
pub(crate) fn remove_tree(path: &Path) -> Result<(), HostError> {
    point();
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => remove_file(path).map(drop),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(HostError::file(path)(error)),
        _ => Ok(()),
    }
}

/// Brings the entries of a directory to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<(), HostError> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(HostError::file(path))
}
