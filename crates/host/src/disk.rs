//! The file operations that change something, each with the path in its error. What writes the host's state goes
//! through here, so that the tests can end the process between any two of them, or let any of them fail.

use crate::host::HostError;
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

#[cfg(test)]
pub(crate) mod crash;
#[cfg(test)]
pub(crate) mod fault;

/// Between two effects; here the tests end the process.
#[cfg(test)]
pub(crate) fn point() {
    crash::point();
}

/// Between two effects; here the tests end the process.
#[cfg(not(test))]
pub(crate) fn point() {}

/// What an operation does to the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    /// It takes space, or an entry in a table of inodes.
    Space,
    /// It frees or changes what is there.
    Nothing,
}

/// Before an operation on `path`; here the tests end the process, or let it fail.
fn step(path: &Path, need: Need) -> Result<(), HostError> {
    point();
    #[cfg(test)]
    fault::step(need == Need::Space).map_err(HostError::file(path))?;
    let _ = (path, need);
    Ok(())
}

/// Creates a file that must not exist under another name yet, and brings it to the disk. What is at `path` goes.
pub(crate) fn create(path: &Path, content: &[u8], mode: u32) -> Result<(), HostError> {
    remove_file(path)?;
    step(path, Need::Space)?;
    // `create_new` follows no link and truncates nothing.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(HostError::file(path))?;
    step(path, Need::Space)?;
    file.write_all(content)
        .and_then(|()| file.set_permissions(Permissions::from_mode(mode)))
        .and_then(|()| file.sync_all())
        .map_err(HostError::file(path))
}

/// Writes a file in place, for readers that hold on to it; not at once, and not safe from a crash.
pub(crate) fn overwrite(path: &Path, content: &[u8]) -> Result<(), HostError> {
    step(path, Need::Space)?;
    fs::write(path, content).map_err(HostError::file(path))
}

/// Renames; what has the name `to` goes in the same instant.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), HostError> {
    step(to, Need::Space)?;
    fs::rename(from, to).map_err(HostError::file(to))
}

/// Makes a symbolic link that is not there.
pub(crate) fn symlink(target: &Path, link: &Path) -> Result<(), HostError> {
    step(link, Need::Space)?;
    std::os::unix::fs::symlink(target, link).map_err(HostError::file(link))
}

/// Makes a directory; whether it was not there. What is there may be something else.
pub(crate) fn create_directory(path: &Path) -> Result<bool, HostError> {
    step(path, Need::Space)?;
    match fs::create_dir(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(HostError::file(path)(error)),
    }
}

/// Sets permission bits.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Result<(), HostError> {
    step(path, Need::Nothing)?;
    fs::set_permissions(path, Permissions::from_mode(mode)).map_err(HostError::file(path))
}

/// Removes a file or link; whether it was there.
pub(crate) fn remove_file(path: &Path) -> Result<bool, HostError> {
    step(path, Need::Nothing)?;
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(HostError::file(path)(error)),
    }
}

/// Removes a directory and all below it, or what is there instead; nothing counts as removed.
pub(crate) fn remove_tree(path: &Path) -> Result<(), HostError> {
    step(path, Need::Nothing)?;
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == ErrorKind::NotADirectory => remove_file(path).map(drop),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(HostError::file(path)(error)),
        _ => Ok(()),
    }
}

/// Brings the entries of a directory to the disk.
pub(crate) fn sync_directory(path: &Path) -> Result<(), HostError> {
    #[cfg(test)]
    fault::step(false).map_err(HostError::file(path))?;
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(HostError::file(path))
}

/// Copies a file to one that must not exist: shared blocks where the file system has them, else holes stay holes.
pub(crate) fn copy_sparse(from: &Path, to: &Path) -> Result<(), HostError> {
    step(to, Need::Space)?;
    let source = File::open(from).map_err(HostError::file(from))?;
    let target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(HostError::file(to))?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_ok() {
        return Ok(());
    }
    copy_data(&source, &target).map_err(HostError::file(to))
}

fn copy_data(source: &File, mut target: &File) -> io::Result<()> {
    let length = source.metadata()?.len();
    target.set_len(length)?;
    let mut at = 0;
    while at < length {
        let data = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(data) => data,
            // Behind the last data.
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let hole = rustix::fs::seek(source, SeekFrom::Hole(data))?;
        rustix::fs::seek(source, SeekFrom::Start(data))?;
        rustix::fs::seek(target, SeekFrom::Start(data))?;
        io::copy(&mut source.take(hole - data), &mut target)?;
        at = hole;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileExt, MetadataExt};

    #[test]
    fn holes_stay_holes() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"first", 0).unwrap();
        file.write_all_at(b"last", 40 << 20).unwrap();
        copy_sparse(&from, &to).unwrap();
        assert!(fs::read(&from).unwrap() == fs::read(&to).unwrap());
        assert!(fs::metadata(&to).unwrap().blocks() * 512 < 1 << 20);
        assert!(copy_sparse(&from, &to).is_err(), "it is there");
    }
}
