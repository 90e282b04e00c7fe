//! One host.

use super::lab::{self, Lab};
use super::process::Process;
use crate::command;
use crate::host::{ENVIRONMENT, Host};
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

const STOP_LIMIT: Duration = Duration::from_secs(90);

/// A host: a tree of the pool, running or not. A handle only: dropping it changes nothing.
#[derive(Debug, Clone)]
pub struct Bed {
    lab: Lab,
    name: String,
}

impl Bed {
    /// Makes the host `name` (it is its hostname too) from a snapshot of the tree `from`.
    ///
    /// # Errors
    /// The host exists, or there is no such tree.
    pub fn create(lab: &Lab, name: &str, from: &str) -> Result<Self> {
        let bed = Self::named(lab, name);
        lab.snapshot(from, &bed.tree())?;
        // What a host of the same name left when the pool was deleted under it.
        let _ = fs::remove_dir_all(bed.files());
        fs::create_dir_all(bed.files())?;
        let script = r#"cd "$1"; echo "$2" >etc/hostname; tr -d - </proc/sys/kernel/random/uuid >etc/machine-id
            printf '[Match]\nName=up0\n[Link]\nRequiredForOnline=no\n[Network]\nAddress=%s/16\nGateway=198.18.0.1\n' "$3" \
                >etc/systemd/network/10-uplink.network"#;
        let mut identity = lab.inside("/bin/sh")?;
        identity
            .args(["-euc", script, "sh"])
            .arg(lab.tree(&bed.tree()))
            .args([name, &bed.address().to_string()]);
        command::capture(&mut identity)?;
        Ok(bed)
    }

    /// The host `name` if it exists.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn open(lab: &Lab, name: &str) -> Result<Option<Self>> {
        let bed = Self::named(lab, name);
        Ok(lab.has(&bed.tree())?.then_some(bed))
    }

    /// Every host of the lab.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn all(lab: &Lab) -> Result<Vec<Self>> {
        let trees = lab.trees()?;
        let names = trees.iter().filter_map(|tree| tree.strip_prefix("host-"));
        Ok(names.map(|name| Self::named(lab, name)).collect())
    }

    fn named(lab: &Lab, name: &str) -> Self {
        Self {
            lab: lab.clone(),
            name: name.to_owned(),
        }
    }

    /// The lab it stands in.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Name of its tree in the pool; a stopped host's tree may be snapshotted too.
    #[must_use]
    pub fn tree(&self) -> String {
        format!("host-{}", self.name)
    }

    fn files(&self) -> PathBuf {
        self.lab.run().join("hosts").join(self.tree())
    }

    fn process(&self) -> Result<Process> {
        Process::read(&self.files().join("pid")).with_context(|| {
            format!(
                "the host {} is not running: `cargo xtask boot` boots it",
                self.name
            )
        })
    }

    /// PID 1 of the host as seen from outside; `nsenter -t PID -a` enters it.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<i32> {
        self.process().map(Process::pid)
    }

    fn supervisor(&self) -> Result<Command> {
        let supervise = self
            .lab
            .script("supervise.sh", include_str!("supervise.sh"))?;
        let init = self.lab.script("init.sh", include_str!("init.sh"))?;
        let mut command = self.lab.inside("unshare")?;
        command
            .args(["-m", "--propagation", "private", "--", "/bin/sh", "-eu"])
            .arg(supervise)
            .arg(self.lab.directory())
            .args([&self.tree(), &self.cgroup(), &self.wire()])
            .arg(init);
        Ok(command)
    }

    /// Name of its cgroup: labs share the machine's cgroup tree.
    fn cgroup(&self) -> String {
        let lab = crate::cache::key([self.lab.directory().as_os_str().as_encoded_bytes()]);
        format!("bitbuilder-{lab}-{}", self.name)
    }

    /// Name of its wires on the holder's side without `-<interface>`; interface names have 15 bytes.
    fn wire(&self) -> String {
        let key = crate::cache::key([self.name.as_bytes()]);
        format!("w{}", &key[..8])
    }

    /// A command inside; set its stdio as you like. Not a unit: for a unit of its own start `systemd-run --pipe --wait`.
    ///
    /// # Errors
    /// The host does not run.
    pub fn command<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<Command> {
        // Without a cgroup inside of the host's, the command would see itself in `/..`: nspawn and scopes fail there.
        let join = r#"mkdir -p "$1" && echo $$ >"$1/cgroup.procs"; shift; exec "$@""#;
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.lab.holder()?.pid().to_string(), "-m", "--"])
            .args(["/bin/sh", "-euc", join, "sh"])
            .arg(self.lab.run().join("cg").join(self.cgroup()).join("exec"))
            .args(["nsenter", "-t", &self.pid()?.to_string(), "-a", "--"])
            .args(ENVIRONMENT)
            .arg(format!(
                "TERM={}",
                std::env::var("TERM").unwrap_or("dumb".into())
            ))
            .args(arguments);
        Ok(command)
    }

    /// A command inside that stays in our cgroup: fast, for looking only.
    fn raw(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.pid()?.to_string(), "-a", "--"])
            .args(arguments)
            .stdin(Stdio::null());
        Ok(command)
    }

    fn wait_gone(&self, limit: Duration) -> Result<()> {
        let exit = self.files().join("exit");
        lab::wait_until(limit, || exit.exists())
            .with_context(|| format!("the host {} did not end", self.name))
    }
}

