//! Which files a unit is made of: what the generators linked at the last reload, and what the host ships.
//!
//! A generation never changes, so "what the manager read at the last reload" is remembered as the number of each
//! tenant's generation at that time.

use super::unit::Unit;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::{atomic, generations};
use bitbuilder_core::model::Name;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Directories of unit files, first wins.
const DIRECTORIES: [&str; 3] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
];

/// What the generators need of the effective registry.
#[derive(Debug, Deserialize)]
struct Registry {
    tenants: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: Name,
    #[serde(default = "yes")]
    enabled: bool,
}

fn yes() -> bool {
    true
}

/// Runs the generators: the current generation of each enabled tenant whose generation can be read. Others are passed
/// over, as the generators do.
pub(super) fn generate(root: &HostRoot) -> BTreeMap<String, u64> {
    let Ok(Some(registry)) = atomic::read_json::<Registry>(&root.registry()) else {
        return BTreeMap::new();
    };
    let enabled = registry.tenants.into_iter().filter(|entry| entry.enabled);
    enabled
        .filter_map(|entry| {
            let number = generations::current(root, &entry.id).ok().flatten()?;
            let directory = root.generation(&entry.id, number);
            fs::read_to_string(directory.join("boot")).ok()?;
            Some((entry.id.to_string(), number))
        })
        .collect()
}

/// Fails unless `id` is in the effective registry, with what the provisioning of a tenant says.
pub(super) fn require_registered(root: &HostRoot, id: &str) -> Result<(), HostError> {
    let path = root.registry();
    let registry = atomic::read_json::<Registry>(&path)?;
    let known = registry.is_some_and(|r| r.tenants.iter().any(|entry| entry.id.as_str() == id));
    if known {
        Ok(())
    } else {
        let reason = format!(
            "tenant {id} is not in the registry: add it with `bbctl tenant add {id} --repository URL`"
        );
        Err(HostError::damaged(&path, reason))
    }
}

/// Files of units.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    /// The reload that it belongs to.
    pub(super) reload: u64,
    fragments: BTreeMap<String, PathBuf>,
    dropins: BTreeMap<String, Vec<PathBuf>>,
    wants: BTreeMap<String, BTreeSet<String>>,
    requires: BTreeMap<String, BTreeSet<String>>,
    read: Mutex<BTreeMap<String, Arc<Unit>>>,
}

impl Catalog {
    /// Follows the link lists of `generations`.
    pub(super) fn new(root: &HostRoot, reload: u64, generations: &BTreeMap<String, u64>) -> Self {
        let mut catalog = Self {
            reload,
            ..Self::default()
        };
        for (tenant, number) in generations {
            let Ok(tenant) = Name::new(tenant) else {
                continue;
            };
            let directory = root.generation(&tenant, *number);
            for list in ["boot", "mount-boot"] {
                // One that was forgotten since is as good as empty: its units have no files any more.
                let text = fs::read_to_string(directory.join(list)).unwrap_or_default();
                for (link, target) in text.lines().filter_map(|line| line.split_once('\t')) {
                    catalog.link(&directory, link, target);
                }
            }
        }
        catalog
    }

    fn link(&mut self, generation: &Path, link: &str, target: &str) {
        if let Some((directory, unit)) = link.split_once('/') {
            if let Some(owner) = directory.strip_suffix(".wants") {
                self.wants
                    .entry(owner.into())
                    .or_default()
                    .insert(unit.into());
            } else if let Some(owner) = directory.strip_suffix(".requires") {
                self.requires
                    .entry(owner.into())
                    .or_default()
                    .insert(unit.into());
            }
        } else if target.starts_with('/') {
            // An instance of a shipped template, which is found anyway.
        } else if let Some(owner) = link.strip_suffix(".d") {
            let directory = generation.join(target);
            self.dropins
                .entry(owner.into())
                .or_default()
                .push(directory);
        } else {
            self.fragments.insert(link.into(), generation.join(target));
        }
    }

    /// The unit `name`, with everything that the manager knows of it.
    pub(super) fn unit(&self, root: &HostRoot, name: &str) -> Arc<Unit> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(unit) = read.get(name) {
            return Arc::clone(unit);
        }
        let unit = Arc::new(self.load(root, name));
        read.insert(name.to_owned(), Arc::clone(&unit));
        unit
    }

    /// Names of units that the generators told the manager about.
    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        let lists = self.wants.values().chain(self.requires.values());
        self.fragments
            .keys()
            .chain(self.dropins.keys())
            .chain(lists.flatten())
    }

    fn load(&self, root: &HostRoot, name: &str) -> Unit {
        let mut unit = Unit::new(name);
        let template = template(name);
        let names = [Some(name), template.as_deref()];
        let shipped = || names.into_iter().flatten();
        let fragment = self
            .fragments
            .get(name)
            .cloned()
            .into_iter()
            .chain(shipped().flat_map(|name| DIRECTORIES.map(|dir| root.join(dir).join(name))));
        if let Some(text) = fragment
            .into_iter()
            .find_map(|path| fs::read_to_string(path).ok())
        {
            unit.found = true;
            unit.read(&text);
        }
        let mut files = BTreeMap::new();
        let shipped_dropins = shipped()
            .flat_map(|name| DIRECTORIES.map(|dir| root.join(dir).join(format!("{name}.d"))));
        for directory in self
            .dropins
            .get(name)
            .into_iter()
            .flatten()
            .cloned()
            .chain(shipped_dropins)
        {
            for path in
                entries(&directory).filter(|path| path.extension().is_some_and(|e| e == "conf"))
            {
                files
                    .entry(path.file_name().map(ToOwned::to_owned))
                    .or_insert(path);
            }
        }
        for path in files.values() {
            unit.read(&fs::read_to_string(path).unwrap_or_default());
        }
        unit.wanted = self.pulled(root, name, "wants", &self.wants);
        unit.required = self.pulled(root, name, "requires", &self.requires);
        unit
    }

    fn pulled(
        &self,
        root: &HostRoot,
        name: &str,
        kind: &str,
        generated: &BTreeMap<String, BTreeSet<String>>,
    ) -> BTreeSet<String> {
        let mut units = generated.get(name).cloned().unwrap_or_default();
        for directory in DIRECTORIES {
            let directory = root.join(directory).join(format!("{name}.{kind}"));
            units.extend(
                entries(&directory).filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())),
            );
        }
        units
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path()))
}

/// `foo@.service` of `foo@bar.service`.
fn template(name: &str) -> Option<String> {
    let (prefix, rest) = name.split_once('@')?;
    let (_, suffix) = rest.rsplit_once('.')?;
    Some(format!("{prefix}@.{suffix}"))
}
