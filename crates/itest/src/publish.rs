//! Pushing repositories to a host, from a checkout on that host: the push runs the hooks where a person's push runs them.

use crate::host::{Host, packed};
use anyhow::Result;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::path::Path;

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
pub fn init(host: &dyn Host) -> Result<bool> {
    if has_repository(host, "system")? {
        return Ok(false);
    }
    host.output(&["bbctl", "host", "init"])?;
    Ok(true)
}

/// Whether the host has the embedded repository `id`.
///
/// # Errors
/// The host does not run.
pub fn has_repository(host: &dyn Host, id: &str) -> Result<bool> {
    let repository = format!("{EMBEDDED}/{id}.git");
    Ok(host.exec(&["test", "-d", &repository])?.status.success())
}

/// Adds the tenant `id` with an embedded repository to the registry, unless it has one. Returns whether it did.
///
/// # Errors
/// `bbctl tenant add` fails.
pub fn register(host: &dyn Host, id: &str) -> Result<bool> {
    if has_repository(host, id)? {
        return Ok(false);
    }
    host.output(&["bbctl", "tenant", "add", id, "--repository", "embedded"])?;
    Ok(true)
}

/// Commits the files of `directory` (not its `.git/`) to the embedded repository `id` (a tenant's, or `system`) and pushes.
///
/// # Errors
/// The files cannot be copied. A push that is refused is not an error.
pub fn push(host: &dyn Host, id: &str, directory: &Path) -> Result<Pushed> {
    let output = with_files(host, id, directory, |words, files| host.run(words, files))?;
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
pub fn push_visibly(host: &dyn Host, id: &str, directory: &Path) -> Result<bool> {
    let status = with_files(host, id, directory, |words, files| {
        host.pass(words, Some(files))
    })?;
    Ok(status.success())
}

fn with_files<T>(
    host: &dyn Host,
    id: &str,
    directory: &Path,
    run: impl FnOnce(&[&OsStr], OwnedFd) -> Result<T>,
) -> Result<T> {
    let checkout = format!("{CHECKOUTS}/{id}");
    host.output(&["mkdir", "-p", &checkout])?;
    let script = format!("cd {checkout}\n{}", include_str!("publish.sh"));
    let remote = format!("{EMBEDDED}/{id}.git");
    let words = ["sh", "-euc", &script, "sh", &remote].map(OsStr::new);
    packed(directory, &["--exclude=./.git", "-cf"], |files| {
        run(&words, files)
    })
}
