//! The ground that hosts stand on.

use super::process::Process;
use crate::debian::Recipe;
use crate::host::{Host, UNPACK, packed};
use crate::{cache, command};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Size of the pool's sparse file.
const POOL_SIZE: &str = "40G";
/// A booted container takes 7 inotify instances of the 128 that the kernel gives a user, over all namespaces.
const INOTIFY_INSTANCES: u64 = 8192;

/// A pool of host trees and the holder of its mounts. Cheap to clone: a path.
#[derive(Debug, Clone)]
pub struct Lab {
    directory: PathBuf,
}

impl Lab {
    /// The lab in `directory`, whose tools come from `rootfs`; starts the holder if it does not run.
    ///
    /// # Errors
    /// The caller is not root, or the holder cannot make its mounts (the error carries what it said).
    pub fn open(directory: &Path, rootfs: &Path) -> Result<Self> {
        crate::setup::require_root()?;
        let lab = Self {
            directory: directory.to_path_buf(),
        };
        fs::create_dir_all(lab.run().join("hosts"))?;
        let _lock = lab.lock("holder")?;
        if lab.holder().is_ok() && lab.holder_is_old() && lab.close().is_ok() {
            wait_until(Duration::from_secs(20), || lab.holder().is_err())?;
        }
        if lab.holder().is_err() {
            lab.start_holder(rootfs)?;
        }
        Ok(lab)
    }

    /// The lab in `directory` if its holder runs.
    ///
    /// # Errors
    /// There is no running holder.
    pub fn existing(directory: &Path) -> Result<Self> {
        let lab = Self {
            directory: directory.to_path_buf(),
        };
        lab.holder()?;
        Ok(lab)
    }

    /// Where the lab is.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Runtime files: PIDs, consoles, sockets.
    pub(super) fn run(&self) -> PathBuf {
        self.directory.join("run")
    }

    /// The tree `name` as the holder sees it; nobody else does.
    #[must_use]
    pub fn tree(&self, name: &str) -> PathBuf {
        self.directory.join("pool").join(name)
    }

    /// An exclusive lock, held until it is dropped.
    ///
    /// # Errors
    /// The file cannot be locked.
    pub fn lock(&self, name: &str) -> Result<File> {
        cache::lock(&self.run().join(format!("{name}.lock")))
    }

    pub(super) fn holder(&self) -> Result<Process> {
        Process::read(&self.run().join("holder.pid"))
            .with_context(|| format!("no host was made in {} yet", self.directory.display()))
    }

    /// Whether the holder was started by other code than ours. One that carries hosts stays.
    fn holder_is_old(&self) -> bool {
        let stored = fs::read_to_string(self.run().join("holder.key"));
        stored.is_ok_and(|stored| stored != holder_key())
    }

