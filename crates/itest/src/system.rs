//! Hosts with our package on them.
//!
//! A host is a snapshot of a *system*: the Debian tree of [`bed::recipe`] with the templates in their place, made once.
//! The [`Package`] is copied over it before it boots, or while it runs.

use crate::bed::{Bed, Lab, recipe};
use crate::host::Host;
use crate::package::Package;
use crate::template::{self, Template};
use crate::{cache, command, setup};
use anyhow::{Context, Result};
use std::fs;
use std::path::Path;

/// Where the templates are on a host.
const TEMPLATES: &str = "/usr/lib/bitbuilder/templates";
/// What a package does once its files are there and the host runs.
pub(crate) const ACTIVATE: &str = "systemctl daemon-reload; systemctl restart systemd-sysctl.service; \
    systemd-tmpfiles --create bitbuilder.conf; \
    systemctl preset bitbuilder-sync.timer 2>&1; systemctl start bitbuilder-sync.timer";

/// Everything that hosts are made from: the lab, a tree with templates, the package.
#[derive(Debug, Clone)]
pub struct System {
    lab: Lab,
    /// Tree that hosts are snapshots of.
    tree: String,
    package: Package,
}

/// What [`System::install`] found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The host had this very package.
    Unchanged,
    /// Files were replaced.
    Changed,
}

impl System {
    /// Makes what is missing: Debian packages on this machine, trees, templates, release binaries.
    ///
    /// # Errors
    /// The caller is not root, or something cannot be built.
    pub fn prepare(repository: &Path) -> Result<Self> {
        setup::ensure(setup::BEDS)?;
        setup::require_root()?;
        // The build first: a mistake shows before minutes of downloads.
        let package = Package::build(repository)?;
        let cache = cache::directory()?;
        fs::create_dir_all(&cache)?;
        let recipe = recipe::container_host();
        let lab = Lab::open(&cache, &recipe.cached(&cache)?)?;
        let base = lab.base(&recipe)?;
        let templates = template::names(repository)?
            .iter()
            .map(|name| template::build(repository, &cache, name))
            .collect::<Result<Vec<_>>>()?;
        let tree = with_templates(&lab, &base, &templates)?;
        Ok(Self { lab, tree, package })
    }

    /// The lab that the hosts are in.
    #[must_use]
    pub fn lab(&self) -> &Lab {
        &self.lab
    }

    /// Makes the host `name` and installs the package; it does not run yet.
    ///
    /// # Errors
    /// The host exists, or files cannot be copied.
    pub fn create(&self, name: &str) -> Result<Bed> {
        let bed = Bed::create(&self.lab, name, &self.tree)?;
        self.install_stopped(&bed)?;
        Ok(bed)
    }

    /// Brings the package on an existing host up to date, as an upgrade would. A running host gets new files and a
    /// `daemon-reload`; when its templates change too, it is stopped first and stays so.
    ///
    /// # Errors
    /// Files cannot be copied, or a command on the host fails.
    pub fn install(&self, bed: &Bed) -> Result<Installed> {
        let before = bed.note().unwrap_or_default();
        let mut lines = before.lines();
        let (key, tree) = (lines.next(), lines.next());
        if key == Some(&self.package.key) && tree == Some(&self.tree) {
            return Ok(Installed::Unchanged);
        }
        if tree != Some(&self.tree) {
            if bed.is_running() {
                bed.stop()?;
            }
            self.replace_templates(bed)?;
        }
        let stale = self.package.stale(lines);
        if !bed.is_running() {
            let mut remove = self.lab.inside("/bin/sh")?;
            remove
                .args([
                    "-euc",
                    r#"cd "$1"; shift; for f; do rm -f "./$f"; done"#,
                    "sh",
                ])
                .arg(self.lab.tree(&bed.tree()))
                .args(&stale);
            command::capture(&mut remove)?;
            self.install_stopped(bed)?;
            return Ok(Installed::Changed);
        }
        replace_package(bed, &self.package, &stale)?;
        self.write_note(bed)?;
        Ok(Installed::Changed)
    }

    fn install_stopped(&self, bed: &Bed) -> Result<()> {
        self.lab.overlay(&bed.tree(), &self.package.directory)?;
        let root = format!("--root=/mnt/lab/pool/{}", bed.tree());
        let mut preset = self.lab.tool("systemctl")?;
        command::capture(preset.args([&root, "preset", "bitbuilder-sync.timer"]))?;
        self.write_note(bed)
    }

    fn write_note(&self, bed: &Bed) -> Result<()> {
        let mut note = format!("{}\n{}\n", self.package.key, self.tree);
        note.extend(self.package.paths.iter().map(|path| format!("{path}\n")));
        bed.set_note(&note)
    }

    fn replace_templates(&self, bed: &Bed) -> Result<()> {
        let path = |tree: &str| format!("{}{TEMPLATES}", self.lab.tree(tree).display());
        let script = r#"rm -rf "$2"; mkdir -p "$(dirname "$2")"; cp -a --reflink=auto "$1" "$2""#;
        let mut replace = self.lab.inside("/bin/sh")?;
        replace.args(["-euc", script, "sh", &path(&self.tree), &path(&bed.tree())]);
        command::capture(&mut replace).map(drop)
    }
}

/// Puts `package` on a running host, where the paths of `stale` are of an older one.
pub(crate) fn replace_package(host: &dyn Host, package: &Package, stale: &[&str]) -> Result<()> {
    let remove = ["rm", "-f", "--"];
    let remove: Vec<&str> = remove.into_iter().chain(stale.iter().copied()).collect();
    host.output(&remove)?;
    host.put(&package.directory, "/")?;
    host.sh(ACTIVATE).map(drop)
}

/// The tree `system-<key>`: `base` with the templates; made if it is not there. Trees with other templates go: hosts are
/// snapshots and do not need them.
fn with_templates(lab: &Lab, base: &str, templates: &[Template]) -> Result<String> {
    let mut parts = vec![base.as_bytes()];
    for template in templates {
        parts.push(template.directory.as_os_str().as_encoded_bytes());
    }
    let name = format!("system-{}", cache::key(parts));
    let _lock = lab.lock("system")?;
    if lab.has(&name)? {
        return Ok(name);
    }
    for tree in lab.trees()? {
        if tree.starts_with("system-") {
            lab.delete(&tree)?;
        }
    }
    let partial = format!("{name}.partial");
    lab.snapshot(base, &partial)?;
    for template in templates {
        let target = lab.tree(&partial).join(TEMPLATES.trim_start_matches('/'));
        command::capture(lab.inside("mkdir")?.arg("-p").arg(&target))?;
        let mut copy = lab.inside("cp")?;
        copy.arg("-a")
            .arg(&template.directory)
            .arg(target.join(&template.name));
        command::run(&mut copy)
            .with_context(|| format!("cannot install the template {}", template.name))?;
    }
    command::run(
        lab.inside("mv")?
            .arg(lab.tree(&partial))
            .arg(lab.tree(&name)),
    )?;
    Ok(name)
}
