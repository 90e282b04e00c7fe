//! What of a tenant is on the host.

use crate::host::{Host, HostError, UnitState};
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Manifest, OwnedUnit, UnitKind};
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Observed;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Every unit that a tenant can own.
const PATTERNS: [&str; 8] = [
    "systemd-nspawn@*.service",
    "systemd-vmspawn@*.service",
    "tenant@*.service",
    "tenant-network@*.service",
    "netns-tenant@*.service",
    "tenant-health@*.timer",
    "tenant-*.slice",
    "var-lib-tenants-*.mount",
];

/// Parts of a tenant's directory that plans make directories in, and how deep: what is deeper is the tenant's own.
const DIRECTORIES: [(&str, usize); 5] = [
    ("containers", 2),
    ("hosts", 0),
    ("layers", 1),
    ("machines", 1),
    ("volumes", 1),
];

/// States of all units that tenants can own, asked for once per pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Presence {
    /// By unit name.
    pub units: BTreeMap<String, UnitState>,
}

impl Presence {
    /// Asks the manager, once.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn read(host: &dyn Host) -> Result<Self, HostError> {
        let units = host.units(&PATTERNS)?;
        Ok(Self { units })
    }

    /// Asks the manager for `units` only.
    ///
    /// # Errors
    /// When it does not answer.
    pub(super) fn of(host: &dyn Host, units: &[&str]) -> Result<Self, HostError> {
        let units = host.units(units)?;
        Ok(Self { units })
    }
}

/// What of `id` is on the host; `units` are those that its current and its target generation own.
///
/// # Errors
/// When its directories are unreadable.
pub fn observed(
    host: &dyn Host,
    presence: &Presence,
    id: &Name,
    units: &[&str],
) -> Result<Observed, HostError> {
    let runs = |unit: &&&str| presence.units.get(**unit).is_some_and(runs);
    Ok(Observed {
        active: units
            .iter()
            .filter(runs)
            .map(|unit| (*unit).to_owned())
            .collect(),
        layers: layers(host.root(), id)?,
        directories: directories(host.root(), id)?,
    })
}

/// Whether a unit has anything to stop.
pub(super) fn runs(state: &UnitState) -> bool {
    !matches!(state.active.as_str(), "inactive" | "failed")
}

/// Workloads of `manifest`, the current generation, that nobody starts again when they end well: commands whose restart
/// policy is not `always`, and whatever has the policy `no`. A container with a system of its own, or a machine, that powers
/// itself off has not done its work.
pub(crate) fn may_end(root: &HostRoot, manifest: &Manifest) -> BTreeSet<String> {
    let directory = root.current(&manifest.tenant);
    let is_left = |unit: &&OwnedUnit| {
        let dropins = directory.join(format!("system/{}.d", unit.name));
        let text: String = ["50-bitbuilder.conf", "65-restart.conf"]
            .iter()
            .filter_map(|dropin| fs::read_to_string(dropins.join(dropin)).ok())
            .collect();
        let says = |setting: &str| text.lines().any(|line| line == setting);
        let command = || {
            let boots = text.contains("--boot") || unit.name.starts_with("systemd-vmspawn@");
            says("Restart=on-failure") && !boots
        };
        unit.kind == UnitKind::Workload && (says("Restart=no") || command())
    };
    let units = manifest.units.iter().filter(is_left);
    units.map(|unit| unit.name.clone()).collect()
}

/// Those of `may_end` that have ended and were not stopped. The tenant and what they require are up, so that it was not for want of that.
pub(crate) fn finished(
    presence: &Presence,
    manifest: &Manifest,
    mut may_end: BTreeSet<String>,
) -> BTreeSet<String> {
    let is_up = |unit: &str| presence.units.get(unit).is_some_and(UnitState::is_active);
    let mut tenants = manifest
        .units
        .iter()
        .filter(|unit| unit.kind == UnitKind::Tenant);
    if !tenants.all(|unit| is_up(&unit.name)) {
        return BTreeSet::new();
    }
    let has_ended = |unit: &OwnedUnit| {
        let state = presence.units.get(&unit.name);
        state.is_none_or(|state| state.active == "inactive" && !state.stopped)
            && unit.requires.iter().all(|required| is_up(required))
    };
    may_end.retain(|name| {
        let mut units = manifest.units.iter();
        units.any(|unit| unit.name == *name && has_ended(unit))
    });
    may_end
}

