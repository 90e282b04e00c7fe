//! An initrd: busybox, the modules that reach the disk, and a script. Debian's own takes most of a boot without KVM.

use crate::command;
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Modules to load, with what they depend on; those that are part of the kernel are there.
const MODULES: [&str; 2] = ["virtio_blk", "ext4"];
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const FILE: u32 = 0o100_644;

/// What `/init` of the initrd of VM hosts does.
pub(super) const INIT: &str = include_str!("init.sh");

/// The archive with this `/init`, made from a tree whose kernel's modules are in `modules`
/// (`/usr/lib/modules/<version>`).
///
/// # Errors
/// A file is missing, or a module cannot be unpacked.
pub(crate) fn build(tree: &Path, modules: &Path, init: &str) -> Result<Vec<u8>> {
    let mut archive = Archive(Vec::new());
    for directory in ["bin", "dev", "modules", "proc", "root", "sys"] {
        archive.add(directory, DIRECTORY, &[]);
    }
    archive.add(
        "bin/busybox",
        PROGRAM,
        &fs::read(tree.join("usr/bin/busybox"))?,
    );
    archive.add("init", PROGRAM, init.as_bytes());
    let dependencies = fs::read_to_string(modules.join("modules.dep"))?;
    let builtin = fs::read_to_string(modules.join("modules.builtin"))?;
    for (number, path) in needed(&dependencies, &builtin)?.iter().enumerate() {
        // The names say in which order they are loaded.
        let name = format!("modules/{number:02}.ko");
        archive.add(&name, FILE, &unpacked(&modules.join(path))?);
    }
    archive.add("TRAILER!!!", 0, &[]);
    Ok(archive.0)
}

/// Paths of [`MODULES`], each after what it depends on. A line of modules.dep(5) names these in the reverse order.
fn needed<'a>(dependencies: &'a str, builtin: &str) -> Result<Vec<&'a str>> {
    let mut paths = Vec::new();
    let is_builtin = |module: &&str| {
        let file = format!("/{module}.ko");
        builtin.lines().any(|line| line.ends_with(&file))
    };
    for module in MODULES.into_iter().filter(|module| !is_builtin(module)) {
        let line = dependencies.lines().find_map(|line| {
            let (path, rest) = line.split_once(':')?;
            let name = path.rsplit('/').next()?;
            (name.split('.').next()? == module).then_some((path, rest))
        });
        let (path, rest) = line.with_context(|| format!("the kernel has no module {module}"))?;
        for path in rest.split_whitespace().rev().chain([path]) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    Ok(paths)
}

/// busybox loads plain modules only.
fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let output = Command::new("xz").arg("-dc").arg(path).output();
    let output = output.context("cannot start xz")?;
    if !output.status.success() {
        command::checked(&format!("xz -dc {}", path.display()), output.clone())?;
    }
    Ok(output.stdout)
}

/// An archive as cpio(5) says, format "newc".
struct Archive(Vec<u8>);

impl Archive {
    fn add(&mut self, name: &str, mode: u32, content: &[u8]) {
        let number = self.0.len(); // Unique, which is all that is asked of an inode number.
        self.0.extend(b"070701");
        let name_length = name.len() + 1;
        let fields = [
            number,
            mode as usize,
            0,
            0,
            1,
            0,
            content.len(),
            0,
            0,
            0,
            0,
            name_length,
            0,
        ];
        for field in fields {
            self.0.extend(format!("{field:08x}").bytes());
        }
        self.0.extend(name.bytes());
        self.0.push(0);
        self.align();
        self.0.extend(content);
        self.align();
    }

    fn align(&mut self) {
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_come_after_what_they_need() {
        let dependencies = "kernel/drivers/block/virtio_blk.ko.xz:\n\
            kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz\n\
            kernel/fs/ext4/ext4_test.ko.xz: kernel/fs/ext4/ext4.ko.xz\n";
        let expected = [
            "kernel/drivers/block/virtio_blk.ko.xz",
            "kernel/lib/crc16.ko.xz",
            "kernel/fs/jbd2/jbd2.ko.xz",
            "kernel/fs/ext4/ext4.ko.xz",
        ];
        assert_eq!(needed(dependencies, "").unwrap(), expected);
        assert!(needed("kernel/fs/ext4/ext4.ko.xz:\n", "").is_err());
        let builtin = "kernel/fs/ext4/ext4.ko\n";
        assert_eq!(needed(dependencies, builtin).unwrap(), expected[..1]);
    }
}
