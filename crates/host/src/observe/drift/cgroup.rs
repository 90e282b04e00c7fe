//! What is in a tenant's slice, from the kernel's control groups.

use super::overrides::entries;
use super::{Depth, Subject, View};
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::drift::{self, Item, Stranger};
use bitbuilder_core::model::Name;
use bitbuilder_core::unitfile::escape_unit_name;
use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Uids of one tenant.
const UIDS: u32 = 65536;

/// The directory of the tenant's slice.
fn directory(root: &HostRoot, id: &Name) -> PathBuf {
    let slice = format!("tenant-{}.slice", escape_unit_name(id.as_str()));
    root.join("/sys/fs/cgroup/tenant.slice").join(slice)
}

/// A number that is another one when something else is in the slice, apart from health checks, which come and go.
pub(super) fn digest(root: &HostRoot, id: &Name) -> u64 {
    let directory = directory(root, id);
    let checks = format!("tenant-health@{id}-");
    let mut names: Vec<_> = entries(&directory)
        .unwrap_or_default()
        .into_iter()
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with(&checks))
        .collect();
    names.sort_unstable();
    let processes = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    (names, processes).hash(&mut hasher);
    hasher.finish()
}

/// Units and processes in the slice that are not the tenant's.
pub(super) fn look(sight: &View<'_>, subject: &Subject<'_>) -> Vec<Item> {
    let manifest = subject.manifest;
    let root = sight.host.root();
    let top = directory(root, &manifest.tenant);
    let known = known(manifest);
    let is_ours = |name: &str| known.contains(name) || is_our_instance(manifest, name);
    let mut strangers = Vec::new();
    for path in entries(&top).unwrap_or_default() {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if !path.is_dir() {
            continue;
        }
        if !is_ours(name) {
            let metadata = fs::metadata(&path).ok();
            strangers.push(Stranger::Unit {
                name: name.to_owned(),
                since: metadata.and_then(|found| u64::try_from(found.mtime()).ok()),
            });
        } else if sight.depth == Depth::Full && name.starts_with("systemd-nspawn@") {
            let uids = subject.allocation.map(|one| one.uid_base);
            strangers.extend(inside(root.path(), &path, name, uids));
        }
    }
    strangers.extend(processes(root.path(), &top, ""));
    let slice = top.file_name().unwrap_or_default().to_string_lossy();
    drift::slice(&slice, &strangers)
}

fn known(manifest: &Manifest) -> BTreeSet<&str> {
    let units = manifest.units.iter();
    units.map(|unit| unit.name.as_str()).collect()
}

/// Instances of our templates that come and go: `tenant-health@shop-web.service`.
fn is_our_instance(manifest: &Manifest, name: &str) -> bool {
    let Some((template, rest)) = name.split_once('@') else {
        return false;
    };
    let instance = rest.rsplit_once('.').map_or(rest, |(instance, _)| instance);
    let id = manifest.tenant.as_str();
    let machine = |unit: &bitbuilder_core::artefact::OwnedUnit| {
        unit.kind == UnitKind::Workload
            && unit.name.split_once('@').map(|(_, rest)| rest)
                == Some(&format!("{instance}.service"))
    };
    (template.starts_with("tenant") || template.starts_with("bitbuilder"))
        && (instance == id || manifest.units.iter().any(machine))
}

/// Processes in the payload of a container that are of no user of the tenant.
fn inside(root: &Path, unit: &Path, name: &str, uids: Option<u32>) -> Vec<Stranger> {
    let Some(first) = uids else { return Vec::new() };
    let mut found = Vec::new();
    let mut next: Vec<PathBuf> = vec![unit.join("payload")];
    while let Some(group) = next.pop() {
        let below = group.strip_prefix(unit.parent().unwrap_or(unit));
        let below = below.map_or_else(|_| name.to_owned(), |path| path.display().to_string());
        found.extend(processes(root, &group, &below));
        let inner = entries(&group).unwrap_or_default().into_iter();
        next.extend(inner.filter(|path| path.is_dir()));
    }
    found.retain(|stranger| match stranger {
        Stranger::Process { uid, .. } => !(first..first.saturating_add(UIDS)).contains(uid),
        Stranger::Unit { .. } => true,
    });
    found
}

/// Processes of one control group; one that ended in between is none.
fn processes(root: &Path, group: &Path, below: &str) -> Vec<Stranger> {
    let text = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    let process = |line: &str| {
        let pid: u32 = line.trim().parse().ok().filter(|pid| *pid > 0)?;
        let directory = root.join("proc").join(pid.to_string());
        let name = fs::read_to_string(directory.join("comm")).ok()?;
        Some(Stranger::Process {
            pid,
            name: name.trim_end().to_owned(),
            uid: fs::metadata(&directory).ok()?.uid(),
            group: below.to_owned(),
        })
    };
    text.lines().filter_map(process).collect()
}
