//! Templates: read-only root file systems that tenants' machines start from, built reproducibly from `templates/<name>/`:
//!
//! - `metadata.json`: what the template is; installed as it is;
//! - `packages`: Debian packages, one per line, `#` starts a comment;
//! - `finish.sh`: what to change once they are installed;
//! - `initrd.sh`, of virtual machines: the first process of their initrd. Their tree becomes a disk, beside its kernel.
//!
//! [`digest`] names the content of a tree; two builds from the same packages have the same.

mod digest;
mod disk;
mod gpt;
mod kernel;
mod rootfs;

pub use digest::digest;
pub use rootfs::check_rootfs;

use crate::debian::Recipe;
use crate::{bed, cache};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// Time of every file of a template (Unix seconds).
const EPOCH: u64 = 1_767_225_600;

/// A template that was built.
#[derive(Debug, Clone)]
pub struct Template {
    /// Name: its directory below `templates/`.
    pub name: String,
    /// The directory to install: `metadata.json`, `digest`, and `rootfs/` or `disk.raw`, `kernel`, `initrd`.
    pub directory: PathBuf,
    /// Digest of the tree, and of what boots it: `sha256:<64 hex digits>`.
    pub digest: String,
}

/// Names of the templates of the repository at `repository`.
///
/// # Errors
/// `templates/` cannot be read.
pub fn names(repository: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(repository.join("templates"))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Builds the template `name`, or takes it from the cache.
///
/// # Errors
/// Its files cannot be read, or the build fails.
pub fn build(repository: &Path, cache: &Path, name: &str) -> Result<Template> {
    let source = repository.join("templates").join(name);
    let recipe = recipe(&source)?;
    let metadata = fs::read(source.join("metadata.json"))?;
    let init = init(&source);
    let text = init.clone().unwrap_or_default();
    let key = cache::key([recipe.key().as_bytes(), &metadata, text.as_bytes()]);
    let parent = cache.join("templates");
    fs::create_dir_all(&parent)?;
    let directory = parent.join(format!("{name}-{key}"));
    let _lock = cache::lock(&parent.join(format!("{name}.lock")))?;
    if !directory.exists() {
        let partial = parent.join(format!("{name}.partial"));
        build_into(&recipe, init.as_deref(), cache, &partial)?;
        fs::write(partial.join("metadata.json"), &metadata)?;
        fs::rename(&partial, &directory)?;
    }
    let digest = fs::read_to_string(directory.join("digest"))?;
    Ok(Template {
        name: name.to_owned(),
        digest: digest.trim().to_owned(),
        directory,
    })
}

/// Builds the template `name` once more, beside the cache, and compares.
///
/// # Errors
/// The two trees differ: the error names what differs.
pub fn check_reproducible(repository: &Path, cache: &Path, name: &str) -> Result<Template> {
    let first = build(repository, cache, name)?;
    let source = repository.join("templates").join(name);
    let recipe = recipe(&source)?;
    let again = cache.join("templates").join(format!("{name}.again"));
    let digest = build_into(&recipe, init(&source).as_deref(), cache, &again)?;
    if digest != first.digest && init(&source).is_none() {
        let old = digest::listing(&first.directory.join("rootfs"))?;
        let new = digest::listing(&again.join("rootfs"))?;
        let differing: Vec<&str> = digest::difference(&old, &new);
        bail!(
            "{name} came out different the second time:\n{}",
            differing.join("\n")
        );
    }
    if digest != first.digest {
        bail!(
            "{name} came out different the second time: compare {}",
            again.display()
        );
    }
    fs::remove_dir_all(&again)?;
    Ok(first)
}

/// What the initrd of a machine does; `None` when it is of a container.
fn init(source: &Path) -> Option<String> {
    fs::read_to_string(source.join("initrd.sh")).ok()
}

fn build_into(
    recipe: &Recipe,
    init: Option<&str>,
    cache: &Path,
    directory: &Path,
) -> Result<String> {
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let rootfs = directory.join("rootfs");
    recipe.build(cache, &rootfs)?;
    let _ = fs::remove_file(rootfs.with_extension("log"));
    check_rootfs(&rootfs)?;
    rootfs::set_times(&rootfs, EPOCH)?;
    let mut digest = digest(&rootfs)?;
    if let Some(init) = init {
        digest = disk::build(&rootfs, init, &digest, directory)?;
        fs::remove_dir_all(&rootfs)?;
    }
    fs::write(directory.join("digest"), format!("{digest}\n"))?;
    Ok(digest)
}

fn recipe(source: &Path) -> Result<Recipe> {
    let read = |file: &str| {
        fs::read_to_string(source.join(file))
            .with_context(|| format!("cannot read {}", source.join(file).display()))
    };
    let packages = read("packages")?
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim().to_owned())
        .filter(|package| !package.is_empty())
        .collect();
    Ok(Recipe {
        suite: bed::recipe::SUITE,
        packages,
        excluded: &[
            "/usr/share/man/*",
            "/usr/share/doc/*",
            "/usr/share/locale/*",
            "/usr/share/info/*",
            "/usr/share/bash-completion/*",
            "/usr/share/zsh/*",
            "/usr/share/lintian/*",
            "/usr/share/bug/*",
        ],
        included: &["/usr/share/doc/*/copyright"],
        epoch: Some(EPOCH),
        finish: format!("{}\n{}", read("finish.sh")?, include_str!("normalise.sh")),
    })
}
