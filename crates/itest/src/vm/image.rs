//! What VM hosts boot from: kernel, initrd, and a disk with the tree and the templates.

use super::{initrd, qemu};
use crate::bed::recipe;
use crate::template::Template;
use crate::{cache, command, setup};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Size of the disk; the file is sparse.
const SIZE: &str = "8G";
const SCRIPT: &str = include_str!("image.sh");
const TUNE: &str = include_str!("tune.sh");
/// What the runner is made of.
const RUNNER: [&str; 2] = [
    include_str!("protocol.rs"),
    include_str!("../bin/bed-runner.rs"),
];

/// A directory with `kernel`, `initrd` and `disk` (raw).
#[derive(Debug, Clone)]
pub struct Image {
    /// Below the cache.
    path: String,
}

impl Image {
    /// Makes the image if it is not cached, for which the caller has to be root.
    ///
    /// # Errors
    /// Something cannot be made.
    pub fn cached(repository: &Path, cache: &Path, templates: &[Template]) -> Result<Self> {
        let recipe = recipe::vm_host();
        let base = [recipe.key(), qemu::guest_key(), SIZE.to_owned()];
        let parts = base.iter().map(String::as_bytes);
        let parts = parts.chain([SCRIPT, TUNE, RUNNER[0], RUNNER[1]].map(str::as_bytes));
        let trees = templates
            .iter()
            .map(|template| template.directory.as_os_str().as_encoded_bytes());
        let image = Self {
            path: format!("vm/images/{}", cache::key(parts.chain(trees))),
        };
        let target = cache.join(&image.path);
        if target.exists() {
            return Ok(image);
        }
        setup::require_root()?;
        let _lock = cache::lock(&target.with_extension("lock"))?;
        if !target.exists() {
            let tree = recipe.cached(cache)?;
            let partial = target.with_extension("partial");
            if partial.exists() {
                fs::remove_dir_all(&partial)?;
            }
            fs::create_dir(&partial)?;
            build(repository, &tree, templates, &partial)?;
            fs::rename(&partial, &target)?;
        }
        Ok(image)
    }

    /// Its directory, below the cache.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

fn build(repository: &Path, tree: &Path, templates: &[Template], target: &Path) -> Result<()> {
    eprintln!("making the disk of VM hosts");
    let modules = only_entry(&tree.join("usr/lib/modules"))?;
    fs::write(
        target.join("initrd"),
        initrd::build(tree, &modules, initrd::INIT)?,
    )?;
    fs::copy(modules.join("vmlinuz"), target.join("kernel")).context("the tree has no kernel")?;
    let runner = build_runner(repository)?;
    let mut make = Command::new("unshare");
    make.args([
        "-m",
        "--propagation",
        "private",
        "--",
        "sh",
        "-euc",
        SCRIPT,
        "sh",
    ])
    .arg(tree)
    .arg(target.join("disk"))
    .arg(SIZE)
    .arg(runner)
    .arg(TUNE);
    for template in templates {
        make.arg(&template.name).arg(&template.directory);
    }
    command::run(&mut make)
}

/// Linked statically: the C library of a host may be older than ours.
fn build_runner(repository: &Path) -> Result<PathBuf> {
    let runner = "bed-runner";
    let package = ["--package", "bitbuilder-itest", "--bin", runner];
    command::run(
        crate::package::cargo(repository)
            .args(["rustc", "--quiet", "--locked", "--release"])
            .args(package)
            .args(["--", "-C", "target-feature=+crt-static"]),
    )?;
    Ok(crate::package::target_directory(repository)
        .join("release")
        .join(runner))
}

fn only_entry(directory: &Path) -> Result<PathBuf> {
    let mut entries = fs::read_dir(directory)?;
    let entry = entries
        .next()
        .with_context(|| format!("{} is empty", directory.display()))??;
    Ok(entry.path())
}
