//! One host: its files, and its wires.

mod control;
mod run;

use super::channel::Channel;
use super::kvm::Accelerator;
use super::qemu;
use super::qmp::Qmp;
use super::state::State;
use super::wire::{self, End};
use super::{Image, Qemu, Snapshot};
use crate::bed::Process;
use crate::command;
use crate::host::Host;
use anyhow::{Context, Result};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A host in QEMU, running or not.
#[derive(Debug)]
pub struct Vm {
    cache: PathBuf,
    /// Its directory, below the cache.
    path: String,
    name: String,
    /// A channel that is open and that nobody uses right now. One and no more: the others are for other processes.
    idle: Mutex<Option<Channel>>,
}

impl Vm {
    /// Makes the host `name` (it is its hostname too) from a snapshot; its first start goes on from there.
    ///
    /// # Errors
    /// The host exists, or its files cannot be made.
    pub fn create(snapshot: &Snapshot, name: &str) -> Result<Self> {
        let (cache, from) = (snapshot.cache(), snapshot.path());
        let vm = Self::at(cache, format!("vm/hosts/{name}"));
        fs::create_dir(vm.directory()).with_context(|| format!("cannot make the host {name}"))?;
        qemu::give(&vm.directory())?;
        let mut state = State::read(&cache.join(&from))?;
        let (disk, backing) = (format!("{}/disk", vm.path), format!("{from}/disk"));
        state.qemu.make_disk(cache, &disk, &backing, "qcow2")?;
        state.from = Some(from);
        state.fresh = true;
        let id = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        state.machine_id = id.trim().replace('-', "");
        state.write(&vm.directory())?;
        Ok(vm)
    }

    /// A host that becomes a snapshot, with a new disk.
    pub(in crate::vm) fn template(
        cache: &Path,
        path: &str,
        qemu: &Qemu,
        image: &Image,
        accelerator: Accelerator,
    ) -> Result<Self> {
        let vm = Self::emptied(cache, path)?;
        let backing = format!("{}/disk", image.path());
        qemu.make_disk(cache, &format!("{path}/disk"), &backing, "raw")?;
        let state = State {
            qemu: qemu.clone(),
            image: image.path().to_owned(),
            accelerator,
            from: None,
            fresh: false,
            machine_id: "00000000000000000000000000000bed".to_owned(),
            wires: Vec::new(),
        };
        state.write(&vm.directory())?;
        Ok(vm)
    }

    /// A host that becomes a snapshot, with everything of another one.
    pub(in crate::vm) fn copy(cache: &Path, path: &str, from: &str) -> Result<Self> {
        let vm = Self::emptied(cache, path)?;
        for file in ["disk", "ram", "state"] {
            let target = vm.directory().join(file);
            let mut copy = Command::new("cp");
            copy.args(["--sparse=always", "--no-preserve=mode"]);
            command::capture(copy.arg(cache.join(from).join(file)).arg(&target))?;
            qemu::give(&target)?;
        }
        State::read(&cache.join(from))?.write(&vm.directory())?;
        Ok(vm)
    }

    /// What an earlier try left goes.
    fn emptied(cache: &Path, path: &str) -> Result<Self> {
        let vm = Self::at(cache, path.to_owned());
        vm.destroy()?;
        fs::create_dir(vm.directory())?;
        qemu::give(&vm.directory())?;
        Ok(vm)
    }

    /// The host `name` if it exists.
    #[must_use]
    pub fn open(cache: &Path, name: &str) -> Option<Self> {
        let vm = Self::at(cache, format!("vm/hosts/{name}"));
        vm.directory().exists().then_some(vm)
    }

    /// Every host.
    ///
    /// # Errors
    /// The directory of hosts cannot be read.
    pub fn all(cache: &Path) -> Result<Vec<Self>> {
        let directory = cache.join("vm/hosts");
        if !directory.exists() {
            return Ok(Vec::new());
        }
        let mut hosts = Vec::new();
        for entry in fs::read_dir(directory)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            hosts.push(Self::at(cache, format!("vm/hosts/{name}")));
        }
        Ok(hosts)
    }

    fn at(cache: &Path, path: String) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Self {
            cache: cache.to_path_buf(),
            path,
            name,
            idle: Mutex::default(),
        }
    }

    /// The directory with its disk, sockets and logs.
    #[must_use]
    pub fn directory(&self) -> PathBuf {
        self.cache.join(&self.path)
    }

    /// Whether its disk is a change of this snapshot's.
    pub(in crate::vm) fn came_from(&self, snapshot: &str) -> bool {
        State::read(&self.directory()).is_ok_and(|state| state.from.as_deref() == Some(snapshot))
    }

    /// Its next start is a boot, also if it never ran.
    ///
    /// # Errors
    /// That cannot be kept.
    pub fn forget_snapshot(&self) -> Result<()> {
        let mut state = State::read(&self.directory())?;
        state.fresh = false;
        state.write(&self.directory())
    }

    fn idle(&self) -> MutexGuard<'_, Option<Channel>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn process(&self) -> Option<Process> {
        Process::read(&self.directory().join("pid"))
    }

    /// How many wires it has.
    pub(in crate::vm) fn wires(&self) -> Result<usize> {
        Ok(State::read(&self.directory())?.wires.len())
    }

    /// Plugs a wire in, and waits until its interface is there.
    pub(in crate::vm) fn plug(&self, number: usize, end: End) -> Result<()> {
        let mut qmp = Qmp::open(&self.directory())?;
        qmp.call("netdev_add", &end.backend(number))?;
        qmp.call("device_add", &end.device(number))?;
        drop(qmp);
        let mut state = State::read(&self.directory())?;
        state.wires.push(end);
        state.write(&self.directory())?;
        let interface = wire::interface(number);
        let wait = format!("until [ -e /sys/class/net/{interface} ]; do sleep .1; done");
        self.output(&["timeout", "120", "sh", "-c", &wait])
            .with_context(|| format!("no {interface} on {}", self.name))
            .map(drop)
    }

    /// Cuts or joins its end of a wire.
    pub(in crate::vm) fn set_wire(&self, number: usize, up: bool) -> Result<()> {
        let mut state = State::read(&self.directory())?;
        state.wires[number].up = up;
        state.write(&self.directory())?;
        self.set_link(number, up)
    }

    fn set_link(&self, number: usize, up: bool) -> Result<()> {
        let link = json!({ "name": wire::card_id(number), "up": up });
        Qmp::open(&self.directory())?
            .call("set_link", &link)
            .map(drop)
    }
}
