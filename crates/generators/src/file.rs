//! Files read whole, within a limit.

use rustix::buffer::spare_capacity;
use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::path::Arg;

/// Opens a file below `directory`, waiting for nobody: a FIFO or device in its place is refused by [`read`].
pub(crate) fn open(directory: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    let flags =
        OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, path, flags, Mode::empty())
}

/// Opens a directory below `directory` as a place to start paths from.
pub(crate) fn directory(directory: impl AsFd, path: impl Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::openat(directory, path, flags, Mode::empty())
}

/// Replaces the content of `buffer` by the content of the regular file `file`: at most `limit` bytes, else `EFBIG`.
pub(crate) fn read(file: &OwnedFd, buffer: &mut Vec<u8>, limit: usize) -> Result<(), Errno> {
    buffer.clear();
    loop {
        // Grows by doubling.
        buffer.reserve(4096);
        let room = buffer.capacity() - buffer.len();
        match rustix::io::read(file, spare_capacity(buffer)) {
            Ok(_) if buffer.len() > limit => return Err(Errno::FBIG),
            // A regular file gives less than there is room for only at its end.
            Ok(count) if count < room => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    // A FIFO that nobody writes to looks empty. Few files are, so the question is asked of few.
    if buffer.is_empty() && !is_regular(file)? {
        return Err(Errno::INVAL);
    }
    Ok(())
}

fn is_regular(file: &OwnedFd) -> Result<bool, Errno> {
    let mode = rustix::fs::fstat(file)?.st_mode;
    Ok(FileType::from_raw_mode(mode) == FileType::RegularFile)
}
