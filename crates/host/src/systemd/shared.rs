//! One run of something for all who asked before it began: when a host starts, each of its tenants wants networkd to read its
//! files, and reading them all takes the longer the more there are.

use crate::host::HostError;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::time::{ClockId, clock_gettime};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Runs `work`, unless somebody began it after this was called and ended it well. Who has begun is waited for. `path` is the
/// file that all who share it use; it must not outlive a boot.
///
/// # Errors
/// When the file cannot be used, or what `work` says: then the next one tries it itself.
pub(crate) fn run(
    path: &Path,
    work: impl FnOnce() -> Result<(), HostError>,
) -> Result<(), HostError> {
    let asked = now();
    let file = open_locked(path).map_err(HostError::file(path))?;
    if last(&file).is_some_and(|begun| begun > asked) {
        return Ok(());
    }
    let begun = now();
    work()?;
    // Where it cannot be written the next one works, too.
    let _ = file.write_all_at(&begun.to_le_bytes(), 0);
    Ok(())
}

fn open_locked(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path)?;
    while let Err(error) = flock(&file, FlockOperation::LockExclusive) {
        if error != Errno::INTR {
            return Err(error.into());
        }
    }
    Ok(file)
}

/// When the last run began that ended well.
fn last(file: &File) -> Option<u64> {
    let mut begun = [0; 8];
    file.read_exact_at(&mut begun, 0).ok()?;
    Some(u64::from_le_bytes(begun))
}

/// Nanoseconds since the boot: the same clock for every process.
fn now() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    u64::try_from(now.tv_sec).unwrap_or_default() * 1_000_000_000
        + u64::try_from(now.tv_nsec).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::{Arc, Barrier, Mutex};
    use std::thread;

    /// Every run reads what was written before it was asked for.
    #[test]
    fn all_that_was_there_is_read() {
        const ALL: usize = 32;
        let dir = tempfile::tempdir().unwrap();
        let (written, read) = (
            Mutex::new(BTreeSet::new()),
            Mutex::new(BTreeSet::<usize>::new()),
        );
        let start = Barrier::new(ALL);
        thread::scope(|scope| {
            for index in 0..ALL {
                let (path, start) = (dir.path().join("shared"), &start);
                let (written, read) = (&written, &read);
                scope.spawn(move || {
                    start.wait();
                    written.lock().unwrap().insert(index);
                    let work = || {
                        let found = written.lock().unwrap().clone();
                        read.lock().unwrap().extend(found);
                        Ok(())
                    };
                    run(&path, work).unwrap();
                    assert!(read.lock().unwrap().contains(&index));
                });
            }
        });
    }

    #[test]
    fn who_waits_for_one_that_began_before_needs_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shared");
        let (entered, leave) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let first = {
            let (path, entered, leave) = (path.clone(), Arc::clone(&entered), Arc::clone(&leave));
            thread::spawn(move || {
                run(&path, || {
                    entered.wait();
                    leave.wait();
                    Ok(())
                })
            })
        };
        entered.wait();
        let second = thread::spawn(move || {
            let mut ran = false;
            run(&path, || {
                ran = true;
                Ok(())
            })
            .map(|()| ran)
        });
        leave.wait();
        first.join().unwrap().unwrap();
        // It asked before or after the first one ended: both began later than that one.
        assert!(second.join().unwrap().unwrap());
    }

    #[test]
    fn one_that_fails_is_tried_by_the_next() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("shared");
        let fail = || Err(HostError::Timeout("no".to_owned()));
        assert!(run(&path, fail).is_err());
        let mut ran = false;
        run(&path, || {
            ran = true;
            Ok(())
        })
        .unwrap();
        assert!(ran);
    }
}
