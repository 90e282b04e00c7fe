//! The developer's hosts.

use crate::{examples, repository};
use anyhow::{Context, Result};
use bitbuilder_itest::bed::{Bed, Lab};
use bitbuilder_itest::host::Host;
use bitbuilder_itest::system::{Installed, System};
use bitbuilder_itest::vm::{Vm, VmSystem};
use bitbuilder_itest::{cache, setup};
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

/// A host that exists.
pub(crate) struct Machine(Box<dyn Host>);

impl Machine {
    /// The container host `name`.
    pub(crate) fn container(name: &str) -> Result<Self> {
        setup::require_root()?;
        let lab = Lab::existing(&cache::directory()?)?;
        let bed = Bed::open(&lab, name)?
            .with_context(|| format!("there is no host {name}: `cargo xtask up` makes it"))?;
        Ok(Self(Box::new(bed)))
    }

    /// The VM host `name`.
    pub(crate) fn vm(name: &str) -> Result<Self> {
        let vm = Vm::open(&cache::directory()?, name).with_context(|| {
            format!("there is no VM host {name}: `cargo xtask up --vm` makes it")
        })?;
        Ok(Self(Box::new(vm)))
    }

    /// Runs a command inside with our stdio; its exit status is ours.
    pub(crate) fn shell(&self, command: &[String]) -> Result<ExitCode> {
        let words: Vec<&OsStr> = match command {
            [] => ["bash", "--login"].map(OsStr::new).to_vec(),
            command => command.iter().map(OsStr::new).collect(),
        };
        let status = self.0.pass(&words, None)?;
        // 255: ended by a signal, which the shell between us reports as 128 + its number otherwise.
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(ExitCode::from(code.unwrap_or(255)))
    }

    /// `kill -9` of its PID 1.
    pub(crate) fn crash(&self) -> Result<()> {
        self.0.kill()
    }

    /// Boots it and waits until it runs.
    pub(crate) fn boot(&self) -> Result<()> {
        let start = Instant::now();
        self.0.boot()?;
        eprintln!(
            "{} runs after {:.1} s",
            self.0.name(),
            start.elapsed().as_secs_f32()
        );
        Ok(())
    }

    /// Registers a directory as a tenant and pushes it.
    pub(crate) fn push(&self, directory: &Path, id: Option<&str>) -> Result<()> {
        examples::push(&*self.0, directory, id)
    }

    /// Prints the journal.
    pub(crate) fn journal(&self, arguments: &[String]) -> Result<()> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        print!("{}", self.0.journal(&arguments)?);
        Ok(())
    }

    /// Deletes it.
    pub(crate) fn destroy(self) -> Result<()> {
        self.0.destroy()
    }
}

/// Makes and boots the container host `name`, or brings the package on it up to date; then deploys the examples.
pub(crate) fn up(name: &str) -> Result<()> {
    let start = Instant::now();
    let said = |what: &str| eprintln!("{:>6.1} s  {what}", start.elapsed().as_secs_f32());
    let system = System::prepare(&repository::root())?;
    said("programs, trees and templates are there");
    let bed = match Bed::open(system.lab(), name)? {
        None => system.create(name)?,
        Some(bed) => {
            if system.install(&bed)? == Installed::Changed {
                said("package replaced");
            }
            bed
        }
    };
    if !bed.is_running() {
        bed.boot()?;
        said("booted");
    }
    examples::deploy(&bed)?;
    examples::settle(&bed)?;
    said("examples are deployed");
    Ok(())
}

/// The same with a VM host. It needs root only for what is cached after the first time.
pub(crate) fn up_vm(name: &str) -> Result<()> {
    let start = Instant::now();
    let said = |what: &str| eprintln!("{:>6.1} s  {what}", start.elapsed().as_secs_f32());
    let system = VmSystem::prepare(&repository::root())?;
    said("programs, disk and snapshot are there");
    let vm = match Vm::open(system.cache(), name) {
        None => system.create(name)?,
        Some(vm) => vm,
    };
    if !vm.is_running() {
        vm.boot()?;
        said("runs");
    }
    if system.install(&vm)? == Installed::Changed {
        said("package replaced");
    }
    examples::deploy(&vm)?;
    examples::settle(&vm)?;
    said("examples are deployed");
    Ok(())
}

/// Ends the lab when no host is left in it: nothing of ours stays behind after tests.
pub(crate) fn close_if_empty() -> Result<()> {
    let Ok(lab) = Lab::existing(&cache::directory()?) else {
        return Ok(());
    };
    if Bed::all(&lab)?.is_empty() {
        lab.close()?;
    }
    Ok(())
}

/// Deletes every VM host and the snapshots.
pub(crate) fn purge_vm() -> Result<()> {
    let cache = cache::directory()?;
    for vm in Vm::all(&cache)? {
        vm.destroy()?;
    }
    match std::fs::remove_dir_all(cache.join("vm")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Deletes every container host and the pool.
pub(crate) fn purge() -> Result<()> {
    setup::require_root()?;
    let directory = cache::directory()?;
    if let Ok(lab) = Lab::existing(&directory) {
        for bed in Bed::all(&lab)? {
            bed.destroy()?;
        }
        lab.close()?;
    }
    match std::fs::remove_file(directory.join("pool.btrfs")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}
