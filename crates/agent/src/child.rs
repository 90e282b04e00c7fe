//! A program with limits: it is killed after a time, and of what it says only the end is kept. Its output may
//! come from a container and is hostile.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, ioctl_fionbio};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use std::io::{self, PipeReader, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Answer {
    /// Its exit status; `None` when its time was over.
    pub status: Option<ExitStatus>,
    /// The last bytes of standard output and standard error.
    pub output: Vec<u8>,
}

/// Runs `command`, whose standard input is the caller's choice, at most for `limit`, and keeps the last `size`
/// bytes of its output. It gets a process group of its own, which is killed when the time is over; what left that group may live on
/// and is not waited for.
///
/// # Errors
/// When it cannot be started or waited for.
pub fn run(mut command: Command, limit: Duration, size: usize) -> io::Result<Answer> {
    let deadline = Instant::now() + limit;
    let (reader, writer) = io::pipe()?;
    command
        .stdout(writer.try_clone()?)
        .stderr(writer)
        .process_group(0);
    let mut child = command.spawn()?;
    // It holds the other ends of the pipe.
    drop(command);
    let mut output = Output {
        reader: Some(reader),
        kept: Vec::new(),
        size,
    };
    let watched = watch(&mut child, &mut output, deadline);
    if !matches!(watched, Ok(true)) {
        // It may have ended by itself since.
        let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    }
    let status = child.wait()?;
    let ended = watched?;
    Ok(Answer {
        status: ended.then_some(status),
        output: output.kept,
    })
}

/// Collects output until the program ends (`true`) or its time is over (`false`).
fn watch(child: &mut Child, output: &mut Output, deadline: Instant) -> io::Result<bool> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    output.unblock()?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let ended = {
            let mut fds = vec![PollFd::new(&pidfd, PollFlags::IN)];
            if let Some(reader) = &output.reader {
                fds.push(PollFd::new(reader, PollFlags::IN));
            }
            match poll(&mut fds, Some(&timespec(left))) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            !fds[0].revents().is_empty()
        };
        output.collect()?;
        if ended {
            return Ok(true);
        }
    }
}

/// `duration` for poll(2).
pub(crate) fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}

struct Output {
    /// `None` after its end.
    reader: Option<PipeReader>,
    kept: Vec<u8>,
    size: usize,
}

impl Output {
    fn unblock(&self) -> io::Result<()> {
        let Some(reader) = &self.reader else {
            return Ok(());
        };
        Ok(ioctl_fionbio(reader.as_fd(), true)?)
    }

    /// Takes what is there, up to one pipe's worth, so that an endless talker cannot hold us.
    fn collect(&mut self) -> io::Result<()> {
        let Some(reader) = &mut self.reader else {
            return Ok(());
        };
        let mut chunk = [0; 8192];
        for _ in 0..8 {
            match reader.read(&mut chunk) {
                Ok(0) => {
                    self.reader = None;
                    return Ok(());
                }
                Ok(read) => {
                    self.kept.extend_from_slice(&chunk[..read]);
                    let surplus = self.kept.len().saturating_sub(self.size);
                    self.kept.drain(..surplus);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Stdio;

    fn shell(script: &str, limit: Duration) -> Answer {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null());
        run(command, limit, 10).unwrap()
    }

    #[test]
    fn output_is_bounded() {
        let answer = shell("echo out; echo error >&2; exit 3", Duration::from_secs(60));
        assert_eq!(answer.status.and_then(|status| status.code()), Some(3));
        assert_eq!(answer.output, b"out\nerror\n");
        let answer = shell(
            "head -c 1000000 /dev/zero; echo the end",
            Duration::from_secs(60),
        );
        assert!(answer.status.is_some_and(|status| status.success()));
        assert_eq!(answer.output, b"\0\0the end\n");
    }

    #[test]
    fn the_whole_group_is_killed_when_time_is_over() {
        let before = Instant::now();
        let answer = shell("sleep 1000 & sleep 1000", Duration::from_millis(200));
        assert!(answer.status.is_none());
        assert!(before.elapsed() < Duration::from_secs(100));
    }

    #[test]
    fn who_leaves_the_group_and_holds_the_output_is_not_waited_for() {
        let before = Instant::now();
        // The sleeper ends by itself soon after the test.
        let answer = shell("setsid sleep 20 & echo done", Duration::from_secs(100));
        assert!(answer.status.is_some_and(|status| status.success()));
        assert_eq!(answer.output, b"done\n");
        assert!(before.elapsed() < Duration::from_secs(15));
    }
}
