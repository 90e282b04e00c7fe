//! What a package of BitBuilder Hypervisor puts where on a host: one list, used by hosts of developers and of tests.
//!
//! Programs are built in release mode first. The generators are linked statically: the loader would be a third of their
//! time. Templates are not part of [`Package`]: they are large and seldom change ([`crate::system`] has them).

use crate::{cache, command};
use anyhow::{Context, Result};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where our programs are that nobody calls by hand.
const LIBRARY: &str = "/usr/lib/bitbuilder";
/// What the agent is started as: `/usr/lib/bitbuilder/<role>` is a link to it.
pub const ROLES: &[&str] = &[
    "tenant-provision",
    "tenant-manager",
    "tenant-cleanup",
    "setup-tenant-network",
    "teardown-tenant-network",
    "tenant-rollback",
    "git-sync",
    "sync-request",
    "webhook",
    "tenant-health",
    "tenant-discover",
    "enter",
    "kvm-probe",
    "notify",
    "notify-send",
    "pre-receive",
    "post-receive",
];
const GENERATORS: &[&str] = &["tenant-generator", "mount-generator"];
/// Directories of the repository whose files are installed as they are, and where to.
const DIRECTORIES: &[(&str, &str)] = &[
    ("units", "/usr/lib/systemd/system"),
    ("system-preset", "/usr/lib/systemd/system-preset"),
    ("catalog", "/usr/lib/systemd/catalog"),
    ("sysctl.d", "/usr/lib/sysctl.d"),
    ("tmpfiles.d", "/usr/lib/tmpfiles.d"),
    ("man", "/usr/share/man"),
];
/// Files of the repository that are installed under another name.
const FILES: &[(&str, &str)] = &[
    (
        "completions/bbctl.bash",
        "/usr/share/bash-completion/completions/bbctl",
    ),
    (
        "completions/bbctl.fish",
        "/usr/share/fish/vendor_completions.d/bbctl.fish",
    ),
    (
        "completions/_bbctl",
        "/usr/share/zsh/vendor-completions/_bbctl",
    ),
];

/// One thing that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// Absolute path on the host.
    pub path: String,
    /// What is there.
    pub content: Content,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A copy of `source` with the permission bits `mode`.
    File {
        /// File to copy.
        source: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link to this.
    Link(String),
}

/// The list: everything of a package but the templates, sorted by path. `programs` has the release binaries.
///
/// # Errors
/// A directory of the repository cannot be read.
pub fn manifest(repository: &Path, programs: &Path) -> Result<Vec<Entry>> {
    let program = |path: String, name: &str| Entry {
        path,
        content: Content::File {
            source: programs.join(name),
            mode: 0o755,
        },
    };
    let mut entries = vec![
        program("/usr/bin/bbctl".to_owned(), "bbctl"),
        program(format!("{LIBRARY}/agent"), "bitbuilder-agent"),
    ];
    entries.extend(ROLES.iter().map(|role| Entry {
        path: format!("{LIBRARY}/{role}"),
        content: Content::Link("agent".to_owned()),
    }));
    entries.extend(
        GENERATORS
            .iter()
            .map(|name| program(format!("/usr/lib/systemd/system-generators/{name}"), name)),
    );
    let file = |path: String, source: PathBuf| Entry {
        path,
        content: Content::File {
            source,
            mode: 0o644,
        },
    };
    for (source, target) in DIRECTORIES {
        let source = repository.join(source);
        let files = fs::read_dir(&source);
        for found in files.with_context(|| format!("cannot read {}", source.display()))? {
            let found = found?;
            let name = found.file_name().to_string_lossy().into_owned();
            let path = match name.rsplit_once('.') {
                Some((_, section)) if *target == "/usr/share/man" => {
                    format!("{target}/man{section}/{name}")
                }
                _ => format!("{target}/{name}"),
            };
            entries.push(file(path, found.path()));
        }
    }
    for (source, path) in FILES {
        entries.push(file((*path).to_owned(), repository.join(source)));
    }
    entries.sort();
    Ok(entries)
}

/// A package: a tree to copy over the `/` of a host.
#[derive(Debug, Clone)]
pub struct Package {
    /// The tree.
    pub directory: PathBuf,
    /// Hash of everything in it.
    pub key: String,
    /// Absolute paths on the host, sorted.
    pub paths: Vec<String>,
}

impl Package {
    /// Builds the programs and lays the package out in `<target>/package/<key>/`; takes a second when nothing changed.
    /// `BITBUILDER_PROGRAMS` names a directory of release binaries to take instead of building them.
    ///
    /// # Errors
    /// The build fails, or the tree cannot be written.
    pub fn build(repository: &Path) -> Result<Self> {
        let target = target_directory(repository);
        fs::create_dir_all(target.join("package"))?;
        let _lock = cache::lock(&target.join("package.lock"))?;
        let programs = match std::env::var_os("BITBUILDER_PROGRAMS") {
            Some(directory) => directory.into(),
            None => build_programs(repository, &target)?,
        };
        stage(&manifest(repository, &programs)?, &target.join("package"))
    }

