//! QEMU: where it comes from, how it is started.

use super::kvm::Accelerator;
use super::wire::End;
use super::{channel, initrd};
use crate::bed::{Process, recipe};
use crate::{cache, command};
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Memory of a host.
const MEMORY: &str = "2048M";
/// What is the same for every host: a snapshot goes on in a machine of the same devices only.
const MACHINE: &[&str] = &[
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-cpu",
    "max",
    "-smp",
    "2",
    "-m",
    MEMORY,
    // Tells the kernel of a host that went on from a snapshot to draw new random numbers.
    "-device",
    "vmgenid,guid=auto",
    "-device",
    "virtio-serial-pci",
];
/// What the kernel is told on every host. `tsc=reliable`: on a loaded machine the check of the clock runs while a processor is
/// stopped for a change of clocks, and Linux 7.2 waits for it for ever, at a time that does not go on (seen without KVM).
const KERNEL: &str = "console=ttyS0 quiet tsc=reliable";
/// Who QEMU is when we are root.
const NOBODY: u32 = 65_534;
/// QEMU listens after this or not at all.
const START_LIMIT: Duration = Duration::from_secs(60);

/// QEMU from a Debian tree of its own: the same program everywhere, whatever this machine has installed. It is started by the
/// tree's own loader, which needs neither root nor a namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qemu {
    /// The tree, below the cache.
    tree: String,
}

impl Qemu {
    /// Makes the tree if it is not cached.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn cached(cache: &Path) -> Result<Self> {
        let recipe = recipe::qemu();
        recipe.cached(cache)?;
        Ok(Self {
            tree: format!("rootfs/{}", recipe.key()),
        })
    }

    /// Changes with the program and with the machine that it makes.
    pub(super) fn key(&self, cache: &Path) -> Result<String> {
        let program = cache.join(&self.tree).join("usr/bin/qemu-system-x86_64");
        let file = fs::metadata(&program)?;
        let text = format!("{} {} {MACHINE:?} {KERNEL}", file.size(), file.mtime());
        Ok(cache::key([text.as_bytes()]))
    }

    /// A program of the tree without privileges, in the cache as working directory.
    pub(super) fn command(&self, cache: &Path, program: &str) -> Command {
        let words = self.words(program);
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(cache);
        command
    }

    fn words(&self, program: &str) -> Vec<String> {
        let libraries = format!("{}/usr/lib/x86_64-linux-gnu", self.tree);
        let mut words = unprivileged();
        words.push(format!("{libraries}/ld-linux-x86-64.so.2"));
        words.extend(["--library-path".to_owned(), libraries]);
        words.push(format!("{}/usr/bin/{program}", self.tree));
        words
    }

    /// The words that every machine starts with. `kernel_line` is the kernel's command line.
    pub(super) fn machine(
        &self,
        image: &str,
        accelerator: Accelerator,
        kernel_line: &str,
    ) -> Vec<String> {
        let mut words = self.words("qemu-system-x86_64");
        words.extend(MACHINE.iter().map(|word| (*word).to_owned()));
        for directory in ["qemu", "seabios"] {
            words.extend([
                "-L".to_owned(),
                format!("{}/usr/share/{directory}", self.tree),
            ]);
        }
        words.extend(accelerator.words());
        words.extend(["-kernel".to_owned(), format!("{image}/kernel")]);
        words.extend(["-initrd".to_owned(), format!("{image}/initrd")]);
        words.extend(["-append".to_owned(), format!("{KERNEL} {kernel_line}")]);
        words
    }

    /// A disk at `path` that starts as `backing`, a disk in `format`; both below the cache.
    pub(super) fn make_disk(
        &self,
        cache: &Path,
        path: &str,
        backing: &str,
        format: &str,
    ) -> Result<()> {
        // The name is kept in the disk and means a path from where the disk is: two levels below `vm/`.
        let backing = backing
            .strip_prefix("vm/")
            .context("a disk outside of vm/")?;
        let mut create = self.command(cache, "qemu-img");
        create.args(["create", "-q", "-f", "qcow2", "-F", format]);
        command::capture(create.args(["-b", &format!("../../{backing}"), path])).map(drop)
    }
}

/// Where the memory of a machine is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Memory<'a> {
    /// Nowhere: a boot.
    Fresh,
    /// In the file `ram` of its directory, for a snapshot to be.
    Kept,
    /// In a snapshot's file, of which it has a private copy.
    Of(&'a str),
}

