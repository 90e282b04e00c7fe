//! Running programs with errors that say what was run.

use anyhow::{Context, Result, bail};
use std::process::{Command, Output, Stdio};

/// Runs `command` with the caller's stdio; an exit status other than 0 is an error.
///
/// # Errors
/// The program cannot be started, or fails.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", line(command)))?;
    if !status.success() {
        bail!("{} failed: {status}", line(command));
    }
    Ok(())
}

/// Runs `command` and returns what it printed; the error carries what it said on both streams.
///
/// # Errors
/// The program cannot be started, or fails.
pub fn capture(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", line(command)))?;
    checked(&line(command), output)
}

/// The standard output of a finished program, or an error with both streams.
///
/// # Errors
/// The exit status is not 0.
pub fn checked(what: &str, output: Output) -> Result<String> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    bail!(
        "{what} failed: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A command as a person would type it, shortened: scripts are arguments too.
fn line(command: &Command) -> String {
    let mut text = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        let argument = argument.to_string_lossy();
        text.push(' ');
        text.push_str(argument.lines().next().unwrap_or_default());
    }
    text
}