    /// A command in the holder's mount and network namespaces.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn inside(&self, program: &str) -> Result<Command> {
        let mut command = Command::new("nsenter");
        command
            .args(["-t", &self.holder()?.pid().to_string(), "-m", "-n", "--"])
            .arg(program);
        Ok(command)
    }

    /// A command of the tools' tree, in which the lab is `/mnt/lab/`.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn tool(&self, program: &str) -> Result<Command> {
        let mut command = self.inside("chroot")?;
        command.arg(self.directory.join("tools")).arg(program);
        Ok(command)
    }

    /// Whether the pool has the tree `name`.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn has(&self, name: &str) -> Result<bool> {
        let status = self
            .inside("test")?
            .arg("-d")
            .arg(self.tree(name))
            .status()?;
        Ok(status.success())
    }

    /// The tree made by `recipe`, as a subvolume of the pool; made if it is not there. Returns its name.
    ///
    /// # Errors
    /// The tree cannot be built or copied.
    pub fn base(&self, recipe: &Recipe) -> Result<String> {
        let name = format!("base-{}", recipe.key());
        let _lock = self.lock(&name)?;
        if !self.has(&name)? {
            let rootfs = recipe.cached(&self.directory)?;
            let partial = format!("{name}.partial");
            self.delete(&partial)?;
            self.btrfs(&["create", &inner(&partial)])?;
            let mut copy = self.inside("cp")?;
            command::run(
                copy.arg("-a")
                    .arg(rootfs.join("."))
                    .arg(self.tree(&partial)),
            )?;
            command::run(
                self.inside("mv")?
                    .arg(self.tree(&partial))
                    .arg(self.tree(&name)),
            )?;
        }
        Ok(name)
    }

    /// Makes `name` a writable snapshot of the tree `from`.
    ///
    /// # Errors
    /// There is no such tree, or `name` exists.
    pub fn snapshot(&self, from: &str, name: &str) -> Result<()> {
        self.btrfs(&["snapshot", &inner(from), &inner(name)])
    }

    /// Deletes a tree with the subvolumes below it; nothing to do when it does not exist.
    ///
    /// # Errors
    /// btrfs fails.
    pub fn delete(&self, name: &str) -> Result<()> {
        if self.has(name)? {
            self.btrfs(&["delete", "--recursive", &inner(name)])?;
        }
        Ok(())
    }

    /// Trees of the pool, by name.
    ///
    /// # Errors
    /// The holder does not run.
    pub fn trees(&self) -> Result<Vec<String>> {
        let list = command::capture(self.inside("ls")?.arg(self.directory.join("pool")))?;
        Ok(list.lines().map(str::to_owned).collect())
    }

    /// Copies the content of the directory `source` over the tree `name`; directories that exist keep their mode.
    ///
    /// # Errors
    /// tar fails.
    pub fn overlay(&self, name: &str, source: &Path) -> Result<()> {
        let mut unpack = self.inside("tar")?;
        unpack.arg("-C").arg(self.tree(name)).args(UNPACK);
        packed(source, &["--xattrs", "--numeric-owner", "-cpf"], |stream| {
            command::run(unpack.stdin(stream))
        })
    }

    /// Ends the holder; its mounts go with it.
    ///
    /// # Errors
    /// A host still runs.
    pub fn close(&self) -> Result<()> {
        let hosts = super::Bed::all(self)?;
        if let Some(host) = hosts.iter().find(|host| host.is_running()) {
            bail!("{} still runs", host.name());
        }
        self.holder()?.kill()
    }

    fn btrfs(&self, arguments: &[&str]) -> Result<()> {
        command::capture(
            self.tool("btrfs")?
                .args(["-q", "subvolume"])
                .args(arguments),
        )
        .map(drop)
    }

    fn start_holder(&self, rootfs: &Path) -> Result<()> {
        raise_inotify_limit()?;
        let file = self.run().join("holder.pid");
        let log = self.run().join("holder.log");
        let _ = fs::remove_file(&file);
        let script = self.script("holder.sh", include_str!("holder.sh"))?;
        let mut command = Command::new("unshare");
        command
            .args([
                "-m",
                "-n",
                "--propagation",
                "private",
                "--",
                "/bin/sh",
                "-eu",
            ])
            .arg(script)
            .arg(&self.directory)
            .arg(rootfs)
            .arg(POOL_SIZE);
        detach(command, &log)?;
        fs::write(self.run().join("holder.key"), holder_key())?;
        wait_until(Duration::from_secs(60), || self.holder().is_ok()).with_context(|| {
            format!(
                "the holder did not start:\n{}",
                fs::read_to_string(&log).unwrap_or_default()
            )
        })
    }

    /// Writes a script where a shell outside of the pool finds it.
    pub(super) fn script(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self
            .run()
            .join(format!("{}-{name}", cache::key([text.as_bytes()])));
        if !path.exists() {
            let partial = self.run().join(format!("{name}.{}", std::process::id()));
            fs::write(&partial, text)?;
            fs::rename(&partial, &path)?;
        }
        Ok(path)
    }
}

/// Starts a program in a session of its own, so that it outlives the caller and the caller's terminal.
pub(super) fn detach(command: Command, log: &Path) -> Result<()> {
    let output = File::create(log)?;
    let mut detached = Command::new("setsid");
    detached
        .args(["--fork", "--"])
        .arg(command.get_program())
        .args(command.get_args())
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    command::run(&mut detached)
}

/// Looks at `condition` until it holds; the ends of it live in other namespaces and have nothing to notify us with.
pub(super) fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> Result<()> {
    let deadline = Instant::now() + limit;
    while !condition() {
        if Instant::now() > deadline {
            bail!("nothing after {} s", limit.as_secs());
        }
        sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn holder_key() -> String {
    cache::key([include_str!("holder.sh").as_bytes()])
}

fn inner(tree: &str) -> String {
    format!("/mnt/lab/pool/{tree}")
}

fn raise_inotify_limit() -> Result<()> {
    let path = "/proc/sys/fs/inotify/max_user_instances";
    let current: u64 = fs::read_to_string(path)?.trim().parse()?;
    if current < INOTIFY_INSTANCES {
        fs::write(path, INOTIFY_INSTANCES.to_string())?;
    }
    Ok(())
}
