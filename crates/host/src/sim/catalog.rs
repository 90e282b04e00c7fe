//! Which files a unit is made of: what the generators linked at the last reload, and what the host ships.
//!
//! A generation never changes, so "what the manager read at the last reload" is remembered as the number of each
//! tenant's generation at that time.

use super::unit::Unit;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::{atomic, disk, generations};
use bitbuilder_core::model::Name;
use bitbuilder_generators::Generator;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Bound::{Included, Unbounded};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Directories of unit files, first wins.
const DIRECTORIES: [&str; 3] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
];

/// Where the generators put their links.
const GENERATED: &str = "/run/systemd/generator";
const TENANTS: &str = "/var/lib/tenants/";
/// What the host's own units are given.
const HOST: &str = "/var/lib/bitbuilder/units/";

/// What is asked of the effective registry here.
#[derive(Debug, Deserialize)]
struct Registry {
    tenants: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    id: String,
}

/// Runs the generators, as a reload of the manager does. Returns the generation of each tenant that has links.
pub(super) fn generate(root: &HostRoot) -> Result<BTreeMap<String, u64>, HostError> {
    let directory = root.join(GENERATED);
    disk::remove_tree(&directory)?;
    atomic::make_directories(&directory)?;
    for generator in [Generator::Tenant, Generator::Mount] {
        // What is damaged is passed over; the kernel's log, which would say so, is not simulated.
        bitbuilder_generators::generate(generator, root.path(), &directory, &mut |_| {})
            .map_err(HostError::file(&directory))?;
    }
    let mut numbers = BTreeMap::new();
    for (_, target) in links(&directory) {
        if let Some((id, generation, _)) = owned(&target)
            && !numbers.contains_key(id)
            && let Ok(name) = Name::new(id)
            && let Some(number) = generation.number(root, &name)
        {
            numbers.insert(id.to_owned(), number);
        }
    }
    Ok(numbers)
}

/// Links in the generator directory and one level below: their path in it and their target.
fn links(directory: &Path) -> Vec<(String, String)> {
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let mut links = Vec::new();
    for path in entries(directory) {
        let inner: Vec<PathBuf> = if path.is_symlink() {
            vec![path]
        } else {
            entries(&path).collect()
        };
        links.extend(inner.iter().filter_map(|link| {
            let target = text(&fs::read_link(link).ok()?)?;
            Some((text(link.strip_prefix(directory).ok()?)?, target))
        }));
    }
    links.sort();
    links
}

/// The generation that a link leads to.
#[derive(Clone, Copy)]
enum Generation {
    Current,
    /// What a trial goes back to.
    Number(u64),
}

impl Generation {
    fn number(self, root: &HostRoot, id: &Name) -> Option<u64> {
        match self {
            Self::Current => generations::current(root, id).ok().flatten(),
            Self::Number(number) => Some(number),
        }
    }
}

/// Tenant, generation and path in it that a link points at.
fn owned(target: &str) -> Option<(&str, Generation, &str)> {
    let (id, rest) = target.strip_prefix(TENANTS)?.split_once('/')?;
    if let Some(path) = rest.strip_prefix("current/") {
        return Some((id, Generation::Current, path));
    }
    let (number, path) = rest.strip_prefix("generations/")?.split_once('/')?;
    Some((id, Generation::Number(number.parse().ok()?), path))
}

/// The effective registry, as it was read last.
#[derive(Default)]
pub(super) struct Registered(Mutex<Option<(u64, BTreeSet<String>)>>);

impl Registered {
    /// Fails unless `id` is in it, with what the provisioning of a tenant says.
    pub(super) fn require(&self, root: &HostRoot, id: &str) -> Result<(), HostError> {
        let path = root.registry();
        // A file that is written is another one.
        let inode = fs::metadata(&path).map_or(0, |found| found.ino());
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_none_or(|(read, _)| *read != inode) {
            let registry = atomic::read_json::<Registry>(&path)?;
            let entries = registry.into_iter().flat_map(|registry| registry.tenants);
            *known = Some((inode, entries.map(|entry| entry.id).collect()));
        }
        if known.as_ref().is_some_and(|(_, ids)| ids.contains(id)) {
            return Ok(());
        }
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
    names: BTreeSet<String>,
    read: Mutex<BTreeMap<String, Arc<Unit>>>,
}

impl Catalog {
    /// Follows the links of the last reload, at which tenants had these `generations`.
    pub(super) fn new(root: &HostRoot, reload: u64, generations: &BTreeMap<String, u64>) -> Self {
        let mut catalog = Self {
            reload,
            ..Self::default()
        };
        for (link, target) in links(&root.join(GENERATED)) {
            if let Some((directory, unit)) = link.split_once('/') {
                catalog.pull(directory, unit);
            } else if let Some((id, _, path)) = owned(&target)
                && let Some(number) = generations.get(id)
                && let Ok(id) = Name::new(id)
            {
                catalog.place(&link, root.generation(&id, *number).join(path));
            } else if target.starts_with(HOST) {
                catalog.place(&link, root.join(target));
            }
        }
        let lists = catalog.wants.values().chain(catalog.requires.values());
        let names = lists.flatten().chain(catalog.fragments.keys());
        catalog.names = names.chain(catalog.dropins.keys()).cloned().collect();
        catalog
    }

    fn pull(&mut self, directory: &str, unit: &str) {
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
    }

    fn place(&mut self, link: &str, file: PathBuf) {
        if let Some(owner) = link.strip_suffix(".d") {
            self.dropins.entry(owner.into()).or_default().push(file);
        } else {
            self.fragments.insert(link.into(), file);
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

    /// Names of units that the generators told the manager about, and that match.
    pub(super) fn named<'a>(&'a self, pattern: &'a str) -> impl Iterator<Item = &'a String> {
        let first = super::first(pattern);
        let from = self.names.range::<str, _>((Included(first), Unbounded));
        from.take_while(move |name| name.starts_with(first))
            .filter(|name| super::matches(pattern.as_bytes(), name.as_bytes()))
    }

    fn load(&self, root: &HostRoot, name: &str) -> Unit {
        let mut unit = Unit::new(name);
        let template = template(name);
        let names = [Some(name), template.as_deref()];
        let shipped = || names.into_iter().flatten();
        let [local, runtime, vendor] = DIRECTORIES.map(|dir| root.join(dir));
        let fragments = [&local, &runtime]
            .map(|dir| dir.join(name))
            .into_iter()
            .chain(self.fragments.get(name).cloned())
            .chain(
                shipped().flat_map(|name| [&local, &runtime, &vendor].map(|dir| dir.join(name))),
            );
        for path in fragments {
            if fs::read_link(&path).is_ok_and(|target| target == Path::new("/dev/null")) {
                unit.masked = true;
            } else if let Ok(text) = fs::read_to_string(&path) {
                unit.read(&text);
            } else {
                continue;
            }
            unit.found = true;
            break;
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
