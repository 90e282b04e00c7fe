//! Files of a tenant: in its generation, where the generators put them, for networkd, for its workloads.

use super::View;
use super::overrides::{entries, shown, started};
use crate::generations::{self, Damage, DamageKind};
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Manifest, UnitKind, UpdateClass};
use bitbuilder_core::digest::sha256;
use bitbuilder_core::drift::{FileFact, Found, Place};
use bitbuilder_core::model::Name;
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where the generators put their links.
const GENERATED: &str = "/run/systemd/generator";
/// Enough of a digest for people.
const SHOWN: usize = 12;

/// What others put where networkd reads it, by the name of the file of ours that it concerns.
pub(super) struct NetworkDirectories(BTreeMap<String, Vec<PathBuf>>);

impl NetworkDirectories {
    pub(super) fn read(root: &HostRoot) -> Result<Self, HostError> {
        let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for directory in ["/etc/systemd/network", "/run/systemd/network"] {
            for path in entries(&root.join(directory))? {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                let concerned = name.strip_suffix(".d");
                // In /run the file of that name is ours.
                if concerned.is_none() && directory.starts_with("/run") {
                    continue;
                }
                let name = concerned.unwrap_or(name).to_owned();
                found.entry(name).or_default().push(path);
            }
        }
        Ok(Self(found))
    }
}

impl NetworkDirectories {
    /// Whether there is anything that concerns our file of this name.
    pub(super) fn concern(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }
}

impl View<'_> {
    /// Files that are not as they were placed.
    pub(super) fn files(&self, manifest: &Manifest) -> Result<Vec<FileFact>, HostError> {
        let root = self.host.root();
        let mut facts = match self.is_generated(manifest) {
            true => self.generated(&manifest.tenant, manifest.number),
            false => Vec::new(),
        };
        facts.extend(directories(root, manifest));
        facts.extend(self.network_overrides(manifest));
        let damages = generations::verify(root, &manifest.tenant, manifest.number)?;
        facts.extend(damages.iter().map(|damage| damaged(root, manifest, damage)));
        facts.extend(
            self.placed(manifest)
                .filter_map(|placed| placed.check(root, manifest)),
        );
        Ok(facts)
    }

    /// Copies of files of the generation that are in use.
    pub(super) fn placed<'m>(&self, manifest: &'m Manifest) -> impl Iterator<Item = Placed<'m>> {
        let root = self.host.root();
        let (network, home) = (root.network(), root.tenant(&manifest.tenant));
        let network_is_up = self.is_up(&super::units::network(manifest));
        manifest.files.keys().filter_map(move |path| {
            let (directory, name) = path.split_once('/')?;
            let target = match directory {
                "network" if network_is_up => network.join(name),
                // Made when the workload starts.
                "hosts" if network_is_up => home.join(path),
                _ => return None,
            };
            let optional = directory == "hosts";
            Some(Placed {
                path: target,
                of: path,
                optional,
            })
        })
    }

    /// Links of the generators for generation `number` of `id` that are gone or lead elsewhere.
    pub(super) fn generated(&self, id: &Name, number: u64) -> Vec<FileFact> {
        let root = self.host.root();
        let generated = root.join(GENERATED);
        let generation = root.generation(id, number);
        let mut facts = Vec::new();
        for list in ["boot", "mount-boot"] {
            // One that is gone is a file that is gone.
            let text = fs::read_to_string(generation.join(list)).unwrap_or_default();
            for (link, target) in text.lines().filter_map(|line| line.split_once('\t')) {
                let wanted = match target.starts_with('/') {
                    true => PathBuf::from(target),
                    false => PathBuf::from(format!("/var/lib/tenants/{id}/current/{target}")),
                };
                facts.extend(link_fact(root, &generated.join(link), &wanted));
            }
        }
        facts
    }

    /// Whether the generators place links of `manifest`.
    pub(super) fn is_generated(&self, manifest: &Manifest) -> bool {
        let mut units = manifest.units.iter();
        units.any(|unit| unit.kind == UnitKind::Tenant && unit.autostart)
            && self.host.root().join(GENERATED).is_dir()
    }

    fn network_overrides(&self, manifest: &Manifest) -> Vec<FileFact> {
        if self.network.0.is_empty() {
            return Vec::new();
        }
        let names = manifest
            .files
            .keys()
            .filter_map(|path| path.strip_prefix("network/"));
        let root = self.host.root();
        names
            .filter_map(|name| Some((name, self.network.0.get(name)?)))
            .flat_map(|(name, paths)| paths.iter().map(move |path| (name, path)))
            .map(|(name, path)| FileFact {
                place: Place::NetworkOverride,
                seen: format!("changes what {name} says"),
                ..fact(root, path, Found::Stranger)
            })
            .collect()
    }
}