impl Host for Bed {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_running(&self) -> bool {
        self.process().is_ok()
    }

    fn start(&self) -> Result<()> {
        let run = self.files();
        fs::create_dir_all(&run)?;
        if self.is_running() {
            bail!("the host {} runs already", self.name);
        }
        for file in ["pid", "exit", "up", "go", "tty", "console.log"] {
            let _ = fs::remove_file(run.join(file));
        }
        let log = run.join("supervise.log");
        lab::detach(self.supervisor()?, &log)?;
        let started = || run.join("up").exists() || run.join("exit").exists();
        let waited = lab::wait_until(Duration::from_secs(20), started);
        if waited.is_err() || !run.join("up").exists() {
            bail!(
                "the host {} did not start:\n{}",
                self.name,
                fs::read_to_string(&log).unwrap_or_default()
            );
        }
        Ok(())
    }

    fn stop(&self) -> Result<()> {
        command::capture(&mut self.raw(&["systemctl", "--no-block", "poweroff"])?)?;
        self.wait_gone(STOP_LIMIT)
    }

    /// Kills PID 1, and with it everything inside.
    fn kill(&self) -> Result<()> {
        self.process()?.kill()?;
        self.wait_gone(Duration::from_secs(20))
    }

    fn run(&self, words: &[&OsStr], input: OwnedFd) -> Result<Output> {
        Ok(self.command(words)?.stdin(input).output()?)
    }

    fn pass(&self, words: &[&OsStr], input: Option<OwnedFd>) -> Result<ExitStatus> {
        let mut command = self.command(words)?;
        if let Some(input) = input {
            command.stdin(input);
        }
        Ok(command.status()?)
    }

    fn journal(&self, arguments: &[&str]) -> Result<String> {
        let mut command = if self.is_running() {
            self.command(["journalctl", "--no-pager"])?
        } else {
            let mut command = self.lab.tool("journalctl")?;
            let directory = format!("/mnt/lab/pool/{}/var/log/journal", self.tree());
            command.args(["--no-pager", "-D", &directory]);
            command
        };
        command::capture(command.args(arguments))
    }

    /// From its name: hosts share the wire.
    fn address(&self) -> Ipv4Addr {
        let hash = Sha256::digest(self.name.as_bytes());
        // Not .0.x (the world outside), not .x.0 and not .x.255.
        Ipv4Addr::new(198, 18, 1 + hash[0] % 254, 1 + hash[1] % 254)
    }

    /// With the network and the tools of the lab.
    fn outside(&self, script: &str) -> Result<Output> {
        let mut command = self.lab.tool("/bin/sh")?;
        command.args(["-euc", script]).stdin(Stdio::null());
        command.output().context("cannot start sh")
    }

    fn set_uplink(&self, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        let wire = format!("{}-up0", self.wire());
        command::capture(self.lab.tool("ip")?.args(["link", "set", &wire, state])).map(drop)
    }

    fn note(&self) -> Option<String> {
        fs::read_to_string(self.files().join("note")).ok()
    }

    fn set_note(&self, text: &str) -> Result<()> {
        let path = self.files().join("note");
        let partial = path.with_extension("partial");
        fs::write(&partial, text)?;
        Ok(fs::rename(&partial, &path)?)
    }

    fn destroy(&self) -> Result<()> {
        if self.is_running() {
            self.kill()?;
        }
        self.lab.delete(&self.tree())?;
        let _ = fs::remove_dir_all(self.files());
        Ok(())
    }

    fn shell(&self) -> String {
        format!("cargo xtask --host {} shell", self.name)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(120)
    }

    fn pace(&self) -> Duration {
        Duration::from_millis(50)
    }
}
