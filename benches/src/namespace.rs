//! A mount namespace of its own: the generators read `/var/lib`, so a measurement brings its own `/var`.

use rustix::mount::{MountFlags, mount, mount_bind};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Tells the process in the namespace where it may write.
const VARIABLE: &str = "BITBUILDER_BENCHES_SCRATCH";

/// Makes a namespace and runs a program in it.
pub(crate) struct Wrapper {
    /// A mount point that goes when the wrapper goes; what is mounted on it goes with the namespace.
    scratch: tempfile::TempDir,
}

impl Wrapper {
    /// Whether this process is wrapped.
    pub(crate) fn is_around() -> bool {
        std::env::var_os(VARIABLE).is_some()
    }

    /// A new wrapper.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let scratch = tempfile::Builder::new()
            .prefix("bitbuilder-benches-")
            .tempdir()?;
        anyhow::ensure!(
            !scratch.path().starts_with("/var"),
            "temporary files are below /var, which is replaced; set TMPDIR to another directory"
        );
        Ok(Self { scratch })
    }

    /// The command that runs the program whose path and arguments are added to it.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args(["--mount", "--"])
            .env(VARIABLE, self.scratch.path());
        command
    }
}

/// Inside: an empty directory in memory, and an empty `/var` that is its `var/`.
pub(crate) fn scratch() -> anyhow::Result<PathBuf> {
    let scratch = PathBuf::from(std::env::var_os(VARIABLE).unwrap_or_default());
    mount(
        "bitbuilder-benches",
        &scratch,
        "tmpfs",
        MountFlags::empty(),
        c"mode=0755,nr_inodes=0,size=80%",
    )?;
    let var = scratch.join("var");
    fs::create_dir(&var)?;
    mount_bind(&var, "/var")?;
    Ok(scratch)
}
