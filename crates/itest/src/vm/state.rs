//! What is known of a host while it does not run: the file `host.json` in its directory.

use super::Qemu;
use super::kvm::Accelerator;
use super::wire::End;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// A host at rest. Paths are below the cache.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) qemu: Qemu,
    pub(super) image: String,
    pub(super) accelerator: Accelerator,
    /// The snapshot that its disk is a change of.
    pub(super) from: Option<String>,
    /// It did not start yet: it goes on from there.
    pub(super) fresh: bool,
    pub(super) machine_id: String,
    pub(super) wires: Vec<End>,
}

impl State {
    pub(super) fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("host.json");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok(serde_json::from_str(&text)?)
    }

    pub(super) fn write(&self, directory: &Path) -> Result<()> {
        let partial = directory.join("host.json.partial");
        fs::write(&partial, serde_json::to_string(self)?)?;
        Ok(fs::rename(&partial, directory.join("host.json"))?)
    }
}
