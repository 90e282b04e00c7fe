//! Lines as they come.

use super::{Record, parse, path};
use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Tells `say` every line that is there, then each new one as it comes, until `say` answers `false`, or nobody reads any
/// more what is written to `listener`.
///
/// # Errors
/// When the file is unreadable or the directory cannot be watched.
pub fn follow(
    root: &HostRoot,
    listener: impl AsFd,
    say: &mut dyn FnMut(Record) -> bool,
) -> Result<(), HostError> {
    let path = path(root);
    let directory = root.state();
    atomic::make_directories(&directory)?;
    // Watched before the first look: no line falls in between.
    let watch = Watch::new(&directory)?;
    let mut tail = Tail::new(path);
    loop {
        for record in tail.new_records()? {
            if !say(record) {
                return Ok(());
            }
        }
        if !watch.wait(listener.as_fd())? {
            return Ok(());
        }
    }
}

/// A directory whose changes are waited for.
struct Watch<'a> {
    directory: &'a Path,
    inotify: std::os::fd::OwnedFd,
}

impl<'a> Watch<'a> {
    fn new(directory: &'a Path) -> Result<Self, HostError> {
        let fail = |error: Errno| HostError::file(directory)(error.into());
        let inotify = inotify::init(CreateFlags::CLOEXEC).map_err(fail)?;
        let changes = WatchFlags::MODIFY | WatchFlags::MOVED_TO | WatchFlags::CREATE;
        inotify::add_watch(&inotify, directory, changes).map_err(fail)?;
        Ok(Self { directory, inotify })
    }

    /// Until something changed; several changes at once are one. `false` when `listener` has gone.
    fn wait(&self, listener: BorrowedFd<'_>) -> Result<bool, HostError> {
        let fail = |error: Errno| HostError::file(self.directory)(error.into());
        let gone = PollFlags::ERR | PollFlags::HUP;
        loop {
            let mut fds = [
                PollFd::new(&self.inotify, PollFlags::IN),
                PollFd::from_borrowed_fd(listener, PollFlags::empty()),
            ];
            match poll(&mut fds, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(error) => return Err(fail(error)),
            }
            if fds[1].revents().intersects(gone) {
                return Ok(false);
            }
            let mut buffer = [MaybeUninit::uninit(); 4096];
            let mut reader = inotify::Reader::new(&self.inotify, &mut buffer);
            match reader.next() {
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => {}
                Err(error) => return Err(fail(error)),
            }
        }
    }
}

/// The part of the file that was read, and where to go on.
struct Tail {
    path: PathBuf,
    /// Device and inode: another one after the older half went.
    file: Option<(u64, u64)>,
    offset: u64,
    /// Newest lines that were told, for the place in a file that replaced another.
    last: Option<Vec<u8>>,
}

impl Tail {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            offset: 0,
            last: None,
        }
    }

    /// What came since the last call; a line without its end is left for the next.
    fn new_records(&mut self) -> Result<Vec<Record>, HostError> {
        let text = match self.read() {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(HostError::file(&self.path)(error)),
        };
        let Some(end) = text.iter().rposition(|byte| *byte == b'\n') else {
            return Ok(Vec::new());
        };
        self.offset += end as u64 + 1;
        let lines: Vec<&[u8]> = text[..end].split(|byte| *byte == b'\n').collect();
        self.last = lines.last().map(|line| line.to_vec());
        Ok(lines.into_iter().filter_map(parse).collect())
    }

    fn read(&mut self) -> std::io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        let identity = (metadata.dev(), metadata.ino());
        let mut text = Vec::new();
        if self.file == Some(identity) {
            file.seek(SeekFrom::Start(self.offset))?;
            file.read_to_end(&mut text)?;
            return Ok(text);
        }
        file.read_to_end(&mut text)?;
        let told = self.last.as_ref().map_or(0, |last| after(&text, last));
        self.file = Some(identity);
        self.offset = told as u64;
        Ok(text.split_off(told))
    }
}

/// Where the lines behind the last one that equals `line` begin; the beginning when it is not there.
fn after(text: &[u8], line: &[u8]) -> usize {
    let mut end = text.len();
    while let Some(newline) = text[..end].iter().rposition(|byte| *byte == b'\n') {
        let start = text[..newline]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        if &text[start..newline] == line {
            return newline + 1;
        }
        end = start;
        if start == 0 {
            break;
        }
    }
    0
}
