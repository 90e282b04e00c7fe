//! Our end of a channel.

use super::protocol::{FRAME, Frame, WINDOW};
use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Channels of a host: that many commands at once, over all processes.
pub(super) const CHANNELS: usize = 4;
/// A runner that does not answer has to see a client go before it sees the next one come.
const GREETING: Duration = Duration::from_secs(3);

/// A channel that is ours until it is dropped.
#[derive(Debug)]
pub(super) struct Channel {
    reader: BufReader<UnixStream>,
    _lock: File,
}

impl Channel {
    /// A free channel of the host in `directory`, once its runner answers; none when all are taken. `alive` says whether there
    /// is still hope.
    ///
    /// # Errors
    /// The host is gone, or nothing answers within `patience`.
    pub(super) fn open(
        directory: &Path,
        patience: Duration,
        alive: impl Fn() -> bool,
    ) -> Result<Option<Self>> {
        let deadline = Instant::now() + patience;
        let Some((number, lock)) = free(directory)? else {
            return Ok(None);
        };
        loop {
            if !alive() {
                bail!("it does not run");
            }
            match greet(&directory.join(format!("channel-{number}"))) {
                Ok(stream) => {
                    return Ok(Some(Self {
                        reader: BufReader::with_capacity(FRAME, stream),
                        _lock: lock,
                    }));
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| {
                        format!("no answer from inside for {} s", patience.as_secs())
                    });
                }
                // Refused while QEMU starts: at once, so that this is a loop to slow down.
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Runs a command; its input is `input` until that ends.
    ///
    /// # Errors
    /// The host ends, what the command prints cannot be written, or it cannot be started.
    pub(super) fn run(
        &mut self,
        words: Vec<Vec<u8>>,
        mut input: Option<File>,
        output: &mut dyn Write,
        error: &mut dyn Write,
    ) -> Result<ExitStatus> {
        self.say(&Frame::Run(words))?;
        if input.is_none() {
            self.say(&Frame::InputEnd)?;
        }
        let mut window = WINDOW;
        loop {
            let open = input.as_ref().filter(|_| window >= FRAME);
            let (answered, ready) = self.wait(open)?;
            if ready && let Some(file) = &mut input {
                let mut piece = vec![0; FRAME];
                let length = file.read(&mut piece)?;
                piece.truncate(length);
                window -= length;
                if length == 0 {
                    input = None;
                    self.say(&Frame::InputEnd)?;
                } else {
                    self.say(&Frame::Input(piece))?;
                }
            }
            if !answered {
                continue;
            }
            match Frame::read_from(&mut self.reader).context("the host ended under it")? {
                Frame::Taken(bytes) => window += bytes as usize,
                Frame::Output(bytes) => shown(output, &bytes)?,
                Frame::Error(bytes) => shown(error, &bytes)?,
                Frame::Ended(status) => return Ok(ExitStatus::from_raw(status)),
                Frame::Refused(why) => bail!("cannot be started: {why}"),
                frame => bail!("the runner said {frame:?}"),
            }
        }
    }

    fn say(&self, frame: &Frame) -> Result<()> {
        frame
            .write_to(self.reader.get_ref())
            .context("the host ended under it")
    }

    /// Waits for a frame, or for input; which of them is there.
    fn wait(&self, input: Option<&File>) -> Result<(bool, bool)> {
        if !self.reader.buffer().is_empty() {
            return Ok((true, false));
        }
        let mut ends = vec![PollFd::new(self.reader.get_ref(), PollFlags::IN)];
        ends.extend(input.map(|input| PollFd::new(input, PollFlags::IN)));
        rustix::io::retry_on_intr(|| rustix::event::poll(&mut ends, None))?;
        let ready = |end: &PollFd<'_>| !end.revents().is_empty();
        Ok((ready(&ends[0]), ends.get(1).is_some_and(ready)))
    }
}

/// The first channel that nobody has.
fn free(directory: &Path) -> Result<Option<(usize, File)>> {
    for number in 0..CHANNELS {
        let file = File::create(directory.join(format!("channel-{number}.lock")))?;
        if rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            return Ok(Some((number, file)));
        }
    }
    Ok(None)
}

fn greet(path: &Path) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(path)?;
    stream.set_read_timeout(Some(GREETING))?;
    let nonce = RandomState::new().build_hasher().finish();
    Frame::Hello(nonce).write_to(&stream)?;
    Frame::Welcome(nonce).skip_to(BufReader::with_capacity(1, &stream))?;
    stream.set_read_timeout(None)?;
    Ok(stream)
}

fn shown(target: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    target.write_all(bytes)?;
    target.flush()
}
