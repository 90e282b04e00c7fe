//! How a pass sees with a few looks that a tenant is as it was when all of it was right.

use super::{Subject, View, cgroup, links};
use crate::host::HostError;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::drift::{self, ExpectedLinks};
use bitbuilder_core::model::Name;
use rustix::fd::AsFd;
use rustix::fs::{self, AtFlags, CWD, Mode, OFlags, Stat};
use rustix::path::Arg;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::Path;

/// What a tenant was like when nothing differed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Steady {
    /// Its units, with spaces between them.
    units: String,
    /// Files and directories, one a line: below the generation, or absolute.
    paths: String,
    /// Over place, size, time, mode and owner of each.
    stamp: u64,
    /// Whether the generators place its links.
    generated: bool,
    /// Over its tables, and the number that the kernel's rules had then.
    rules: Option<(Option<u32>, u64)>,
    links: ExpectedLinks,
    /// Over the names in the directory of its slice, and the processes there.
    slice: u64,
}

/// How closely a tenant is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// What one look at the whole host shows.
    Host,
    /// Each of its files, and its slice, too: some twenty looks.
    Files,
}

impl View<'_> {
    /// The tenant as it is now.
    pub(super) fn steady(&self, subject: &Subject<'_>) -> Result<Steady, HostError> {
        let manifest = subject.manifest;
        let expected = |allocation| links::expected(self, manifest, allocation);
        let paths = self.paths(manifest);
        let units: Vec<&str> = manifest
            .units
            .iter()
            .map(|unit| unit.name.as_str())
            .collect();
        Ok(Steady {
            units: units.join(" "),
            stamp: self.stamp(&manifest.tenant, manifest.number, &paths),
            paths,
            generated: self.is_generated(manifest),
            rules: self.rules_now(&manifest.tenant)?,
            links: subject.allocation.map(expected).unwrap_or_default(),
            slice: cgroup::digest(self.host.root(), &manifest.tenant),
        })
    }

    /// Whether all is as it was.
    pub(super) fn is_steady(
        &self,
        manifest: &Manifest,
        steady: &Steady,
    ) -> Result<bool, HostError> {
        self.holds(&manifest.tenant, manifest.number, steady, Care::Files)
    }

    /// The same, of the current generation `number` of `id`.
    pub(super) fn holds(
        &self,
        id: &Name,
        number: u64,
        steady: &Steady,
        care: Care,
    ) -> Result<bool, HostError> {
        Ok(!self.is_overridden(steady)
            && self.links_hold(&steady.links)?
            && self.rules_hold(id, steady.rules)?
            && (care == Care::Host || self.files_hold(id, number, steady)))
    }

    fn files_hold(&self, id: &Name, number: u64, steady: &Steady) -> bool {
        steady.stamp == self.stamp(id, number, &steady.paths)
            && (!steady.generated || self.generated(id, number).is_empty())
            && steady.slice == cgroup::digest(self.host.root(), id)
    }

    /// Whether others have put something where it changes a unit or a link of the tenant.
    fn is_overridden(&self, steady: &Steady) -> bool {
        let mut units = steady.units.split(' ');
        let mut files = steady
            .paths
            .split('\n')
            .filter_map(|path| path.strip_prefix("/run/systemd/network/"));
        units.any(|unit| self.overrides.concern(unit))
            || files.any(|file| self.network.concern(file))
    }

    fn links_hold(&self, expected: &ExpectedLinks) -> Result<bool, HostError> {
        if expected.bridges.is_empty() && expected.ports.is_empty() {
            return Ok(true);
        }
        let found = self.links()?;
        Ok(found.is_none_or(|found| drift::links(expected, found).is_empty()))
    }

    fn rules_hold(&self, id: &Name, rules: Option<(Option<u32>, u64)>) -> Result<bool, HostError> {
        match rules {
            // While the kernel says that no rule has changed, what was right is right.
            Some((version, _)) if version.is_some() && version == self.sight.rules => Ok(true),
            _ => Ok(
                rules.map(|(_, digest)| digest) == self.rules_now(id)?.map(|(_, digest)| digest)
            ),
        }
    }

    fn rules_now(&self, id: &Name) -> Result<Option<(Option<u32>, u64)>, HostError> {
        let Some(tables) = self.tables()? else {
            return Ok(None);
        };
        let mut hasher = DefaultHasher::new();
        for family in ["bridge", "inet"] {
            // What is shared guards the tenant too.
            for owner in [id.as_str(), ""] {
                let part = (family.to_owned(), owner.to_owned());
                tables.get(&part).hash(&mut hasher);
            }
        }
        Ok(Some((self.sight.rules, hasher.finish())))
    }

    fn paths(&self, manifest: &Manifest) -> String {
        let root = self.host.root();
        let mut paths = BTreeSet::from([String::new()]);
        for path in manifest.files.keys() {
            let mut above = path.as_str();
            while let Some((directory, _)) = above.rsplit_once('/') {
                paths.insert(directory.to_owned());
                above = directory;
            }
            paths.insert(path.clone());
        }
        let absolute = |path: &Path| super::overrides::shown(root, path);
        paths.extend(self.placed(manifest).map(|placed| absolute(&placed.path)));
        paths.into_iter().collect::<Vec<_>>().join("\n")
    }

    fn stamp(&self, id: &Name, number: u64, paths: &str) -> u64 {
        let root = self.host.root();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        // From there the ways are short: a pass looks at some twenty files of each tenant.
        let generation = fs::openat(CWD, root.generation(id, number), flags, Mode::empty());
        let mut hasher = DefaultHasher::new();
        for path in paths.split('\n') {
            let found = match (path, &generation) {
                (path, _) if path.starts_with('/') => look(CWD, root.join(path)),
                ("", Ok(generation)) => look(generation, "."),
                (path, Ok(generation)) => look(generation, path),
                (_, Err(_)) => None,
            };
            match found {
                Some(stat) => stamp(&stat, &mut hasher),
                None => path.hash(&mut hasher),
            }
        }
        hasher.finish()
    }
}

fn look(directory: impl AsFd, path: impl Arg) -> Option<Stat> {
    fs::statat(directory, path, AtFlags::SYMLINK_NOFOLLOW).ok()
}

fn stamp(stat: &Stat, hasher: &mut impl Hasher) {
    (stat.st_dev, stat.st_ino, stat.st_size).hash(hasher);
    (stat.st_mtime, stat.st_mtime_nsec).hash(hasher);
    (stat.st_ctime, stat.st_ctime_nsec).hash(hasher);
    (stat.st_mode, stat.st_uid).hash(hasher);
}
