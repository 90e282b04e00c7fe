//! Booted hosts that others go on from.
//!
//! A snapshot is a directory: `disk` (the changes since the image), `ram` (the memory) and `state` (the devices). A host maps
//! `ram` privately and reads what it touches: it goes on within a second, and hosts share the memory that they do not write.
//! QEMU's own snapshots in a qcow2 file would copy all memory every time (measured: 10 to 20 s each way on a loaded machine).

use super::kvm::Accelerator;
use super::{Image, Qemu, Vm};
use crate::cache;
use crate::host::Host;
use anyhow::{Context, Result};
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Snapshots that nobody uses and that are kept all the same, the last used ones.
const KEPT: usize = 4;

/// A snapshot that nobody removes as long as this value lives.
#[derive(Debug, Clone)]
pub struct Snapshot {
    cache: PathBuf,
    key: String,
    _used: Arc<File>,
}

impl Snapshot {
    /// A host that has booted from `image` and done nothing else.
    ///
    /// # Errors
    /// It does not boot without failed units.
    pub fn booted(
        cache: &Path,
        qemu: &Qemu,
        image: &Image,
        accelerator: Accelerator,
    ) -> Result<Self> {
        let parts = [
            qemu.key(cache)?,
            image.path().to_owned(),
            accelerator.key()?,
        ];
        let key = cache::key(parts.iter().map(String::as_bytes));
        Self::cached(cache, key, |path| {
            eprintln!("booting a VM host for the others to go on from");
            let vm = Vm::template(cache, path, qemu, image, accelerator)?;
            vm.boot_kept()?;
            vm.wait_running()?;
            vm.save()
        })
    }

    /// A host that went on from this one and was changed. `what` names the change: the same means the same.
    ///
    /// # Errors
    /// `change` fails.
    pub fn changed(&self, what: &[u8], change: impl Fn(&dyn Host) -> Result<()>) -> Result<Self> {
        let key = cache::key([self.key.as_bytes(), what]);
        Self::cached(&self.cache, key, |path| {
            let vm = Vm::copy(&self.cache, path, &self.path())?;
            vm.resume_kept()?;
            change(&vm)?;
            vm.save()
        })
    }

    fn cached(cache: &Path, key: String, make: impl Fn(&str) -> Result<()>) -> Result<Self> {
        let path = path(&key);
        let target = cache.join(&path);
        let lock_file = target.with_extension("lock");
        let used = loop {
            let used = cache::lock(&lock_file)?;
            if !target.exists() {
                let partial = format!("{path}.partial");
                make(&partial)?;
                publish(&cache.join(&partial), &target)?;
            }
            // Between the two locks another may have removed it.
            rustix::fs::flock(&used, FlockOperation::LockShared)?;
            if target.exists() {
                break used;
            }
        };
        // When it was used last.
        let _ = fs::write(target.with_extension("used"), "");
        remove_unused(cache)?;
        Ok(Self {
            cache: cache.to_path_buf(),
            key,
            _used: Arc::new(used),
        })
    }

    /// The cache that it is in.
    #[must_use]
    pub fn cache(&self) -> &Path {
        &self.cache
    }

    /// Its directory, below the cache.
    #[must_use]
    pub fn path(&self) -> String {
        path(&self.key)
    }
}

fn path(key: &str) -> String {
    format!("vm/snapshots/{key}")
}

/// A finished snapshot for everybody to read.
fn publish(partial: &Path, target: &Path) -> Result<()> {
    for entry in fs::read_dir(partial)? {
        let entry = entry?;
        let name = entry.file_name();
        if ["disk", "ram", "state", "host.json"]
            .iter()
            .any(|kept| name == *kept)
        {
            fs::set_permissions(entry.path(), PermissionsExt::from_mode(0o444))?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    fs::rename(partial, target).with_context(|| format!("cannot make {}", target.display()))
}

/// Removes what no process and no host uses, but the last ones.
fn remove_unused(cache: &Path) -> Result<()> {
    let _one = cache::lock(&cache.join("vm/snapshots.lock"))?;
    let hosts = Vm::all(cache)?;
    let mut unused: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(cache.join("vm/snapshots"))? {
        let path = entry?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if path.extension().is_none()
            && !hosts.iter().any(|host| host.came_from(&self::path(&name)))
        {
            let used = fs::metadata(path.with_extension("used")).and_then(|file| file.modified());
            unused.push((used.unwrap_or(SystemTime::UNIX_EPOCH), path));
        }
    }
    unused.sort();
    unused.reverse();
    for (_, path) in unused.into_iter().skip(KEPT) {
        let lock = cache::lock_file(&path.with_extension("lock"))?;
        // Somebody has it, or may not remove it.
        if rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_dir_all(&path);
        }
    }
    Ok(())
}
