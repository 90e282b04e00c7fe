//! What the machine must have before a bed can be made.

use crate::command;
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// Programs, and the Debian package of each.
pub type Programs = &'static [(&'static str, &'static str)];

/// What the tests start that need no bed.
pub const TESTS: Programs = &[
    ("git", "git"),
    ("ssh-keygen", "openssh-client"),
    ("sqv", "sqv"),
];

/// Room in memory that tests want for their files.
const SCRATCH_ROOM: u64 = 2 << 30;

/// What the harness starts for container hosts. btrfs, nft and ip come from the bed's own root file system.
pub const BEDS: Programs = &[
    ("mmdebstrap", "mmdebstrap"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setsid", "util-linux"),
    ("losetup", "mount"),
    ("script", "bsdutils"),
    ("tar", "tar"),
    ("mkfs.ext4", "e2fsprogs"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("git", "git"),
];

/// What is started for VM hosts. QEMU comes from a tree of its own: it is the same everywhere, and a snapshot is only good for
/// the program that made it.
pub const VM_HOST: Programs = &[
    ("mmdebstrap", "mmdebstrap"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("setsid", "util-linux"),
    ("mkfs.ext4", "e2fsprogs"),
    ("tar", "tar"),
    ("xz", "xz-utils"),
    ("git", "git"),
];

/// Container hosts need namespaces, mounts and devices.
///
/// # Errors
/// The caller is not root.
pub fn require_root() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("this needs root: mounts, namespaces and devices are made (run it with sudo -E)");
    }
    Ok(())
}

/// Installs the Debian packages that are missing.
///
/// # Errors
/// Something is missing and the caller is not root (the error carries the one command to run), or apt-get fails.
pub fn ensure(programs: Programs) -> Result<()> {
    let mut packages: Vec<&str> = programs
        .iter()
        .filter(|(program, _)| !on_path(program))
        .map(|(_, package)| *package)
        .collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    let install = format!(
        "apt-get install --yes --no-install-recommends {}",
        packages.join(" ")
    );
    if !rustix::process::geteuid().is_root() {
        bail!(
            "Debian packages are missing; run:\n\n    sudo sh -c 'apt-get update && {install}'\n"
        );
    }
    eprintln!("installing Debian packages: {}", packages.join(" "));
    let script = format!("apt-get update -q && {install}");
    // Two hundred lines that say nothing unless it fails.
    command::capture(
        Command::new("sh")
            .args(["-ec", &script])
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
    .map(drop)
}

/// Where tests sync thousands of files without a disk that is waited for, if the machine has the room.
#[must_use]
pub fn scratch() -> Option<&'static str> {
    let memory = "/dev/shm";
    let state = rustix::fs::statvfs(memory).ok()?;
    (state.f_bavail.saturating_mul(state.f_frsize) >= SCRATCH_ROOM).then_some(memory)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(Into::into))
        .any(|directory: std::path::PathBuf| Path::new(&directory).join(program).is_file())
}
