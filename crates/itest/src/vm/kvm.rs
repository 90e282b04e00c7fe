//! Whether this machine has KVM. `/dev/kvm` may be there and not work, or work and hang: a guest has to boot.

use super::{Image, Qemu};
use crate::command;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// A guest that does next to nothing takes less than this, or there is no use in it.
const LIMIT: &str = "20";
/// What the initrd says in a probe.
const RUNS: &str = "bed.probe: a guest runs";

/// What runs the instructions of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Accelerator {
    /// The processor.
    Kvm,
    /// QEMU itself, twenty times slower.
    Tcg,
}

impl Accelerator {
    /// What works here, found out once per boot of this machine.
    ///
    /// # Errors
    /// The verdict cannot be kept.
    pub fn probed(cache: &Path, qemu: &Qemu, image: &Image) -> Result<Self> {
        if !Path::new("/dev/kvm").exists() {
            return Ok(Self::Tcg);
        }
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        // For root and for others apart: it is a question of access too.
        let user = rustix::process::geteuid().as_raw();
        let file = cache.join(format!("vm/kvm-{}-{user}", boot.trim()));
        if let Ok(text) = fs::read_to_string(&file) {
            return Ok(serde_json::from_str(&text)?);
        }
        let verdict = match probe(cache, qemu, image) {
            Ok(()) => Self::Kvm,
            Err(error) => {
                eprintln!("no KVM here, VM hosts are emulated: {error:#}");
                Self::Tcg
            }
        };
        fs::write(&file, serde_json::to_string(&verdict)?)?;
        Ok(verdict)
    }

    /// Changes with what a snapshot must not be moved over: with KVM, the processor.
    pub(super) fn key(self) -> Result<String> {
        let processor = match self {
            Self::Tcg => String::new(),
            Self::Kvm => {
                let text = fs::read_to_string("/proc/cpuinfo")?;
                let lines = text.lines();
                let lines = lines
                    .filter(|line| line.starts_with("model name") || line.starts_with("flags"));
                lines.take(2).collect()
            }
        };
        Ok(format!("{self:?} {processor}"))
    }

    pub(super) fn words(self) -> [String; 2] {
        let name = match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg,thread=multi",
        };
        ["-accel".to_owned(), name.to_owned()]
    }
}

/// Boots the kernel and lets the initrd speak; the error says what happened instead.
fn probe(cache: &Path, qemu: &Qemu, image: &Image) -> Result<()> {
    let words = qemu.machine(image.path(), Accelerator::Kvm, "panic=-1 bed.probe");
    let mut guest = Command::new("timeout");
    guest.args(["--signal=KILL", LIMIT]).args(words);
    guest.args(["-machine", "pc", "-serial", "stdio", "-no-reboot"]);
    let output = guest.current_dir(cache).stdin(Stdio::null()).output()?;
    let said = command::checked("a guest with KVM", output)?;
    anyhow::ensure!(said.contains(RUNS), "a guest with KVM did not boot: {said}");
    Ok(())
}
