//! Root file systems from Debian packages, by mmdebstrap.

use crate::{cache, command};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What goes into a root file system.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Debian suite.
    pub suite: &'static str,
    /// Packages beside the essential ones.
    pub packages: Vec<String>,
    /// dpkg `path-exclude` patterns.
    pub excluded: &'static [&'static str],
    /// dpkg `path-include` patterns: what stays of the excluded.
    pub included: &'static [&'static str],
    /// Unix time that tools may write into files (`SOURCE_DATE_EPOCH`), for trees that must come out the same twice.
    pub epoch: Option<u64>,
    /// Script that runs with the tree as working directory once the packages are installed.
    pub finish: String,
}

impl Recipe {
    /// Key of the tree in the cache.
    #[must_use]
    pub fn key(&self) -> String {
        let text = format!("{self:?}");
        cache::key([text.as_bytes()])
    }

    /// The tree in `cache/rootfs/<key>`, made if it is not there.
    ///
    /// # Errors
    /// mmdebstrap or the finishing script fails.
    pub fn cached(&self, cache: &Path) -> Result<PathBuf> {
        let parent = cache.join("rootfs");
        fs::create_dir_all(&parent)?;
        let target = parent.join(self.key());
        if target.exists() {
            // Also for who may not write here.
            return Ok(target);
        }
        let _lock = cache::lock(&parent.join(format!("{}.lock", self.key())))?;
        if !target.exists() {
            let partial = parent.join(format!("{}.partial", self.key()));
            self.build(cache, &partial)?;
            fs::rename(&partial, &target)?;
        }
        Ok(target)
    }

    /// Makes the tree in `target`, which is emptied first. Downloaded packages stay in `cache/debs/`.
    ///
    /// # Errors
    /// mmdebstrap or the finishing script fails.
    pub fn build(&self, cache: &Path, target: &Path) -> Result<()> {
        let debs = cache.join("debs");
        fs::create_dir_all(&debs)?;
        if target.exists() {
            fs::remove_dir_all(target)
                .with_context(|| format!("cannot remove {}", target.display()))?;
        }
        eprintln!(
            "building a {} root file system of {} packages (a minute or two, then cached)",
            self.suite,
            self.packages.len()
        );
        command::run(&mut self.mmdebstrap(&debs, target))?;
        command::run(
            Command::new("/bin/sh")
                .args(["-euc", &self.finish])
                .current_dir(target),
        )
    }

    fn mmdebstrap(&self, debs: &Path, target: &Path) -> Command {
        let mut command = Command::new("mmdebstrap");
        let log = target.with_extension("log");
        command
            .args(["--quiet", "--mode=root", "--variant=essential"])
            // The suite's Release file may be past its date: it is a development suite.
            .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
            .args(["--skip=essential/unlink", "--skip=download/empty"])
            .arg(r#"--setup-hook=mkdir -p "$1/var/cache/apt/archives"; cp "$DEBS"/*.deb "$1/var/cache/apt/archives/" 2>/dev/null || true"#)
            .arg(r#"--customize-hook=cp -n "$1"/var/cache/apt/archives/*.deb "$DEBS/" 2>/dev/null || true"#)
            .arg(r#"--customize-hook=rm -f "$1"/var/cache/apt/archives/*.deb"#)
            .arg(format!("--logfile={}", log.display()))
            .arg(format!("--include={}", self.packages.join(",")))
            .env("DEBS", debs)
            // dracut's hook: nothing here boots through an initrd that the package makes.
            .env("INITRD", "No");
        for pattern in self.excluded {
            command.arg(format!("--dpkgopt=path-exclude={pattern}"));
        }
        for pattern in self.included {
            command.arg(format!("--dpkgopt=path-include={pattern}"));
        }
        match self.epoch {
            Some(epoch) => command.env("SOURCE_DATE_EPOCH", epoch.to_string()),
            None => command.env_remove("SOURCE_DATE_EPOCH"),
        };
        command.arg(self.suite).arg(target);
        command
    }
}
