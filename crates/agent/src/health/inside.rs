//! Checks inside a container: `agent enter` runs them, so that they have what its own processes have and nothing more.

use super::state::Outcome;
use super::target::Target;
use crate::child;
use anyhow::Context;
use bitbuilder_core::render::HealthCheck;
use bitbuilder_core::report::escape;
use rustix::fs::{MemfdFlags, memfd_create};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Bytes of output that are kept: enough for the last line.
const OUTPUT: usize = 64 << 10;
/// Characters of the last line that are shown.
const SHOWN: usize = 200;

/// Runs `words` in the container.
pub(super) fn command(check: &HealthCheck, words: &[String], limit: Duration) -> Outcome {
    enter(check, words, Stdio::null(), limit)
}

/// Gives the script to the container's shell on standard input, so that no file is needed inside.
pub(super) fn script(target: &Target, limit: Duration) -> Outcome {
    let path = target.script().ok_or("the generation has no script")?;
    let script = stdin(&path).map_err(|error| format!("{error:#}"))?;
    let shell = ["/bin/sh", "-s"].map(str::to_owned);
    enter(&target.check, &shell, script.into(), limit)
}

/// A copy of `path` in memory: what a container gets hold of is no file of the host.
fn stdin(path: &Path) -> anyhow::Result<File> {
    let script = fs::read(path).with_context(|| path.display().to_string())?;
    let mut copy: File = memfd_create("script", MemfdFlags::CLOEXEC)?.into();
    copy.write_all(&script)?;
    copy.rewind()?;
    Ok(copy)
}

fn enter(check: &HealthCheck, words: &[String], stdin: Stdio, limit: Duration) -> Outcome {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command
        .args(["enter", &check.machine, &check.capabilities, "--"])
        .args(words)
        .stdin(stdin);
    let answer = child::run(command, limit, OUTPUT).map_err(|error| error.to_string())?;
    let said = last_line(&answer.output);
    match answer.status {
        Some(status) if status.success() => Ok(said.unwrap_or_else(|| "passed".to_owned())),
        Some(status) => Err(match said {
            Some(said) => format!("{status}: {said}"),
            None => status.to_string(),
        }),
        None => Err(format!("not done after {} ms", limit.as_millis())),
    }
}

/// The last line that says something, without what could harm a terminal.
fn last_line(output: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
    let shown = line.chars().take(SHOWN);
    let shown: String = shown.map(|c| if c == '\t' { ' ' } else { c }).collect();
    Some(escape(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn the_last_line_is_shown() {
        assert_eq!(last_line(b"a\nb\x1b[0m\n\n").unwrap(), "b\\u{1b}[0m");
        assert_eq!(last_line(b"a\tb\r\n").unwrap(), "a b");
        assert_eq!(last_line(b" \n"), None);
        assert_eq!(last_line(&[b'x'; 1000]).unwrap().len(), SHOWN);
    }

    #[test]
    fn a_script_is_copied() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("check.sh");
        fs::write(&path, "exit 0").unwrap();
        let mut text = String::new();
        stdin(&path).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "exit 0");
        assert!(stdin(&dir.path().join("none")).is_err());
    }
}
