//! A machine's disk from a tree, and what boots it.

use super::{EPOCH, gpt, kernel};
use crate::cache::hex;
use crate::{command, vm};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs::{self, OpenOptions};
use std::path::Path;
use std::process::Command;

/// What is left free for a machine that does not grow its disk.
const SPARE: u64 = 256 << 20;
/// Of the file system; the same in every build.
const UUID: &str = "6f2a3e9e-7b0c-4a52-9d0e-b17b01d3f5a1";

/// Makes `disk.raw`, `kernel` and `initrd` in `directory`; the digest of all of it, where that of the tree is `tree`.
///
/// # Errors
/// The tree has no kernel, or a tool fails.
pub(super) fn build(rootfs: &Path, init: &str, tree: &str, directory: &Path) -> Result<String> {
    let modules = rootfs.join("usr/lib/modules");
    let version = fs::read_dir(&modules)?.next().context("no kernel")??.path();
    let kernel = kernel::unpacked(&fs::read(version.join("vmlinuz"))?)?;
    let initrd = vm::initrd::build(rootfs, &version, init)?;
    fs::write(directory.join("kernel"), &kernel)?;
    fs::write(directory.join("initrd"), &initrd)?;
    disk(rootfs, &directory.join("disk.raw"))?;
    let mut hash = Sha256::new();
    for part in [tree.as_bytes(), &kernel, &initrd] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    Ok(format!("sha256:{}", hex(&hash.finalize())))
}

fn disk(rootfs: &Path, path: &Path) -> Result<()> {
    let used = command::capture(Command::new("du").args(["-s", "-B1"]).arg(rootfs))?;
    let used: u64 = used.split_whitespace().next().unwrap_or_default().parse()?;
    // Tables of the file system take their share.
    let length = (used + used / 10 + SPARE).next_multiple_of(gpt::ALIGN);
    let disk = OpenOptions::new().write(true).create_new(true).open(path)?;
    disk.set_len(gpt::ALIGN + length + gpt::ALIGN)?;
    let hash_seed = format!("offset={},hash_seed={UUID},root_owner=0:0", gpt::ALIGN);
    command::run(
        Command::new("mkfs.ext4")
            .args(["-q", "-F", "-m", "0", "-U", UUID, "-L", "root", "-E"])
            .arg(hash_seed)
            .arg("-d")
            .arg(rootfs)
            .arg(path)
            .arg(format!("{}k", length >> 10))
            .env("E2FSPROGS_FAKE_TIME", EPOCH.to_string()),
    )?;
    gpt::write(&disk, length)
}
