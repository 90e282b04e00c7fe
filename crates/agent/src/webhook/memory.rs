//! Deliveries that were accepted, in a file.

use bitbuilder_core::model::Name;
use bitbuilder_core::webhook::memory::{self, Verdict};
use bitbuilder_host::atomic;
use bitbuilder_host::host::HostError;
use rustix::fs::{FlockOperation, flock};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The marks, in a file.
pub(super) struct Memory {
    path: PathBuf,
    lock: PathBuf,
}

impl Memory {
    /// The memory in `directory`.
    pub(super) fn open(directory: &Path) -> Self {
        Self {
            path: directory.join("seen"),
            lock: directory.join("lock"),
        }
    }

    /// Calls `accept` for a delivery that is new, and remembers it then. One at a time.
    pub(super) fn take(
        &self,
        target: &Name,
        mark: &str,
        now: u64,
        accept: impl FnOnce() -> Result<(), HostError>,
    ) -> Result<Verdict, HostError> {
        let lock = File::create(&self.lock).map_err(HostError::file(&self.lock))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| HostError::file(&self.lock)(error.into()))?;
        let text = match fs::read_to_string(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(HostError::file(&self.path))?,
        };
        let verdict = memory::judge(&text, target.as_str(), mark, now);
        if let Verdict::New(text) = &verdict {
            accept()?;
            atomic::write(&self.path, text.as_bytes(), 0o600)?;
        }
        Ok(verdict)
    }
}
