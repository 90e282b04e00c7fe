//! Starting a system tool: fixed environment, arguments as a vector, no shell, a time limit.

use crate::host::HostError;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// Where Debian has its tools.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// Whether a program is there to be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let directories = PATH.split(':').map(Path::new);
    directories
        .into_iter()
        .any(|directory| directory.join(program).is_file())
}

/// A program that is started with a fixed environment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tool {
    /// Its name, looked up in the fixed search path.
    pub(crate) program: &'static str,
    /// It is killed after this time.
    pub(crate) limit: Duration,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Answer {
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error, without the last newline.
    pub(crate) stderr: String,
}

impl Tool {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or does not end in time; an exit status is not an error.
    pub(crate) fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Answer, HostError> {
        let mut child = Command::new(self.program)
            .args(arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .env("SYSTEMD_COLORS", "0")
            .env("SYSTEMD_PAGER", "")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| self.spawn_error(source))?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        thread::scope(|scope| {
            let (ended, ends) = mpsc::channel();
            let also_ended = ended.clone();
            scope.spawn(move || {
                // A program that does not read its input says so in its exit status.
                let _ = stdin.map(|mut stdin| stdin.write_all(input));
            });
            let out = scope.spawn(move || read_all(stdout, &ended));
            let err = scope.spawn(move || read_all(stderr, &also_ended));
            let in_time = self.await_ends(&mut child, &ends);
            let status = child.wait().map_err(|source| self.spawn_error(source))?;
            let stdout = out.join().unwrap_or_default();
            let stderr = err.join().unwrap_or_default();
            if !in_time {
                return Err(HostError::Timeout(self.line(arguments)));
            }
            Ok(Answer {
                status,
                stdout,
                stderr: String::from_utf8_lossy(&stderr).trim_end().to_owned(),
            })
        })
    }

    /// Runs it and wants success; its standard output.
    ///
    /// # Errors
    /// As [`Tool::run`], and when its exit status is not 0: with what it said.
    pub(crate) fn check(&self, arguments: &[&str]) -> Result<Vec<u8>, HostError> {
        let answer = self.run(arguments, b"")?;
        if answer.status.success() {
            Ok(answer.stdout)
        } else {
            Err(self.failure(arguments, &answer))
        }
    }

    /// The error of a run that did not succeed.
    pub(crate) fn failure(&self, arguments: &[&str], answer: &Answer) -> HostError {
        let message = if answer.stderr.is_empty() {
            answer.status.to_string()
        } else {
            answer.stderr.clone()
        };
        HostError::Tool {
            command: self.line(arguments),
            message,
        }
    }

    /// The command line, for people.
    pub(crate) fn line(&self, arguments: &[&str]) -> String {
        let mut line = self.program.to_owned();
        for argument in arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }

    /// Waits for the end of both outputs; kills the program when it takes too long.
    fn await_ends(&self, child: &mut Child, ends: &mpsc::Receiver<()>) -> bool {
        let deadline = Instant::now() + self.limit;
        for _ in 0..2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if ends.recv_timeout(left).is_err() {
                // It may have ended by itself since.
                let _ = child.kill();
                return false;
            }
        }
        true
    }

    fn spawn_error(&self, source: std::io::Error) -> HostError {
        HostError::Spawn {
            program: self.program.to_owned(),
            source,
        }
    }
}

fn read_all(stream: Option<impl Read>, ended: &mpsc::Sender<()>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read before an error is still worth showing.
        let _ = stream.read_to_end(&mut bytes);
    }
    // Nobody listens any more after a timeout.
    let _ = ended.send(());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(program: &'static str, milliseconds: u64) -> Tool {
        Tool {
            program,
            limit: Duration::from_millis(milliseconds),
        }
    }

    #[test]
    fn passes_input_and_output_through() {
        let answer = tool("cat", 10_000).run(&["-"], b"hello").unwrap();
        assert!(answer.status.success());
        assert_eq!(answer.stdout, b"hello");
    }

    #[test]
    fn programs_are_found_or_not() {
        assert!(is_installed("cat") && !is_installed("no-such-tool"));
    }

    #[test]
    fn the_environment_is_fixed() {
        let out = tool("env", 10_000).check(&[]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("LANG=C.UTF-8"), "{text}");
        assert!(!text.contains("HOME="), "{text}");
    }

    #[test]
    fn a_failure_says_what_the_tool_said() {
        let error = tool("ls", 10_000).check(&["/nonexistent"]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("ls /nonexistent failed: "), "{text}");
        assert!(text.contains("No such file"), "{text}");
        let error = tool("no-such-tool", 10_000).check(&[]).unwrap_err();
        assert!(matches!(error, HostError::Spawn { .. }), "{error}");
    }

    #[test]
    fn a_tool_that_hangs_is_killed() {
        let before = Instant::now();
        let error = tool("sleep", 50).check(&["100"]).unwrap_err();
        assert!(matches!(error, HostError::Timeout(_)), "{error}");
        assert!(before.elapsed() < Duration::from_secs(50));
    }
}
