//! One pass at a time.

use super::rest::{self, Rest};
use crate::host::HostError;
use crate::paths::HostRoot;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Held while it lives; a process that dies lets go of it.
#[derive(Debug)]
pub(super) struct Lock {
    /// Holds the lock.
    _file: File,
    /// What was at rest before. Not on the disk any more: the holder may change it.
    pub(super) rest: Option<Rest>,
}

impl Lock {
    fn new(root: &HostRoot, file: File) -> Result<Self, HostError> {
        Ok(Self {
            _file: file,
            rest: rest::take(root)?,
        })
    }
}

/// Name of the host's lock.
const LOCK: &str = "lock";

/// Between two tries of somebody who may give up.
const LOOK: Duration = Duration::from_millis(100);

/// Takes the host's lock; `waiting` is called if somebody else holds it.
pub(super) fn take(root: &HostRoot, waiting: impl FnOnce()) -> Result<Lock, HostError> {
    let (path, file) = open(&root.runtime(), LOCK)?;
    if !try_lock(&path, &file)? {
        waiting();
        wait(&path, &file)?;
    }
    Lock::new(root, file)
}

/// The same, for somebody whom the holder may be waiting for: `None` as soon as there is nothing `left` to do.
pub(super) fn take_while(
    root: &HostRoot,
    left: impl Fn() -> bool,
    waiting: impl FnOnce(),
) -> Result<Option<Lock>, HostError> {
    let (path, file) = open(&root.runtime(), LOCK)?;
    let mut waiting = Some(waiting);
    while left() {
        if try_lock(&path, &file)? {
            return Lock::new(root, file).map(Some);
        }
        if let Some(waiting) = waiting.take() {
            waiting();
        }
        thread::sleep(LOOK);
    }
    Ok(None)
}

/// The lock of one mirror: whoever else fetches into it is waited for. It holds while the file is open.
pub(super) fn mirror(root: &HostRoot, name: &str) -> Result<File, HostError> {
    let (path, file) = open(&root.runtime().join("fetch"), name)?;
    wait(&path, &file)?;
    Ok(file)
}

/// The same, if nobody has it.
pub(super) fn try_mirror(root: &HostRoot, name: &str) -> Result<Option<File>, HostError> {
    let (path, file) = open(&root.runtime().join("fetch"), name)?;
    Ok(try_lock(&path, &file)?.then_some(file))
}

fn open(directory: &Path, name: &str) -> Result<(PathBuf, File), HostError> {
    fs::create_dir_all(directory).map_err(HostError::file(directory))?;
    let path = directory.join(name);
    let file = File::create(&path).map_err(HostError::file(&path))?;
    Ok((path, file))
}

fn wait(path: &Path, file: &File) -> Result<(), HostError> {
    while let Err(error) = flock(file, FlockOperation::LockExclusive) {
        if error != Errno::INTR {
            return Err(HostError::file(path)(error.into()));
        }
    }
    Ok(())
}

fn try_lock(path: &Path, file: &File) -> Result<bool, HostError> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(HostError::file(path)(error.into())),
    }
}
