//! The terminal of a virtual machine: a socket of QEMU, joined to the caller's own terminal.

use crate::host::HostError;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use std::io::{self, Read, Stdin, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What leaves: `^]`.
const LEAVE: u8 = 0x1d;

/// Joins standard input and output to the socket at `path` until `^]` is typed or the machine ends; `leaves` is told when
/// it stands. Without a terminal everything is passed on as it is, and the end of the input ends nothing.
///
/// # Errors
/// When nobody listens there, or it breaks.
pub fn attach(path: &Path, stands: impl FnOnce()) -> Result<(), HostError> {
    let socket = UnixStream::connect(path).map_err(HostError::file(path))?;
    let raw = Raw::set();
    stands();
    let ended = join(&socket, raw.is_some());
    drop(raw);
    ended.map_err(HostError::file(path))
}

/// The caller's terminal without line editing and signals; as it was when this goes.
struct Raw(Stdin, Termios);

impl Raw {
    /// `None` when standard input is no terminal.
    fn set() -> Option<Self> {
        let stdin = io::stdin();
        let before = isatty(&stdin).then(|| tcgetattr(&stdin).ok())??;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self(stdin, before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // The terminal may be gone.
        let _ = tcsetattr(&self.0, OptionalActions::Now, &self.1);
    }
}

fn join(mut socket: &UnixStream, typed: bool) -> io::Result<()> {
    let mut input = io::stdin();
    let mut buffer = [0; 4096];
    let mut reads = true;
    loop {
        let mut fds = vec![PollFd::new(socket, PollFlags::IN)];
        if reads {
            fds.push(PollFd::new(&input, PollFlags::IN));
        }
        match poll(&mut fds, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
        if ready[0] {
            let length = socket.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let mut output = io::stdout().lock();
            output.write_all(&buffer[..length])?;
            output.flush()?;
        }
        if ready.get(1) == Some(&true) {
            let length = input.read(&mut buffer)?;
            let leave = buffer[..length].iter().position(|byte| *byte == LEAVE);
            let leave = leave.filter(|_| typed);
            socket.write_all(&buffer[..leave.unwrap_or(length)])?;
            if leave.is_some() {
                return Ok(());
            }
            reads = length > 0;
        }
    }
}