/// One start of a machine.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) cache: &'a Path,
    pub(super) qemu: &'a Qemu,
    pub(super) accelerator: Accelerator,
    /// Directory of the image, below the cache.
    pub(super) image: &'a str,
    /// Directory of the host, below the cache.
    pub(super) directory: &'a str,
    pub(super) memory: Memory<'a>,
    /// Waits for a state instead of booting.
    pub(super) resume: bool,
    pub(super) kernel_line: String,
    pub(super) wires: &'a [End],
}

impl Launch<'_> {
    /// Starts QEMU; returns when it listens.
    ///
    /// # Errors
    /// It ends: the error has what it said.
    pub(super) fn start(&self) -> Result<()> {
        let directory = self.cache.join(self.directory);
        for file in ["qmp", "pid"] {
            let _ = fs::remove_file(directory.join(file));
        }
        let (pid, log) = (directory.join("pid"), directory.join("qemu.log"));
        let mut setsid = Command::new("setsid");
        setsid
            .args([
                "--fork",
                "--",
                "/bin/sh",
                "-euc",
                include_str!("launch.sh"),
                "sh",
            ])
            .args([&pid, &log])
            .args(self.words())
            .current_dir(self.cache)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command::run(&mut setsid)?;
        let deadline = Instant::now() + START_LIMIT;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        while !directory.join("qmp").exists() {
            let gone = pid.exists() && Process::read(&pid).is_none();
            if gone || Instant::now() > deadline {
                bail!("QEMU did not start: {}", said());
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        let mut words = self
            .qemu
            .machine(self.image, self.accelerator, &self.kernel_line);
        let directory = self.directory;
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        let size = format!("id=ram,size={MEMORY}");
        let ram = match self.memory {
            Memory::Fresh => format!("memory-backend-ram,{size}"),
            Memory::Kept => format!("memory-backend-file,{size},mem-path={directory}/ram,share=on"),
            Memory::Of(snapshot) => format!(
                "memory-backend-file,{size},mem-path={snapshot}/ram,share=off,readonly=on,rom=off"
            ),
        };
        add("-object", ram);
        add("-machine", "pc,memory-backend=ram".to_owned());
        // unsafe: writes are not forced to our disk. They are in our kernel when the host's has written them, and the crash of
        // a host is the end of QEMU, not of this machine.
        let disk = format!("file={directory}/disk,format=qcow2,cache=unsafe,discard=unmap");
        add("-drive", format!("if=virtio,{disk}"));
        add(
            "-chardev",
            format!("file,id=console,path={directory}/console.log,append=on"),
        );
        add("-serial", "chardev:console".to_owned());
        for number in 0..channel::CHANNELS {
            let socket = format!("path={directory}/channel-{number},server=on,wait=off");
            add("-chardev", format!("socket,id=channel{number},{socket}"));
            let port = format!("chardev=channel{number},name=bed.{number}");
            add("-device", format!("virtserialport,{port}"));
        }
        for (number, wire) in self.wires.iter().enumerate() {
            add("-netdev", wire.backend(number).to_string());
            add("-device", wire.device(number).to_string());
        }
        if self.resume {
            add("-incoming", "defer".to_owned());
        }
        add("-qmp", format!("unix:{directory}/qmp,server=on,wait=off"));
        words
    }
}

/// What the guest's side of [`Launch`] is made from, for keys of caches.
pub(super) fn guest_key() -> String {
    cache::key([initrd::INIT.as_bytes(), MEMORY.as_bytes()])
}

/// Gives a file or directory to who QEMU is.
pub(super) fn give(path: &Path) -> Result<()> {
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
    }
    Ok(())
}

/// Words in front of a command that must not be root's. The group of `/dev/kvm` stays: it is what gives access.
fn unprivileged() -> Vec<String> {
    if !rustix::process::geteuid().is_root() {
        return Vec::new();
    }
    let group = fs::metadata("/dev/kvm").map_or(0, |device| device.gid());
    let groups = match group {
        0 => "--clear-groups".to_owned(),
        group => format!("--groups={group}"),
    };
    let words = [
        "setpriv",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--no-new-privs",
    ];
    let mut words: Vec<String> = words.map(str::to_owned).to_vec();
    words.extend([
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        groups,
    ]);
    words.push("--".to_owned());
    words
}