/// A layer gets its name when all of it is on the disk; before, its name begins with a dot.
fn layers(root: &HostRoot, id: &Name) -> Result<BTreeSet<String>, HostError> {
    subdirectories(&root.layers(id))
}

fn directories(root: &HostRoot, id: &Name) -> Result<BTreeSet<String>, HostError> {
    let home = root.tenant(id);
    let mut found = BTreeSet::new();
    for name in subdirectories(&home)? {
        if let Some((_, depth)) = DIRECTORIES.iter().find(|(known, _)| *known == name) {
            collect(&home, name, *depth, &mut found)?;
        }
    }
    Ok(found)
}

/// Adds `path`, a directory relative to `home`, and those in it down to `depth`.
fn collect(
    home: &Path,
    path: String,
    depth: usize,
    found: &mut BTreeSet<String>,
) -> Result<(), HostError> {
    if depth > 0 {
        for name in subdirectories(&home.join(&path))? {
            collect(home, format!("{path}/{name}"), depth - 1, found)?;
        }
    }
    found.insert(path);
    Ok(())
}

/// Names of the directories in `path`, not following links; unfinished ones, which begin with a dot, are left out.
fn subdirectories(path: &Path) -> Result<BTreeSet<String>, HostError> {
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(HostError::file(path)(error)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(HostError::file(path))?;
        let is_directory = entry.file_type().map_err(HostError::file(path))?.is_dir();
        // Names that are no UTF-8 are not ours.
        if let (true, Ok(name)) = (is_directory, entry.file_name().into_string())
            && !name.starts_with('.')
        {
            names.insert(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::scene::{Scene, name, set};
    use std::os::unix::fs::symlink;

    #[test]
    fn units_that_have_something_to_stop() {
        let scene = Scene::running();
        let units = [
            "a.mount",
            "tenant@shop.service",
            "systemd-nspawn@shop-web.service",
        ];
        scene.set("tenant@shop.service", "deactivating", "stop");
        scene.set("systemd-nspawn@shop-web.service", "failed", "failed");
        scene.set("unrelated.service", "active", "running");
        let presence = Presence::read(&scene.host).unwrap();
        assert!(!presence.units.contains_key("unrelated.service"));
        let observed = observed(&scene.host, &presence, &name("shop"), &units).unwrap();
        assert_eq!(observed.active, set(["tenant@shop.service"]));
    }

    #[test]
    fn every_unit_that_a_generation_owns_is_asked_for() {
        let scene = Scene::running();
        let presence = Presence::read(&scene.host).unwrap();
        for id in ["shop", "my-blog"] {
            let manifest = crate::generations::read_current(scene.root(), &name(id)).unwrap();
            for unit in manifest
                .unwrap()
                .units
                .iter()
                .filter(|unit| unit.workload != Some(name("spare")))
            {
                assert!(presence.units.contains_key(&unit.name), "{}", unit.name);
            }
        }
    }

    #[test]
    fn what_was_stopped_has_not_ended() {
        let web = "systemd-nspawn@shop-web.service";
        let scene = Scene::running();
        let manifest = crate::generations::read_current(scene.root(), &name("shop"));
        let manifest = manifest.unwrap().unwrap();
        scene.set(web, "inactive", "dead");
        let mut presence = Presence::read(&scene.host).unwrap();
        let may_end = set([web]);
        assert_eq!(finished(&presence, &manifest, may_end.clone()), may_end);
        presence.units.get_mut(web).unwrap().stopped = true;
        assert_eq!(finished(&presence, &manifest, may_end), set([]));
    }

    #[test]
    fn directories_and_layers() {
        let scene = Scene::running();
        let home = scene.root().tenant(&name("shop"));
        for path in [
            "layers/k1",
            "layers/.k2.tmp",
            "containers/web/rootfs/etc",
            "volumes/data/x",
        ] {
            fs::create_dir_all(home.join(path)).unwrap();
        }
        symlink("k1", home.join("layers/k3")).unwrap();
        fs::write(home.join("volumes/file"), "").unwrap();
        let presence = Presence::default();
        let found = observed(&scene.host, &presence, &name("shop"), &[]).unwrap();
        assert_eq!(found.layers, set(["k1"]));
        let expected = [
            "containers",
            "containers/web",
            "containers/web/rootfs",
            "layers",
            "layers/k1",
            "volumes",
            "volumes/data",
        ];
        assert_eq!(found.directories, set(expected));
        let nobody = observed(&scene.host, &presence, &name("nobody"), &[]).unwrap();
        assert_eq!(nobody, Observed::default());
    }
}
