//! One pass at a time.

use crate::host::HostError;
use crate::paths::HostRoot;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File};

/// Held while it lives; a process that dies lets go of it.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the open file holds the lock")] File);

/// Takes the host's lock; `waiting` is called if somebody else holds it.
pub(super) fn take(root: &HostRoot, waiting: impl FnOnce()) -> Result<Lock, HostError> {
    let directory = root.runtime();
    fs::create_dir_all(&directory).map_err(HostError::file(&directory))?;
    let path = directory.join("lock");
    let file = File::create(&path).map_err(HostError::file(&path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => return Ok(Lock(file)),
        Err(Errno::WOULDBLOCK) => waiting(),
        Err(error) => return Err(HostError::file(&path)(error.into())),
    }
    loop {
        match flock(&file, FlockOperation::LockExclusive) {
            Ok(()) => return Ok(Lock(file)),
            Err(Errno::INTR) => {}
            Err(error) => return Err(HostError::file(&path)(error.into())),
        }
    }
}
