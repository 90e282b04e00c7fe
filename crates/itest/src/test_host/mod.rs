//! A host for one test.

mod evidence;
mod make;
mod vm;

pub use vm::VmHost;

use crate::command;
use crate::host::Host;
use crate::publish::{self, Pushed};
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::fs::File;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::thread::{panicking, sleep};
use std::time::{Duration, Instant};

/// This repository.
#[must_use]
pub fn repository() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR"));
    crates.ancestors().nth(2).unwrap_or(crates).to_path_buf()
}

/// Whether hosts that may be either are to be VM hosts: `BITBUILDER_BED=vm`.
fn on_vm() -> bool {
    std::env::var_os("BITBUILDER_BED").is_some_and(|bed| bed == "vm")
}

/// A booted host with our package on it: a container host, or with `BITBUILDER_BED=vm` in the environment a VM host. Every
/// test makes its own; they run side by side.
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
    host: Arc<dyn Host>,
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
        let host = if on_vm() {
            Self::of(Arc::new(must(make::vm(name))))
        } else {
            Self::stopped(name)
        };
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
        if on_vm() {
            let vm = must(make::vm(name));
            must(vm.forget_snapshot());
            return Self::of(Arc::new(vm));
        }
        Self::of(Arc::new(must(make::container(name))))
    }

    fn of(host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    /// Name of the host.
    #[must_use]
    pub fn name(&self) -> &str {
        self.host.name()
    }

    /// The command as one line, and how it ended.
    fn run<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<(String, Output)> {
        let words: Vec<I> = arguments.into_iter().collect();
        let words: Vec<&OsStr> = words.iter().map(AsRef::as_ref).collect();
        let line = words.join(OsStr::new(" ")).to_string_lossy().into_owned();
        let output = self.host.run(&words, File::open("/dev/null")?.into())?;
        Ok((line, output))
    }

    /// Runs a command on the host, without input; whatever its exit status.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn exec<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Output {
        must(self.run(arguments).map(|(_, output)| output))
    }

    /// Runs a command that has to succeed; returns its standard output.
    ///
    /// # Panics
    /// It fails: the message has both streams.
    #[track_caller]
    pub fn exec_ok<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> String {
        let (line, output) = must(self.run(arguments));
        must(command::checked(&line, output))
    }

    /// Runs a shell script (`sh -eu`) that has to succeed; returns its standard output.
    ///
    /// # Panics
    /// It fails: the message has both streams.
    #[track_caller]
    pub fn sh(&self, script: &str) -> String {
        must(self.host.sh(script))
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
        must(self.host.write(path, content.as_ref()));
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
        must(self.host.put(source, target));
    }

    /// `bbctl host init`, unless that was done.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn init(&self) {
        must(publish::init(&*self.host));
    }

    /// `bbctl tenant add ID --repository embedded`, unless the tenant has a repository.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn register(&self, id: &str) {
        must(publish::register(&*self.host, id));
    }

    /// Pushes the files of `directory` (on this machine) to the embedded repository `id`: a tenant's, or `system`. The push
    /// runs on the host; every call with changed files is one more commit.
    ///
    /// # Panics
    /// The files cannot be copied. A push that is refused is a result.
    #[track_caller]
    pub fn push(&self, id: &str, directory: &Path) -> Pushed {
        must(publish::push(&*self.host, id, directory))
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
        must(self.host.kill());
    }

    /// Powers it off in order, and waits for the end.
    ///
    /// # Panics
    /// It does not end.
    #[track_caller]
    pub fn stop(&self) {
        must(self.host.stop());
    }

    /// Boots it and waits until every job of the boot is done.
    ///
    /// # Panics
    /// A unit failed: the message names it.
    #[track_caller]
    pub fn boot(&self) {
        must(self.host.boot());
    }

    /// Starts it and returns as soon as PID 1 is systemd: for tests that look while it boots, or crash it then.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start(&self) {
        must(self.host.start());
    }

    /// `journalctl ARGUMENTS`, of the running or the stopped host.
    ///
    /// # Panics
    /// journalctl fails.
    #[track_caller]
    pub fn journal(&self, arguments: &[&str]) -> String {
        must(self.host.journal(arguments))
    }

    /// Address of the uplink `up0`. The way out is 198.18.0.1: [`outside`](Self::outside).
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.host.address()
    }

    /// Runs a shell script in the world outside of the hosts (198.18.0.1): it has the network and the tools of a host (`ip`,
    /// `ping`, `busybox`, `python3`) and nothing else. What it starts and leaves is the test's to end.
    ///
    /// # Panics
    /// `sh` cannot be started.
    #[track_caller]
    pub fn outside(&self, script: &str) -> Output {
        must(self.host.outside(script))
    }

    /// Cuts (`false`) or mends the host's uplink `up0`: inside it loses its carrier.
    ///
    /// # Panics
    /// The host does not run.
    #[track_caller]
    pub fn set_uplink(&self, up: bool) {
        must(self.host.set_uplink(up));
    }

    /// Waits until `condition` holds; `what` is for the message.
    ///
    /// # Panics
    /// It does not in the host's [patience](Host::patience).
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl FnMut() -> bool) {
        self.wait_at_most(self.host.patience(), what, condition);
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
            sleep(self.host.pace());
        }
    }

    /// Waits until a shell script succeeds; returns what it printed.
    ///
    /// # Panics
    /// It does not in the host's [patience](Host::patience).
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
    /// It fails or does not in the host's [patience](Host::patience): the message has its last lines of log.
    #[track_caller]
    pub fn wait_active(&self, unit: &str) {
        must(self.active(unit));
    }

    fn active(&self, unit: &str) -> Result<()> {
        let deadline = Instant::now() + self.host.patience();
        loop {
            let output = self.host.exec(&["systemctl", "is-active", "--", unit])?;
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match state.as_str() {
                "active" => return Ok(()),
                "failed" => {}
                _ if Instant::now() < deadline => {
                    sleep(self.host.pace());
                    continue;
                }
                _ => {}
            }
            let log = self.host.journal(&["-b", "-n", "40", "-u", unit])?;
            bail!("{unit} is {state}\n{log}");
        }
    }
}

impl Drop for TestHost {
    fn drop(&mut self) {
        if panicking() {
            match evidence::keep(&*self.host) {
                Ok(directory) => eprintln!("{}: see {}", self.name(), directory.display()),
                Err(error) => eprintln!("{}: no journal: {error:#}", self.name()),
            }
            if std::env::var_os("CI").is_none() {
                eprintln!("it still runs: {}", self.host.shell());
                return;
            }
        }
        if let Err(error) = self.host.destroy() {
            eprintln!("{} cannot be destroyed: {error:#}", self.name());
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
