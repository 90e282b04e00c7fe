//! One host.

use super::lab::{self, Lab};
use super::process::Process;
use crate::command;
use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const BOOT_LIMIT: Duration = Duration::from_secs(90);
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
        let _ = fs::remove_dir_all(bed.run());
        fs::create_dir_all(bed.run())?;
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

    /// Hostname.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lab it stands in.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Address of its uplink `up0`, from its name. The world outside is 198.18.0.1, in the namespaces of [`Lab::tool`].
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        let hash = Sha256::digest(self.name.as_bytes());
        // Not .0.x (the world outside), not .x.0 and not .x.255.
        Ipv4Addr::new(198, 18, 1 + hash[0] % 254, 1 + hash[1] % 254)
    }

    /// Name of its tree in the pool; a stopped host's tree may be snapshotted too.
    #[must_use]
    pub fn tree(&self) -> String {
        format!("host-{}", self.name)
    }

    fn run(&self) -> PathBuf {
        self.lab.run().join("hosts").join(self.tree())
    }

    /// What [`Bed::set_note`] wrote: it is kept outside of the host and goes with it.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        fs::read_to_string(self.run().join("note")).ok()
    }

    /// Keeps a text about the host, for those who made it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn set_note(&self, text: &str) -> Result<()> {
        let path = self.run().join("note");
        let partial = path.with_extension("partial");
        fs::write(&partial, text)?;
        Ok(fs::rename(&partial, &path)?)
    }

    fn process(&self) -> Result<Process> {
        Process::read(&self.run().join("pid"))
            .with_context(|| format!("the host {} is not running", self.name))
    }

    /// Whether its PID 1 lives.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().is_ok()
    }

    /// PID 1 of the host as seen from outside; `nsenter -t PID -a` enters it.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> Result<i32> {
        self.process().map(Process::pid)
    }

    /// Starts it; returns when PID 1 is systemd.
    ///
    /// # Errors
    /// It runs already, or the namespaces cannot be made (the error carries what the scripts said).
    pub fn start(&self) -> Result<()> {
        let run = self.run();
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

    /// Waits until every job of the boot is done.
    ///
    /// # Errors
    /// Units failed (the error names them), or the boot takes longer than 90 s.
    pub fn wait_running(&self) -> Result<()> {
        let deadline = Instant::now() + BOOT_LIMIT;
        loop {
            // `--wait` blocks for ever before D-Bus is up, so this is asked again and again.
            let output = self.raw(&["systemctl", "is-system-running"])?.output()?;
            let state = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            match state.as_str() {
                "running" => return Ok(()),
                "degraded" => bail!("units failed on {}:\n{}", self.name, self.failed_units()?),
                _ if Instant::now() > deadline => {
                    bail!(
                        "{} is still {state:?} after {} s",
                        self.name,
                        BOOT_LIMIT.as_secs()
                    )
                }
                _ => sleep(Duration::from_millis(40)),
            }
        }
    }

    /// `start` and `wait_running`.
    ///
    /// # Errors
    /// Theirs.
    pub fn boot(&self) -> Result<()> {
        self.start()?;
        self.wait_running()
    }

    fn failed_units(&self) -> Result<String> {
        let script =
            "systemctl --failed --no-legend --plain; journalctl -b -p warning -n 40 --no-pager";
        let output = self.exec(["sh", "-c", script])?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
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
            .args(["env", "-i", "-C", "/root", "HOME=/root", "LANG=C.UTF-8"])
            .arg("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
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

    /// Runs a command inside without input and keeps what it prints.
    ///
    /// # Errors
    /// The host does not run. A failing command is not an error.
    pub fn exec<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<Output> {
        Ok(self.command(arguments)?.stdin(Stdio::null()).output()?)
    }

    /// Runs a command inside with the caller's stdio.
    ///
    /// # Errors
    /// The host does not run. A failing command is not an error.
    pub fn exec_status<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<ExitStatus> {
        Ok(self.command(arguments)?.status()?)
    }

    /// Runs a command inside that has to succeed; returns its standard output.
    ///
    /// # Errors
    /// It fails (the error carries both streams).
    pub fn output<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<String> {
        let arguments: Vec<I> = arguments.into_iter().collect();
        let words: Vec<_> = arguments
            .iter()
            .map(|word| word.as_ref().to_string_lossy())
            .collect();
        let line = words.join(" ");
        command::checked(&line, self.exec(&arguments)?)
    }

    /// Runs a shell script inside that has to succeed; returns its standard output.
    ///
    /// # Errors
    /// It fails (the error carries both streams).
    pub fn sh(&self, script: &str) -> Result<String> {
        self.output(["sh", "-euc", script])
    }

    /// Copies a file to `target`, or the content of a directory into the directory `target`, with modes and owners.
    ///
    /// # Errors
    /// The source cannot be read or the target cannot be written.
    pub fn put(&self, source: &Path, target: &str) -> Result<()> {
        if source.is_dir() {
            let mut unpack = self.command([
                "sh",
                "-euc",
                r#"mkdir -p "$1"; cd "$1"; shift; exec tar "$@""#,
                "sh",
                target,
            ])?;
            return lab::copy(source, unpack.args(lab::UNPACK));
        }
        let file =
            fs::File::open(source).with_context(|| format!("cannot read {}", source.display()))?;
        let script = r#"mkdir -p "$(dirname "$1")"; cat >"$1""#;
        command::run(
            self.command(["sh", "-euc", script, "sh", target])?
                .stdin(file),
        )
    }

    /// `journalctl ARGUMENTS`, of a running or a stopped host.
    ///
    /// # Errors
    /// journalctl fails.
    pub fn journal(&self, arguments: &[&str]) -> Result<String> {
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

    /// Powers it off and waits for the end.
    ///
    /// # Errors
    /// It does not run or does not end within 90 s.
    pub fn stop(&self) -> Result<()> {
        command::capture(&mut self.raw(&["systemctl", "--no-block", "poweroff"])?)?;
        self.wait_gone(STOP_LIMIT)
    }

    /// Kills PID 1, and with it everything inside: a crash. What was written before is there at the next start.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill(&self) -> Result<()> {
        self.process()?.kill()?;
        self.wait_gone(Duration::from_secs(20))
    }

    fn wait_gone(&self, limit: Duration) -> Result<()> {
        let exit = self.run().join("exit");
        lab::wait_until(limit, || exit.exists())
            .with_context(|| format!("the host {} did not end", self.name))
    }

    /// Cuts or mends one of its wires, seen from outside: inside, the interface loses its carrier.
    ///
    /// # Errors
    /// There is no such wire.
    pub fn set_wire(&self, interface: &str, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        let wire = format!("{}-{interface}", self.wire());
        command::capture(self.lab.tool("ip")?.args(["link", "set", &wire, state])).map(drop)
    }

    /// Crashes it if it runs, and deletes it.
    ///
    /// # Errors
    /// The tree cannot be deleted.
    pub fn destroy(self) -> Result<()> {
        if self.is_running() {
            self.kill()?;
        }
        self.lab.delete(&self.tree())?;
        let _ = fs::remove_dir_all(self.run());
        Ok(())
    }
}
