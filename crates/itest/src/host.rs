//! What is done with a host, whatever it is made of.

use crate::command;
use anyhow::{Context, Result, bail};
use rustix::fs::{MemfdFlags, SeekFrom};
use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a command inside of a host starts with: the environment of a login of root, and nothing of ours.
pub(crate) const ENVIRONMENT: [&str; 7] = [
    "env",
    "-i",
    "-C",
    "/root",
    "HOME=/root",
    "LANG=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];

/// Arguments of tar that unpack a package or a repository; directories that exist keep their mode.
pub(crate) const UNPACK: [&str; 5] = [
    "--xattrs",
    "--numeric-owner",
    "--no-overwrite-dir",
    "-xpf",
    "-",
];

/// A host: a handle only, dropping it changes nothing.
pub trait Host: Debug + Send + Sync {
    /// Hostname.
    fn name(&self) -> &str;

    /// Whether it runs.
    fn is_running(&self) -> bool;

    /// Starts it; returns as soon as commands can be run inside, which is long before the boot is done.
    ///
    /// # Errors
    /// It runs already, or does not start.
    fn start(&self) -> Result<()>;

    /// Powers it off and waits for the end.
    ///
    /// # Errors
    /// It does not run or does not end.
    fn stop(&self) -> Result<()>;

    /// Ends it without a warning: a crash. What was written before is there at the next start.
    ///
    /// # Errors
    /// It does not run.
    fn kill(&self) -> Result<()>;

    /// Runs a command inside with `input` and keeps what it prints. Not a unit: for a unit of its own start
    /// `systemd-run --pipe --wait`.
    ///
    /// # Errors
    /// The host does not run. A failing command is not an error.
    fn run(&self, words: &[&OsStr], input: OwnedFd) -> Result<Output>;

    /// Runs a command inside whose output is ours; `input` or ours is its input, terminals included.
    ///
    /// # Errors
    /// The host does not run. A failing command is not an error.
    fn pass(&self, words: &[&OsStr], input: Option<OwnedFd>) -> Result<ExitStatus>;

    /// `journalctl ARGUMENTS`.
    ///
    /// # Errors
    /// journalctl fails, or the journal of a host that does not run cannot be read.
    fn journal(&self, arguments: &[&str]) -> Result<String>;

    /// Address of its uplink `up0`. The world outside is 198.18.0.1.
    fn address(&self) -> Ipv4Addr;

    /// Runs a shell script in the world outside of the host.
    ///
    /// # Errors
    /// It cannot be started. A failing script is not an error.
    fn outside(&self, script: &str) -> Result<Output>;

    /// Cuts or mends its uplink, seen from outside: inside, the interface loses its carrier.
    ///
    /// # Errors
    /// It does not run.
    fn set_uplink(&self, up: bool) -> Result<()>;

    /// What [`Host::set_note`] wrote: it is kept outside of the host and goes with it.
    fn note(&self) -> Option<String>;

    /// Keeps a text about the host, for those who made it.
    ///
    /// # Errors
    /// It cannot be written.
    fn set_note(&self, text: &str) -> Result<()>;

    /// Crashes it if it runs, and deletes it.
    ///
    /// # Errors
    /// Something of it cannot be deleted.
    fn destroy(&self) -> Result<()>;

    /// How long anything may take on it: far longer than it does, also on a loaded machine.
    fn patience(&self) -> Duration;

    /// Time between two looks at it.
    fn pace(&self) -> Duration;

    /// The command that gives a shell on it.
    fn shell(&self) -> String;

    /// Copies what is known of it beside its journal into `directory`.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep_logs(&self, _directory: &Path) -> Result<()> {
        Ok(())
    }

    /// Runs a command inside without input and keeps what it prints.
    ///
    /// # Errors
    /// The host does not run. A failing command is not an error.
    fn exec(&self, words: &[&str]) -> Result<Output> {
        self.run(&os(words), File::open("/dev/null")?.into())
    }

    /// Runs a command inside that has to succeed; returns its standard output.
    ///
    /// # Errors
    /// It fails (the error carries both streams).
    fn output(&self, words: &[&str]) -> Result<String> {
        command::checked(&words.join(" "), self.exec(words)?)
    }

    /// Runs a shell script inside that has to succeed; returns its standard output.
    ///
    /// # Errors
    /// It fails (the error carries both streams).
    fn sh(&self, script: &str) -> Result<String> {
        self.output(&["sh", "-euc", script])
    }

    /// Writes a file; makes the directories above it.
    ///
    /// # Errors
    /// It cannot be written.
    fn write(&self, path: &str, content: &[u8]) -> Result<()> {
        let memory = rustix::fs::memfd_create("content", MemfdFlags::CLOEXEC)?;
        let mut file = File::from(memory);
        file.write_all(content)?;
        rustix::fs::seek(&file, SeekFrom::Start(0))?;
        self.write_from(path, file.into())
    }

    /// Copies a file to `target`, or the content of a directory into the directory `target`, with modes and owners.
    ///
    /// # Errors
    /// The source cannot be read or the target cannot be written.
    fn put(&self, source: &Path, target: &str) -> Result<()> {
        if !source.is_dir() {
            let file = File::open(source);
            let file = file.with_context(|| format!("cannot read {}", source.display()))?;
            return self.write_from(target, file.into());
        }
        let script = r#"mkdir -p "$1"; cd "$1"; shift; exec tar "$@""#;
        let words = ["sh", "-euc", script, "sh", target];
        let words: Vec<&str> = words.into_iter().chain(UNPACK).collect();
        packed(source, &["--xattrs", "--numeric-owner", "-cpf"], |stream| {
            let output = self.run(&os(&words), stream)?;
            command::checked("tar", output).map(drop)
        })
    }

    /// Writes the file at `path` from a stream.
    ///
    /// # Errors
    /// It cannot be written.
    fn write_from(&self, path: &str, content: OwnedFd) -> Result<()> {
        let script = r#"mkdir -p "$(dirname "$1")"; cat >"$1""#;
        let output = self.run(&os(&["sh", "-euc", script, "sh", path]), content)?;
        command::checked(&format!("writing {path}"), output).map(drop)
    }

    /// Waits until every job of the boot is done.
    ///
    /// # Errors
    /// Units failed (the error names them), or the boot takes longer than [`Host::patience`].
    fn wait_running(&self) -> Result<()> {
        let deadline = Instant::now() + self.patience();
        loop {
            // `--wait` blocks for ever before D-Bus is up, so this is asked again and again.
            let output = self.exec(&["systemctl", "is-system-running"])?;
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match state.as_str() {
                "running" => return Ok(()),
                "degraded" => {
                    let script = "systemctl --failed --no-legend --plain; \
                        journalctl -b -p warning -n 40 --no-pager";
                    let failed = self.exec(&["sh", "-c", script])?;
                    let failed = String::from_utf8_lossy(&failed.stdout).into_owned();
                    bail!("units failed on {}:\n{failed}", self.name());
                }
                _ if Instant::now() > deadline => bail!(
                    "{} is still {state:?} after {} s",
                    self.name(),
                    self.patience().as_secs()
                ),
                _ => sleep(self.pace()),
            }
        }
    }

    /// `start` and `wait_running`.
    ///
    /// # Errors
    /// Theirs.
    fn boot(&self) -> Result<()> {
        self.start()?;
        self.wait_running()
    }
}

fn os<'a>(words: &[&'a str]) -> Vec<&'a OsStr> {
    words.iter().map(|word| OsStr::new(*word)).collect()
}

/// Runs `unpack` on a tar stream of the content of the directory `source`. `arguments` come before the name of the archive.
pub(crate) fn packed<T>(
    source: &Path,
    arguments: &[&str],
    unpack: impl FnOnce(OwnedFd) -> Result<T>,
) -> Result<T> {
    let mut pack = Command::new("tar")
        .arg("-C")
        .arg(source)
        .args(arguments)
        .args(["-", "."])
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start tar")?;
    let stream = pack.stdout.take().context("tar has no output")?;
    // The stream is closed when it is unpacked: tar ends even when nobody read all of it.
    let unpacked = unpack(stream.into());
    let packed = pack.wait()?;
    let unpacked = unpacked?;
    if !packed.success() {
        bail!("cannot read {}: tar failed: {packed}", source.display());
    }
    Ok(unpacked)
}