/// A copy of a file of the generation.
pub(super) struct Placed<'m> {
    pub(super) path: PathBuf,
    of: &'m str,
    optional: bool,
}

impl Placed<'_> {
    /// What is wrong with it.
    fn check(&self, root: &HostRoot, manifest: &Manifest) -> Option<FileFact> {
        let wanted = &manifest.files.get(self.of)?.sha256;
        let found = match fs::read(&self.path) {
            Ok(content) => sha256(&content),
            Err(_) if self.optional => return None,
            Err(_) => {
                return Some(FileFact {
                    place: Place::Network,
                    expected: digest(wanted),
                    ..fact(root, &self.path, Found::Nothing)
                });
            }
        };
        (found != *wanted).then(|| FileFact {
            place: Place::Network,
            expected: digest(wanted),
            seen: digest(&found),
            ..fact(root, &self.path, Found::Other)
        })
    }
}

/// A fact about what is at `path` now.
fn fact(root: &HostRoot, path: &Path, found: Found) -> FileFact {
    let metadata = fs::symlink_metadata(path).ok();
    // What is gone was taken from its directory.
    let changed = metadata
        .clone()
        .or_else(|| fs::symlink_metadata(path.parent()?).ok());
    let time = |metadata: Metadata| u64::try_from(metadata.mtime()).ok();
    FileFact {
        path: shown(root, path),
        place: Place::Directory,
        found,
        expected: match found {
            Found::Stranger => "nothing",
            Found::Nothing | Found::Other => "a file",
        }
        .to_owned(),
        seen: match found {
            Found::Nothing => "nothing",
            Found::Other | Found::Stranger => "a file",
        }
        .to_owned(),
        since: changed.and_then(time),
        owner: metadata.map(|metadata| metadata.uid()),
    }
}

fn damaged(root: &HostRoot, manifest: &Manifest, damage: &Damage) -> FileFact {
    let path = root
        .generation(&manifest.tenant, manifest.number)
        .join(&damage.path);
    let found = match damage.kind {
        DamageKind::Missing => Found::Nothing,
        DamageKind::Content | DamageKind::Mode => Found::Other,
        DamageKind::Foreign => Found::Stranger,
    };
    let record = manifest.files.get(&damage.path);
    let mut fact = fact(root, &path, found);
    if let Some(record) = record {
        let mode = damage.kind == DamageKind::Mode;
        fact.expected = match mode {
            true => format!("mode {:03o}", record.mode),
            false => digest(&record.sha256),
        };
        fact.seen = match (damage.kind, fs::read(&path), fs::symlink_metadata(&path)) {
            (DamageKind::Mode, _, Ok(metadata)) => format!("mode {:03o}", metadata.mode() & 0o7777),
            (_, Ok(content), _) => digest(&sha256(&content)),
            _ => fact.seen,
        };
    }
    let unit = record.and_then(|record| record.unit.clone());
    let read = |unit: &String| started(root, unit) >= fact.since;
    fact.place = Place::Generation {
        running: unit.filter(|unit| started(root, unit).is_some() && read(unit)),
        class: record.map_or(UpdateClass::Live, |record| record.class),
    };
    fact
}

fn link_fact(root: &HostRoot, link: &Path, wanted: &Path) -> Option<FileFact> {
    let target = fs::read_link(link);
    if target.as_deref().is_ok_and(|target| target == wanted) {
        return None;
    }
    let found = match fs::symlink_metadata(link) {
        Ok(_) => Found::Other,
        Err(_) => Found::Nothing,
    };
    let mut fact = fact(root, link, found);
    fact.place = Place::Generated;
    fact.expected = format!("link to {}", wanted.display());
    if let Ok(target) = target {
        fact.seen = format!("link to {}", target.display());
    }
    Some(fact)
}

/// Directories and layers that are not there.
fn directories(root: &HostRoot, manifest: &Manifest) -> Vec<FileFact> {
    let home = root.tenant(&manifest.tenant);
    let directories = manifest.directories.iter().map(|one| home.join(&one.path));
    let layers = root.layers(&manifest.tenant);
    let layers = manifest.layers.iter().map(|layer| layers.join(&layer.key));
    directories
        .chain(layers)
        .filter(|path| !fs::symlink_metadata(path).is_ok_and(|found| found.is_dir()))
        .map(|path| FileFact {
            expected: "a directory".to_owned(),
            ..fact(
                root,
                &path,
                match path.symlink_metadata() {
                    Ok(_) => Found::Other,
                    Err(_) => Found::Nothing,
                },
            )
        })
        .collect()
}

fn digest(sha256: &str) -> String {
    format!("sha256 {}", sha256.get(..SHOWN).unwrap_or(sha256))
}
