//! Runs a process to its end or to a limit, and leaves none of its children behind.

use super::error::GitError;
use super::invocation::Limits;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;

/// Of standard error, so much of the end is kept.
const MESSAGE: usize = 4096;

/// Why the wait ended.
enum Event {
    Exited(Result<(), std::io::Error>),
    Overflow,
}

/// Runs `command` (from [`limited`]) with `arguments`; `shown` is the command line for people.
pub(super) fn run<S: AsRef<OsStr>>(
    mut command: Command,
    shown: &str,
    limits: &Limits,
    arguments: &[S],
) -> Result<Vec<u8>, GitError> {
    let mut child = command
        .args(arguments)
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(GitError::Spawn)?;
    let pid = Pid::from_child(&child);
    let (event, output, message) = watch(&mut child, pid, limits);
    let status = child.wait().map_err(GitError::Wait)?;
    let command = || shown.to_owned();
    match event {
        None => Err(GitError::TimeLimit {
            command: command(),
            limit: limits.time,
        }),
        Some(Event::Overflow) => Err(GitError::OutputLimit {
            command: command(),
            limit: limits.output,
        }),
        Some(Event::Exited(Err(error))) => Err(GitError::Wait(error)),
        Some(Event::Exited(Ok(()))) if status.success() => Ok(output),
        Some(Event::Exited(Ok(()))) if hit_file_limit(status, &message) => {
            Err(GitError::SizeLimit {
                command: command(),
                limit: limits.file,
            })
        }
        Some(Event::Exited(Ok(()))) => Err(GitError::Failed {
            command: command(),
            status,
            message,
        }),
    }
}

/// Reads both pipes and waits; the process group is dead when this returns. `None` is the time limit.
fn watch(child: &mut Child, pid: Pid, limits: &Limits) -> (Option<Event>, Vec<u8>, String) {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (sender, events) = mpsc::channel();
    thread::scope(|scope| {
        let overflow = sender.clone();
        let output = scope.spawn(move || {
            let (bytes, complete) = read_up_to(stdout, limits.output);
            if !complete {
                // The receiver is gone only when the process is being killed anyway.
                let _ = overflow.send(Event::Overflow);
            }
            bytes
        });
        let message = scope.spawn(move || read_tail(stderr));
        scope.spawn(move || {
            // Not reaped here: the zombie keeps the process group's number from being used again.
            let exited = loop {
                match waitid(
                    WaitId::Pid(pid),
                    WaitIdOptions::EXITED | WaitIdOptions::NOWAIT,
                ) {
                    Err(rustix::io::Errno::INTR) => {}
                    Err(error) => break Err(error.into()),
                    Ok(_) => break Ok(()),
                }
            };
            let _ = sender.send(Event::Exited(exited));
        });
        let event = events.recv_timeout(limits.time).ok();
        // ESRCH would mean that the group is gone, which is what we want.
        let _ = kill_process_group(pid, Signal::KILL);
        let output = output.join().unwrap_or_default();
        let message = message.join().unwrap_or_default();
        // A short-lived process may have exited before its overlong output was read.
        let event = events
            .try_iter()
            .find(|e| matches!(e, Event::Overflow))
            .or(event);
        (event, output, message)
    })
}

/// `program` with the limits that the kernel enforces: git itself cannot limit what it fetches or unfolds.
///
/// prlimit(1) sets them before `program` begins, so that no child of it can be started without.
pub(super) fn limited(program: &str, limits: &Limits) -> Command {
    let mut command = Command::new("prlimit");
    let (file, memory) = (limits.file, limits.memory);
    command.args([
        &format!("--fsize={file}:{file}"),
        &format!("--data={memory}:{memory}"),
        "--",
        program,
    ]);
    command
}

fn hit_file_limit(status: ExitStatus, message: &str) -> bool {
    let signal = Signal::XFSZ.as_raw();
    status.signal() == Some(signal)
        || message.contains(&format!("died of signal {signal}"))
        || message.contains("File too large")
}

/// All of `pipe` and true, or `limit` bytes of it and false.
fn read_up_to(pipe: Option<impl Read>, limit: usize) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let Some(pipe) = pipe else {
        return (bytes, true);
    };
    // A read error ends the output; the exit status tells.
    let _ = pipe.take(limit as u64 + 1).read_to_end(&mut bytes);
    let complete = bytes.len() <= limit;
    bytes.truncate(limit);
    (bytes, complete)
}

/// The last lines of `pipe`.
fn read_tail(pipe: Option<impl Read>) -> String {
    let Some(mut pipe) = pipe else {
        return String::new();
    };
    let mut tail = Vec::new();
    let mut buffer = [0; MESSAGE];
    while let Ok(read @ 1..) = pipe.read(&mut buffer) {
        tail.extend_from_slice(&buffer[..read]);
        tail.drain(..tail.len().saturating_sub(MESSAGE));
    }
    String::from_utf8_lossy(&tail).trim().to_owned()
}
