//! Programs that are run for the person at the terminal: with their input, output and exit status.

use crate::host::HostError;
use crate::tool::Tool;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

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

/// Has systemd start `unit` at boot (`systemctl enable`).
///
/// # Errors
/// When it cannot be started or fails; with what it said.
pub fn enable(unit: &str) -> Result<(), HostError> {
    let arguments = ["--quiet", "enable", "--", unit];
    let output = Command::new("systemctl")
        .args(arguments)
        .output()
        .map_err(|source| HostError::Spawn {
            program: "systemctl".into(),
            source,
        })?;
    if output.status.success() {
        return Ok(());
    }
    Err(HostError::Tool {
        command: format!("systemctl {}", arguments.join(" ")),
        message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// The capabilities that the first process of `machine` can ever have (bit n is capability n): a command that is run
/// beside it gets no others.
///
/// # Errors
/// When the machine does not run.
pub fn bounding_set(machine: &str) -> Result<u64, HostError> {
    let tool = Tool {
        program: "machinectl",
        limit: Duration::from_secs(10),
    };
    let answer = tool.check(&["show", "--property=Leader", "--value", "--", machine])?;
    let leader: u32 = String::from_utf8_lossy(&answer).trim().parse().unwrap_or(0);
    let path = Path::new("/proc").join(leader.to_string()).join("status");
    let status = std::fs::read_to_string(&path).map_err(HostError::file(&path))?;
    let mask = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .ok_or_else(|| HostError::damaged(&path, "has no CapBnd"))
}
