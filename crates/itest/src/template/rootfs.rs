//! The shape of a template's root file system.

use anyhow::{Result, bail};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Checks what every template must have: `/etc/os-release`, the link `/usr/lib/os-release`, the top directories, `/tmp` 1777.
///
/// # Errors
/// Something is missing.
pub fn check_rootfs(rootfs: &Path) -> Result<()> {
    let is = |path: &str, test: fn(&fs::Metadata) -> bool| {
        fs::symlink_metadata(rootfs.join(path)).is_ok_and(|metadata| test(&metadata))
    };
    if !is("etc/os-release", fs::Metadata::is_file) {
        bail!("missing /etc/os-release");
    }
    if !is("usr/lib/os-release", fs::Metadata::is_symlink) {
        bail!("missing the link /usr/lib/os-release");
    }
    for directory in ["etc", "usr", "var", "proc", "sys", "dev", "run", "tmp"] {
        if !is(directory, fs::Metadata::is_dir) {
            bail!("missing the directory /{directory}");
        }
    }
    if !is("tmp", |metadata| metadata.mode() & 0o7777 == 0o1777) {
        bail!("/tmp must have mode 1777");
    }
    Ok(())
}

/// Gives every file below `path`, and `path`, the same times (Unix seconds).
pub(super) fn set_times(path: &Path, epoch: u64) -> Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        for entry in fs::read_dir(path)? {
            set_times(&entry?.path(), epoch)?;
        }
    }
    let time = Timespec {
        tv_sec: i64::try_from(epoch)?,
        tv_nsec: 0,
    };
    let times = Timestamps {
        last_access: time,
        last_modification: time,
    };
    rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(())
}
