//! Disks that fail at a chosen operation, for runs of one thread.

use super::crash;
use std::cell::Cell;
use std::io;
use std::ops::Range;

/// What is wrong with the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// ENOSPC: no space, or no inode, is left; what is there can be changed and removed.
    Full,
    /// EROFS: nothing can be changed, as after an error of the file system.
    ReadOnly,
    /// EIO.
    Broken,
}

impl Fault {
    pub(crate) const ALL: [Self; 3] = [Self::Full, Self::ReadOnly, Self::Broken];

    fn errno(self) -> rustix::io::Errno {
        match self {
            Self::Full => rustix::io::Errno::NOSPC,
            Self::ReadOnly => rustix::io::Errno::ROFS,
            Self::Broken => rustix::io::Errno::IO,
        }
    }
}

thread_local! {
    /// Operations so far, and which of them fail.
    static STATE: Cell<(u64, u64, u64)> = const { Cell::new((0, 0, 0)) };
    static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Before an operation.
pub(super) fn step(takes_space: bool) -> io::Result<()> {
    if crash::is_elsewhere() {
        return Ok(());
    }
    let (seen, from, to) = STATE.get();
    STATE.set((seen + 1, from, to));
    match FAULT.get() {
        Some(fault) if (from..to).contains(&seen) && (takes_space || fault != Fault::Full) => {
            Err(fault.errno().into())
        }
        _ => Ok(()),
    }
}

/// Runs `body` on a disk on which the operations `failing` fail, counted from 0; also says how many there were.
pub(crate) fn with<T>(fault: Fault, failing: Range<u64>, body: impl FnOnce() -> T) -> (T, u64) {
    STATE.set((0, failing.start, failing.end));
    FAULT.set(Some(fault));
    let value = body();
    FAULT.set(None);
    (value, STATE.get().0)
}
