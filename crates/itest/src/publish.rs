//! Pushing repositories to a host, from a checkout on that host: the push runs the hooks where a person's push runs them.

use crate::bed::Bed;
use crate::command;
use anyhow::{Context, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// Where the bare repositories of a host are.
const EMBEDDED: &str = "/var/lib/bitbuilder/git";
/// Where the checkouts are that are pushed from, on the host.
const CHECKOUTS: &str = "/root/push";

/// What a push did.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// The host took it.
    pub accepted: bool,
    /// What `git push` printed, the host's words included.
    pub output: String,
}

/// Makes the host a BitBuilder host with an embedded system repository, unless it is one. Returns whether it did.
///
/// # Errors
/// `bbctl host init` fails.
pub fn init(bed: &Bed) -> Result<bool> {
    if has_repository(bed, "system")? {
        return Ok(false);
    }
    bed.output(["bbctl", "host", "init"])?;
    Ok(true)
}

/// Whether the host has the embedded repository `id`.
///
/// # Errors
/// The host does not run.
pub fn has_repository(bed: &Bed, id: &str) -> Result<bool> {
    let repository = format!("{EMBEDDED}/{id}.git");
    Ok(bed.exec(["test", "-d", &repository])?.status.success())
}

/// Adds the tenant `id` with an embedded repository to the registry, unless it has one. Returns whether it did.
///
/// # Errors
/// `bbctl tenant add` fails.
pub fn register(bed: &Bed, id: &str) -> Result<bool> {
    if has_repository(bed, id)? {
        return Ok(false);
    }
    bed.output(["bbctl", "tenant", "add", id, "--repository", "embedded"])?;
    Ok(true)
}

/// Commits the files of `directory` (not its `.git/`) to the embedded repository `id` (a tenant's, or `system`) and pushes.
///
/// # Errors
/// The files cannot be copied. A push that is refused is not an error.
pub fn push(bed: &Bed, id: &str, directory: &Path) -> Result<Pushed> {
    let output = with_files(bed, id, directory, Command::output)?;
    let text = [output.stdout, output.stderr].concat();
    Ok(Pushed {
        accepted: output.status.success(),
        output: String::from_utf8_lossy(&text).into_owned(),
    })
}

/// [`push`], with the output on our own standard output as it comes. Returns whether the host took it.
///
/// # Errors
/// The files cannot be copied.
pub fn push_visibly(bed: &Bed, id: &str, directory: &Path) -> Result<bool> {
    Ok(with_files(bed, id, directory, Command::status)?.success())
}

fn with_files<T>(
    bed: &Bed,
    id: &str,
    directory: &Path,
    run: fn(&mut Command) -> std::io::Result<T>,
) -> Result<T> {
    let checkout = format!("{CHECKOUTS}/{id}");
    bed.output(["mkdir", "-p", &checkout])?;
    let mut pack = Command::new("tar")
        .arg("-C")
        .arg(directory)
        .args(["--exclude=./.git", "-cf", "-", "."])
        .stdout(Stdio::piped())
        .spawn()?;
    let stream = pack.stdout.take().context("tar has no output")?;
    let script = format!("cd {checkout}\n{}", include_str!("publish.sh"));
    let remote = format!("{EMBEDDED}/{id}.git");
    let mut publish = bed.command(["sh", "-euc", &script, "sh", &remote])?;
    let result = run(publish.stdin(stream));
    // Dropped with the pipe that it held: tar ends even when nobody reads.
    drop(publish);
    let packed = pack.wait()?;
    let result = result?;
    command::checked(
        &format!("tar of {}", directory.display()),
        std::process::Output {
            status: packed,
            stdout: Vec::new(),
            stderr: Vec::new(),
        },
    )?;
    Ok(result)
}
