//! A host for one test.

mod evidence;
mod make;

use crate::bed::Bed;
use crate::publish::{self, Pushed};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

/// How long [`TestHost::wait_for`] waits: far longer than anything takes, also on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Time between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// This repository.
#[must_use]
pub fn repository() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    crates.ancestors().nth(2).unwrap_or(crates).to_path_buf()
}

/// A booted host with our package on it. Every test makes its own; they run side by side.
///
/// Whatever goes wrong in a method is a panic at the caller's line: tests say what they expect and no more. Dropped in a test
/// that passed, the host is destroyed. Dropped in a test that panics, it leaves `target/itest/<name>/` (journal, failed
/// units, generations and state) and stays up to be looked at with `cargo xtask --host NAME shell`; with `CI` in the
/// environment it goes. The next run of the same test removes what the last one left.
///
/// ```no_run
/// use bitbuilder_itest::{TestHost, repository};
///
/// let host = TestHost::new("reboot");
/// host.init();
/// host.register("shop");
/// host.push_ok("shop", &repository().join("examples/shop"));
/// host.wait_active("systemd-nspawn@shop-web.service");
///
/// host.write_file("/root/note", "kept");
/// host.crash();
/// host.boot();
/// assert_eq!(host.read_file("/root/note"), "kept");
/// host.wait_for("the shop answers", || {
///     host.sh_try("ip -br address show type bridge | grep -q UP").status.success()
/// });
/// assert!(!host.journal(&["-b", "-p", "err"]).contains("panicked"));
/// ```
#[derive(Debug)]
pub struct TestHost {
    /// Taken when it is dropped.
    bed: Option<Bed>,
}

impl TestHost {
    /// Makes a host and boots it; about two seconds once the trees are cached. `name` is the test's: lower-case letters,
    /// digits, dashes. The host's own name has the PID in it too.
    ///
    /// # Panics
    /// It cannot be made, or does not come to `running`.
    #[must_use]
    #[track_caller]
    pub fn new(name: &str) -> Self {
        let host = Self::stopped(name);
        host.boot();
        host
    }

    /// The same, not booted yet: for tests that look at the first boot.
    ///
    /// # Panics
    /// It cannot be made.
    #[must_use]
    #[track_caller]
    pub fn stopped(name: &str) -> Self {
        Self {
            bed: Some(must(make::host(name))),
        }
    }

    fn bed(&self) -> &Bed {
        self.bed.as_ref().expect("taken by drop only")
    }

    /// Name of the host.
    #[must_use]
    pub fn name(&self) -> &str {
        self.bed().name()
    }

