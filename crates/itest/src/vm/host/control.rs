//! What is done with any host, done with one in QEMU.

use super::super::qemu::Memory;
use super::super::state::State;
use super::super::terminal::Raw;
use super::Vm;
use crate::host::{ENVIRONMENT, Host};
use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::{ExitStatus, Output};
use std::time::Duration;

/// Most that a command may print into our memory.
const OUTPUT_LIMIT: usize = 256 << 20;
/// What a host does that went on from a snapshot: it becomes another one. Arguments: NAME MACHINE_ID.
/// The kernel has new random numbers already (vmgenid). Who read the machine's id before has to read it again: networkd
/// derives addresses from it, journald the directory that it writes to.
const IDENTITY: &str = r#"hostname "$1"; echo "$1" >/etc/hostname; echo "$2" >/etc/machine-id
systemctl restart systemd-journald.service systemd-networkd.service"#;

impl Host for Vm {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_running(&self) -> bool {
        self.process().is_some()
    }

    fn start(&self) -> Result<()> {
        let mut state = State::read(&self.directory())?;
        let Some(from) = state.from.clone().filter(|_| state.fresh) else {
            self.launch(&state, Memory::Fresh, false)?;
            // As soon as the runner answers.
            return self.output(&["true"]).map(drop);
        };
        self.launch(&state, Memory::Of(&from), true)?;
        state.fresh = false;
        state.write(&self.directory())?;
        self.go_on(&from)?;
        self.output(&["sh", "-euc", IDENTITY, "sh", &self.name, &state.machine_id])
            .map(drop)
    }

    fn stop(&self) -> Result<()> {
        self.output(&["systemctl", "--no-block", "poweroff"])?;
        self.wait_gone(self.patience())
    }

    /// Kills QEMU: what the host had not written to its disk is lost, as in a power cut.
    fn kill(&self) -> Result<()> {
        let process = self.process();
        process
            .with_context(|| format!("the host {} is not running", self.name))?
            .kill()?;
        self.wait_gone(Duration::from_secs(20))
    }

    fn run(&self, words: &[&OsStr], input: OwnedFd) -> Result<Output> {
        let words = ENVIRONMENT
            .iter()
            .map(OsStr::new)
            .chain(words.iter().copied());
        let words = words.map(|word| word.as_bytes().to_vec()).collect();
        let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
        let status = self.over_channel(words, Some(input.into()), &mut stdout, &mut stderr)?;
        Ok(Output {
            status,
            stdout: stdout.0,
            stderr: stderr.0,
        })
    }

    fn pass(&self, words: &[&OsStr], input: Option<OwnedFd>) -> Result<ExitStatus> {
        let environment = ENVIRONMENT.map(OsStr::new);
        let mut words: Vec<&OsStr> = environment
            .into_iter()
            .chain(words.iter().copied())
            .collect();
        // A terminal only for who types.
        let terminal = match input {
            Some(_) => None,
            None => Raw::new()?,
        };
        let kind = format!("TERM={}", std::env::var("TERM").unwrap_or("dumb".into()));
        words.insert(ENVIRONMENT.len(), OsStr::new(&kind));
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let words = match &terminal {
            Some(terminal) => terminal.wrap(words)?,
            None => words,
        };
        let input = match input {
            Some(input) => input,
            None => io::stdin().as_fd().try_clone_to_owned()?,
        };
        self.over_channel(
            words,
            Some(input.into()),
            &mut io::stdout(),
            &mut io::stderr(),
        )
    }

    fn journal(&self, arguments: &[&str]) -> Result<String> {
        if !self.is_running() {
            bail!(
                "the journal of {} is on its disk: boot it and look at earlier boots",
                self.name
            );
        }
        let words: Vec<&str> = ["journalctl", "--no-pager"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        self.output(&words)
    }

    /// Each host has an outside of its own.
    fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(198, 18, 1, 1)
    }

    fn outside(&self, script: &str) -> Result<Output> {
        self.exec(&["ip", "netns", "exec", "outside", "sh", "-euc", script])
    }

    fn set_uplink(&self, up: bool) -> Result<()> {
        let state = if up { "up" } else { "down" };
        self.output(&["ip", "-n", "outside", "link", "set", "wire", state])
            .map(drop)
    }

    fn note(&self) -> Option<String> {
        fs::read_to_string(self.directory().join("note")).ok()
    }

    fn set_note(&self, text: &str) -> Result<()> {
        let partial = self.directory().join("note.partial");
        fs::write(&partial, text)?;
        Ok(fs::rename(&partial, self.directory().join("note"))?)
    }

    fn destroy(&self) -> Result<()> {
        if self.is_running() {
            self.kill()?;
        }
        if let Ok(state) = State::read(&self.directory()) {
            for wire in state.wires.iter().filter(|wire| wire.listens) {
                let _ = fs::remove_file(self.cache.join(&wire.socket));
            }
        }
        match fs::remove_dir_all(self.directory()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn shell(&self) -> String {
        format!("cargo xtask --vm --host {} shell", self.name)
    }

    /// Without KVM on a loaded machine a boot may take two minutes.
    fn patience(&self) -> Duration {
        Duration::from_secs(300)
    }

    /// A look costs the host a program.
    fn pace(&self) -> Duration {
        Duration::from_millis(250)
    }

    fn keep_logs(&self, directory: &Path) -> Result<()> {
        for log in ["console.log", "qemu.log"] {
            fs::copy(self.directory().join(log), directory.join(log))?;
        }
        Ok(())
    }
}

/// What a command printed, up to a limit.
#[derive(Debug, Default)]
struct Capture(Vec<u8>);

impl Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_LIMIT {
            return Err(io::Error::other("it prints more than 256 MiB"));
        }
        self.0.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
