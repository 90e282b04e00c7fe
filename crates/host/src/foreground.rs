//! Programs that are run for the person at the terminal: with their input, output and exit status.

use crate::host::HostError;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Runs `program` with the caller's terminal and waits for its end. Its status: what it exited with, or 128 and the
/// number of the signal that ended it, as shells say it.
///
/// # Errors
/// When it cannot be started.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<u8, HostError> {
    let status = Command::new(program)
        .args(arguments)
        .status()
        .map_err(|source| HostError::Spawn {
            program: program.to_owned(),
            source,
        })?;
    Ok(number(status))
}

fn number(status: ExitStatus) -> u8 {
    let number = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 1,
    };
    u8::try_from(number).unwrap_or(u8::MAX)
}

/// Makes `directory` a Git repository with the branch `main`, as its user's Git is configured; false when there is no git.
///
/// # Errors
/// When git fails.
pub fn git_init(directory: &Path) -> Result<bool, HostError> {
    let arguments = [
        OsString::from("init"),
        "--quiet".into(),
        "--initial-branch=main".into(),
        "--".into(),
        directory.into(),
    ];
    match git(&arguments) {
        Err(HostError::Spawn { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(false),
        other => other.map(|_| true),
    }
}

/// Runs the user's own git, in a work tree of the user's own, with the user's identity, keys and hooks.
///
/// # Errors
/// When it cannot be started or fails; with what it said.
pub fn git<S: AsRef<OsStr>>(arguments: &[S]) -> Result<String, HostError> {
    let output = Command::new("git")
        .args(arguments)
        .stdin(Stdio::inherit())
        .output()
        .map_err(|source| HostError::Spawn {
            program: "git".into(),
            source,
        })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let words = arguments.iter().map(|word| word.as_ref().to_string_lossy());
    let line: Vec<_> = words.collect();
    Err(HostError::Tool {
        command: format!("git {}", line.join(" ")),
        message: text(&output.stderr),
    })
}