    /// Runs a command on the host, without input; whatever its exit status.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn exec<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Output {
        must(self.bed().exec(arguments))
    }

    /// Runs a command that has to succeed; returns its standard output.
    ///
    /// # Panics
    /// It fails: the message has both streams.
    #[track_caller]
    pub fn exec_ok<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        must(self.bed().output(arguments))
    }

    /// Runs a shell script (`sh -eu`) that has to succeed; returns its standard output.
    ///
    /// # Panics
    /// It fails: the message has both streams.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        must(self.bed().sh(script))
    }

    /// Runs a shell script; whatever its exit status.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn sh_try(&self, script: &str) -> Output {
        self.exec(["sh", "-euc", script])
    }

    /// Writes a file; makes the directories above it.
    ///
    /// # Panics
    /// It cannot be written.
    #[track_caller]
    pub fn write_file(&self, path: &str, content: impl AsRef<[u8]>) {
        must(write(self.bed(), path, content.as_ref()));
    }

    /// Reads a text file.
    ///
    /// # Panics
    /// It cannot be read.
    #[track_caller]
    pub fn read_file(&self, path: &str) -> String {
        self.exec_ok(["cat", "--", path])
    }

    /// Whether there is something at `path`; a dangling symbolic link is something.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn exists(&self, path: &str) -> bool {
        let script = r#"[ -e "$1" ] || [ -L "$1" ]"#;
        self.exec(["sh", "-c", script, "sh", path]).status.success()
    }

    /// Copies a file of this machine to `target`, or the content of a directory into the directory `target`.
    ///
    /// # Panics
    /// It cannot be read or written.
    #[track_caller]
    pub fn put(&self, source: &Path, target: &str) {
        must(self.bed().put(source, target));
    }

    /// `bbctl host init`, unless that was done.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn init(&self) {
        must(publish::init(self.bed()));
    }

    /// `bbctl tenant add ID --repository embedded`, unless the tenant has a repository.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn register(&self, id: &str) {
        must(publish::register(self.bed(), id));
    }

    /// Pushes the files of `directory` (on this machine) to the embedded repository `id`: a tenant's, or `system`. The push
    /// runs on the host; every call with changed files is one more commit.
    ///
    /// # Panics
    /// The files cannot be copied. A push that is refused is a result.
    #[track_caller]
    pub fn push(&self, id: &str, directory: &Path) -> Pushed {
        must(publish::push(self.bed(), id, directory))
    }

    /// [`push`](Self::push) that has to be accepted; returns what git printed.
    ///
    /// # Panics
    /// It is refused.
    #[track_caller]
    pub fn push_ok(&self, id: &str, directory: &Path) -> String {
        let pushed = self.push(id, directory);
        assert!(
            pushed.accepted,
            "the push to {id} was refused:\n{}",
            pushed.output
        );
        pushed.output
    }

    /// Kills PID 1 and with it everything inside. What was written before is there at the next [`boot`](Self::boot).
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn crash(&self) {
        must(self.bed().kill());
    }

    /// Powers it off in order, and waits for the end.
    ///
    /// # Panics
    /// It does not end.
    #[track_caller]
    pub fn stop(&self) {
        must(self.bed().stop());
    }

    /// Boots it and waits until every job of the boot is done.
    ///
    /// # Panics
    /// A unit failed: the message names it.
    #[track_caller]
    pub fn boot(&self) {
        must(self.bed().boot());
    }

    /// Starts it and returns as soon as PID 1 is systemd: for tests that look while it boots, or crash it then.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start(&self) {
        must(self.bed().start());
    }

    /// `journalctl ARGUMENTS`, of the running or the stopped host.
    ///
    /// # Panics
    /// journalctl fails.
    #[track_caller]
    pub fn journal(&self, arguments: &[&str]) -> String {
        must(self.bed().journal(arguments))
    }

    /// Address of the uplink `up0`. The way out is 198.18.0.1: [`outside`](Self::outside).
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.bed().address()
    }

    /// Runs a shell script in the world outside of the hosts (198.18.0.1): it has the network and the tools of a host (`ip`,
    /// `ping`, `busybox`, `python3`) and nothing else. What it starts and leaves is the test's to end.
    ///
    /// # Panics
    /// `sh` cannot be started.
    #[track_caller]
    pub fn outside(&self, script: &str) -> Output {
        let mut command = must(self.bed().lab().tool("/bin/sh"));
        command.args(["-euc", script]).stdin(Stdio::null());
        must(command.output().context("cannot start sh"))
    }

    /// Cuts (`false`) or mends the host's uplink `up0`: inside it loses its carrier.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn set_uplink(&self, up: bool) {
        must(self.bed().set_wire("up0", up));
    }

    /// Waits until `condition` holds; `what` is for the message.
    ///
    /// # Panics
    /// It does not within two minutes.
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.wait_at_most(PATIENCE, what, condition);
    }

    /// [`wait_for`](Self::wait_for) with a limit of its own.
    ///
    /// # Panics
    /// The condition does not hold within `limit`.
    #[track_caller]
    pub fn wait_at_most(&self, limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + limit;
        while !condition() {
            assert!(
                Instant::now() < deadline,
                "waited {} s: {what}",
                limit.as_secs()
            );
            sleep(LOOK);
        }
    }

    /// Waits until a shell script succeeds; returns what it printed.
    ///
    /// # Panics
    /// It does not within two minutes.
    #[track_caller]
    pub fn wait_sh(&self, script: &str) -> String {
        let mut printed = String::new();
        self.wait_for(script, || {
            let output = self.sh_try(script);
            printed = String::from_utf8_lossy(&output.stdout).into_owned();
            output.status.success()
        });
        printed
    }

    /// Waits until a unit is active.
    ///
    /// # Panics
    /// It fails or does not within two minutes: the message has its last lines of log.
    #[track_caller]
    pub fn wait_active(&self, unit: &str) {
        must(self.active(unit));
    }

    fn active(&self, unit: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let output = self.bed().exec(["systemctl", "is-active", "--", unit])?;
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match state.as_str() {
                "active" => return Ok(()),
                "failed" => {}
                _ if Instant::now() < deadline => {
                    sleep(LOOK);
                    continue;
                }
                _ => {}
            }
            let log = self.bed().journal(&["-b", "-n", "40", "-u", unit])?;
            bail!("{unit} is {state}\n{log}");
        }
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let Some(bed) = self.bed.take() else { return };
        if panicking() {
            match evidence::keep(&bed) {
                Ok(directory) => eprintln!("{}: see {}", bed.name(), directory.display()),
                Err(error) => eprintln!("{}: no journal: {error:#}", bed.name()),
            }
            if std::env::var_os("CI").is_none() {
                eprintln!("it still runs: cargo xtask --host {} shell", bed.name());
                return;
            }
        }
        let name = bed.name().to_owned();
        if let Err(error) = bed.destroy() {
            eprintln!("{name} cannot be destroyed: {error:#}");
        }
    }
}

#[track_caller]
fn must<T>(result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error:#}"),
    }
}

fn write(bed: &Bed, path: &str, content: &[u8]) -> Result<()> {
    let script = r#"mkdir -p "$(dirname "$1")"; cat >"$1""#;
    let mut command = bed.command(["sh", "-euc", script, "sh", path])?;
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().context("no pipe")?;
    std::io::Write::write_all(&mut input, content)?;
    drop(input);
    let status = child.wait()?;
    if !status.success() {
        bail!("cannot write {path} on {}: {status}", bed.name());
    }
    Ok(())
}
