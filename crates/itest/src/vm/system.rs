//! VM hosts with our package on them.

use super::kvm::Accelerator;
use super::{Image, Qemu, Snapshot, Vm};
use crate::host::Host;
use crate::package::Package;
use crate::system::{ACTIVATE, Installed, replace_package};
use crate::{cache, setup, template};
use anyhow::{Result, anyhow, bail};
use std::path::Path;
use std::thread;

/// Everything that VM hosts are made from.
#[derive(Debug)]
pub struct VmSystem {
    snapshot: Snapshot,
    image: Image,
    package: Package,
}

impl VmSystem {
    /// Makes what is missing: Debian packages on this machine, trees, templates, programs, the disk (all of these as root), a
    /// booted host, the same with the package.
    ///
    /// # Errors
    /// Something cannot be made.
    pub fn prepare(repository: &Path) -> Result<Self> {
        setup::ensure(setup::VM_HOST)?;
        let package = Package::build(repository)?;
        let cache = cache::directory()?;
        super::directories(&cache)?;
        let templates = template::names(repository)?
            .iter()
            .map(|name| template::build(repository, &cache, name))
            .collect::<Result<Vec<_>>>()?;
        // Each takes a minute the first time, on one processor.
        let (image, qemu) = thread::scope(|scope| {
            let qemu = scope.spawn(|| Qemu::cached(&cache));
            let image = Image::cached(repository, &cache, &templates);
            (image, qemu.join())
        });
        let (image, qemu) = (
            image?,
            qemu.map_err(|_| anyhow!("making QEMU's tree panicked"))??,
        );
        let accelerator = Accelerator::probed(&cache, &qemu, &image)?;
        let booted = Snapshot::booted(&cache, &qemu, &image, accelerator)?;
        let change = format!("{}{ACTIVATE}", package.key);
        let snapshot = booted.changed(change.as_bytes(), |host| {
            replace_package(host, &package, &[])?;
            host.wait_running()
        })?;
        Ok(Self {
            snapshot,
            image,
            package,
        })
    }

    /// The cache that they are in.
    #[must_use]
    pub fn cache(&self) -> &Path {
        self.snapshot.cache()
    }

    /// Makes the host `name` with the package; it does not run yet.
    ///
    /// # Errors
    /// The host exists.
    pub fn create(&self, name: &str) -> Result<Vm> {
        let vm = Vm::create(&self.snapshot, name)?;
        self.write_note(&vm)?;
        Ok(vm)
    }

    /// Brings the package on a host that runs up to date, as an upgrade would.
    ///
    /// # Errors
    /// A command on the host fails, or the host has another disk than new ones have.
    pub fn install(&self, vm: &Vm) -> Result<Installed> {
        let before = vm.note().unwrap_or_default();
        let mut lines = before.lines();
        if lines.next() != Some(self.image.path()) {
            bail!(
                "{} was made from another disk: `cargo xtask down --vm`, then `up --vm`",
                vm.name()
            );
        }
        if lines.next() == Some(&self.package.key) {
            return Ok(Installed::Unchanged);
        }
        replace_package(vm, &self.package, &self.package.stale(lines))?;
        self.write_note(vm)?;
        Ok(Installed::Changed)
    }

    fn write_note(&self, vm: &Vm) -> Result<()> {
        let mut note = format!("{}\n{}\n", self.image.path(), self.package.key);
        note.extend(self.package.paths.iter().map(|path| format!("{path}\n")));
        vm.set_note(&note)
    }
}
