//! How a host starts, goes on and becomes a snapshot, and how commands get into it.

use super::super::channel::Channel;
use super::super::qemu::{Launch, Memory};
use super::super::qmp::Qmp;
use super::super::state::State;
use super::Vm;
use crate::host::Host;
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::process::ExitStatus;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

/// Between two looks at QEMU.
const LOOK: Duration = Duration::from_millis(10);

impl Vm {
    pub(super) fn launch(&self, state: &State, memory: Memory<'_>, resume: bool) -> Result<()> {
        if self.is_running() {
            bail!("the host {} runs already", self.name);
        }
        let identity = format!(
            "systemd.hostname={} systemd.machine_id={}",
            self.name, state.machine_id
        );
        let launch = Launch {
            cache: &self.cache,
            qemu: &state.qemu,
            accelerator: state.accelerator,
            image: &state.image,
            directory: &self.path,
            memory,
            resume,
            kernel_line: format!("rw systemd.show_status=error {identity}"),
            wires: &state.wires,
        };
        launch.start()?;
        for (number, wire) in state.wires.iter().enumerate() {
            if !wire.up {
                self.set_link(number, false)?;
            }
        }
        Ok(())
    }

    /// Goes on from the snapshot at `path`, below the cache.
    pub(super) fn go_on(&self, path: &str) -> Result<()> {
        let mut qmp = Qmp::open(&self.directory())?;
        qmp.keep_memory_apart()?;
        qmp.call(
            "migrate-incoming",
            &json!({ "uri": format!("file:{path}/state") }),
        )?;
        qmp.wait_for("paused")
            .with_context(|| format!("cannot go on from {path}: remove it and try again"))?;
        qmp.call("cont", &json!({}))?;
        drop(qmp);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
        self.output(&["date", "-s", &format!("@{}", now.as_secs())])
            .map(drop)
    }

    /// Boots with its memory in a file.
    pub(in crate::vm) fn boot_kept(&self) -> Result<()> {
        self.launch(&State::read(&self.directory())?, Memory::Kept, false)
    }

    /// Goes on with its memory in a file.
    pub(in crate::vm) fn resume_kept(&self) -> Result<()> {
        self.launch(&State::read(&self.directory())?, Memory::Kept, true)?;
        self.go_on(&self.path)
    }

    /// Ends it and leaves what a snapshot is made of.
    pub(in crate::vm) fn save(&self) -> Result<()> {
        self.sh("sync")?;
        // Nobody is connected in the snapshot.
        self.idle().take();
        let mut qmp = Qmp::open(&self.directory())?;
        qmp.call("stop", &json!({}))?;
        qmp.keep_memory_apart()?;
        let target = json!({ "uri": format!("file:{}/state", self.path) });
        qmp.call("migrate", &target)?;
        qmp.wait_for("postmigrate")?;
        qmp.call("quit", &json!({}))?;
        self.wait_gone(Duration::from_secs(60))
    }

    /// A channel for one command; waits while all are taken.
    fn channel(&self) -> Result<Channel> {
        let alive = || self.is_running();
        loop {
            let idle = self.idle().take();
            if let Some(channel) = idle {
                return Ok(channel);
            }
            let opened = Channel::open(&self.directory(), self.patience(), alive);
            let opened = opened.with_context(|| format!("the host {}", self.name))?;
            match opened {
                Some(channel) => return Ok(channel),
                None => sleep(LOOK),
            }
        }
    }

    /// Runs a command over a channel.
    pub(super) fn over_channel(
        &self,
        words: Vec<Vec<u8>>,
        input: Option<File>,
        output: &mut dyn Write,
        error: &mut dyn Write,
    ) -> Result<ExitStatus> {
        let mut channel = self.channel()?;
        let status = channel
            .run(words, input, output, error)
            .with_context(|| format!("a command on the host {}", self.name))?;
        *self.idle() = Some(channel);
        Ok(status)
    }

    pub(super) fn wait_gone(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.is_running() {
            if Instant::now() > deadline {
                bail!("the host {} did not end", self.name);
            }
            sleep(LOOK);
        }
        self.idle().take();
        Ok(())
    }
}