    /// Those of `installed` (absolute paths on a host) that this package does not have.
    #[must_use]
    pub fn stale<'a>(&self, installed: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
        let installed = installed.into_iter();
        installed
            .filter(|path| !self.paths.iter().any(|ours| ours == path))
            .collect()
    }
}

/// Where programs are built.
pub(crate) fn target_directory(repository: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => repository.join(directory),
        None => repository.join("target"),
    }
}

/// `cargo`, started in the repository.
pub(crate) fn cargo(repository: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(repository);
    cargo
}

fn build_programs(repository: &Path, target: &Path) -> Result<PathBuf> {
    let cargo = || cargo(repository);
    if !target.join("release/bbctl").exists() {
        eprintln!("building the programs in release mode (some minutes, then kept)");
    }
    command::run(
        cargo()
            .args(["build", "--quiet", "--locked", "--release"])
            .args(["--package", "bbctl", "--package", "bitbuilder-agent"]),
    )?;
    for generator in GENERATORS {
        let package = ["--package", "bitbuilder-generators", "--bin", generator];
        command::run(
            cargo()
                .args(["rustc", "--quiet", "--locked", "--release"])
                .args(package)
                .args(["--", "-C", "target-feature=+crt-static"]),
        )?;
    }
    Ok(target.join("release"))
}

/// Copies `entries` below `parent/<key>/`, and removes the packages of before.
fn stage(entries: &[Entry], parent: &Path) -> Result<Package> {
    let mut parts: Vec<Vec<u8>> = Vec::new();
    for entry in entries {
        parts.push(entry.path.clone().into_bytes());
        match &entry.content {
            Content::File { source, mode } => {
                parts.push(mode.to_le_bytes().to_vec());
                let content = fs::read(source);
                parts.push(content.with_context(|| format!("cannot read {}", source.display()))?);
            }
            Content::Link(target) => parts.push(target.clone().into_bytes()),
        }
    }
    let key = cache::key(parts.iter().map(Vec::as_slice));
    let directory = parent.join(&key);
    if !directory.exists() {
        let partial = parent.join("partial");
        for old in fs::read_dir(parent)? {
            fs::remove_dir_all(old?.path())?;
        }
        for entry in entries {
            place(entry, &partial)?;
        }
        fs::rename(&partial, &directory)?;
    }
    Ok(Package {
        directory,
        key,
        paths: entries.iter().map(|entry| entry.path.clone()).collect(),
    })
}

fn place(entry: &Entry, root: &Path) -> Result<()> {
    let path = root.join(entry.path.trim_start_matches('/'));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    match &entry.content {
        Content::File { source, mode } => {
            fs::copy(source, &path)?;
            fs::set_permissions(&path, PermissionsExt::from_mode(*mode))?;
        }
        Content::Link(target) => symlink(target, &path)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_that_a_unit_starts_is_installed() {
        let repository = crate::repository();
        let entries = manifest(&repository, Path::new("/programs")).unwrap();
        for unit in fs::read_dir(repository.join("units")).unwrap() {
            let path = unit.unwrap().path();
            let text = fs::read_to_string(&path).unwrap();
            for line in text.lines().filter(|line| line.starts_with("Exec")) {
                let (_, command) = line.split_once('=').unwrap();
                let program = command.trim_start_matches(['-', '+', ':']);
                let program = program.split(' ').next().unwrap();
                let ours = entries.iter().any(|entry| entry.path == program);
                // Programs of systemd, iproute2 and util-linux are there; the operator's come from the operator.
                let others = [
                    "/usr/bin/systemctl",
                    "/usr/bin/ip",
                    "/usr/bin/nsenter",
                    "/etc/bitbuilder/notify.d/%i",
                ];
                assert!(
                    ours || others.contains(&program),
                    "{}: {line}",
                    path.display()
                );
            }
        }
    }

    #[test]
    fn the_key_follows_content_and_old_packages_go() {
        let scratch =
            std::env::temp_dir().join(format!("bitbuilder-package-{}", std::process::id()));
        let parent = scratch.join("package");
        fs::create_dir_all(&parent).unwrap();
        let source = scratch.join("file");
        let entries = [
            Entry {
                path: "/usr/bin/x".to_owned(),
                content: Content::File {
                    source: source.clone(),
                    mode: 0o755,
                },
            },
            Entry {
                path: "/usr/bin/y".to_owned(),
                content: Content::Link("x".to_owned()),
            },
        ];
        fs::write(&source, "one").unwrap();
        let one = stage(&entries, &parent).unwrap();
        assert_eq!(one.key, stage(&entries, &parent).unwrap().key);
        fs::write(&source, "two").unwrap();
        let two = stage(&entries, &parent).unwrap();
        assert_ne!(one.key, two.key);
        assert!(!one.directory.exists());
        assert_eq!(fs::read(two.directory.join("usr/bin/y")).unwrap(), b"two");
        fs::remove_dir_all(scratch).unwrap();
    }
}
