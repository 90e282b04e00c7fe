//! Units that do not run, run and shall not, or were changed by files of others.

use super::{How, Item, Remedy, What};
use crate::artefact::{Manifest, OwnedUnit, UnitKind};
use std::collections::BTreeSet;

/// What a unit does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// It runs.
    Up,
    /// It starts, stops, or has a job that waits.
    Moving,
    /// It does not run.
    Down,
    /// It ended with a failure.
    Failed,
}

/// The units of a tenant.
#[derive(Clone, Copy)]
pub struct Units<'a> {
    /// The current generation.
    pub manifest: &'a Manifest,
    /// What each of its units does.
    pub activity: &'a dyn Fn(&str) -> Activity,
    /// Workloads that have done their work.
    pub finished: &'a BTreeSet<String>,
}

/// A file of somebody else that changes a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The unit.
    pub unit: String,
    /// The file, absolute.
    pub path: String,
    /// What it does.
    pub kind: OverrideKind,
    /// What it says.
    pub text: String,
    /// When it was written.
    pub since: u64,
    /// Whose it is.
    pub owner: u32,
    /// Whether the unit was started after it was written.
    pub in_effect: bool,
}

/// What a file of somebody else does to a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideKind {
    /// A link to `/dev/null` in its place.
    Mask,
    /// A file in its drop-in directory.
    DropIn,
    /// A unit file of the same name, read before ours.
    File,
}

/// Whether anything of the generation is to run.
fn is_enabled(manifest: &Manifest) -> bool {
    let mut units = manifest.units.iter();
    units.any(|unit| unit.kind == UnitKind::Tenant && unit.autostart)
}

/// Units that are not as they shall be. A unit that is down because the one that it follows is down is not named.
pub fn units(units: &Units<'_>) -> Vec<Item> {
    let owned = &units.manifest.units;
    if !is_enabled(units.manifest) {
        let running = owned.iter().filter(|unit| unit.kind != UnitKind::Slice);
        return running
            .filter(|unit| (units.activity)(&unit.name) == Activity::Up)
            .map(|unit| item(unit, How::Running, "inactive", "active"))
            .collect();
    }
    let tenant_is_down = owned
        .iter()
        .filter(|unit| unit.kind == UnitKind::Tenant)
        .any(|unit| (units.activity)(&unit.name) == Activity::Down);
    owned
        .iter()
        .filter(|unit| shall_run(units, unit))
        .filter_map(|unit| match (units.activity)(&unit.name) {
            Activity::Failed => Some(item(unit, How::Failed, "active", "failed")),
            Activity::Down if tenant_is_down && unit.kind != UnitKind::Tenant => None,
            Activity::Down => Some(item(unit, How::Stopped, "active", "inactive")),
            Activity::Up | Activity::Moving => None,
        })
        .collect()
}

fn shall_run(units: &Units<'_>, unit: &OwnedUnit) -> bool {
    let owned = &units.manifest.units;
    let runs = |unit: &OwnedUnit| (units.activity)(&unit.name) == Activity::Up;
    match unit.kind {
        UnitKind::Slice => false,
        UnitKind::Tenant | UnitKind::Namespace => unit.autostart,
        UnitKind::Network => true,
        UnitKind::Workload => unit.autostart && !units.finished.contains(&unit.name),
        // They come and go with the workload.
        UnitKind::Health => owned.iter().any(|workload| {
            workload.kind == UnitKind::Workload
                && workload.workload == unit.workload
                && runs(workload)
        }),
        UnitKind::Mount => owned
            .iter()
            .any(|above| above.requires.contains(&unit.name) && runs(above)),
    }
}

fn item(unit: &OwnedUnit, how: How, expected: &str, seen: &str) -> Item {
    // A container does not notice that its root was mounted anew, or is not in a namespace that was made anew.
    let remedy = match (unit.kind, how) {
        (UnitKind::Mount | UnitKind::Namespace, How::Stopped | How::Failed) => Remedy::Restart {
            unit: unit.name.clone(),
        },
        _ => Remedy::Converge,
    };
    Item {
        what: What::Unit,
        how,
        subject: unit.name.clone(),
        expected: expected.to_owned(),
        seen: seen.to_owned(),
        since: None,
        by: None,
        remedy,
    }
}

/// What files of others do to units of the tenant: one item per unit and kind.
pub fn overrides(found: &[Override]) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for one in found {
        let item = overriding(one);
        match items.iter_mut().find(|known| known.key() == item.key()) {
            Some(known) => {
                known.seen = format!("{}, {}", known.seen, item.seen);
                known.since = known.since.min(item.since);
                known.remedy = known.remedy.clone().max(item.remedy);
            }
            None => items.push(item),
        }
    }
    items
}

fn overriding(found: &Override) -> Item {
    let unit = found.unit.clone();
    let (how, expected, remedy) = match found.kind {
        OverrideKind::Mask => (
            How::Masked,
            "loaded",
            Remedy::Revert {
                unit,
                restart: false,
            },
        ),
        OverrideKind::DropIn => {
            let restart = found.in_effect && !is_live(&found.text);
            let remedy = Remedy::Revert { unit, restart };
            (How::Overridden, "drop-ins of the generation only", remedy)
        }
        // The manager takes back no unit file that nobody has shipped.
        OverrideKind::File => (
            How::Overridden,
            "the unit file of the generation",
            Remedy::Hand {
                command: format!("rm {} && systemctl daemon-reload", found.path),
            },
        ),
    };
    Item {
        what: What::Unit,
        how,
        subject: found.unit.clone(),
        expected: expected.to_owned(),
        seen: found.path.clone(),
        since: Some(found.since),
        by: Some(format!("uid {}, which owns the file", found.owner)),
        remedy,
    }
}

/// Whether all that a drop-in says takes effect on a running unit and ends with it: systemd.resource-control(5).
fn is_live(text: &str) -> bool {
    const LIVE: [&str; 9] = [
        "CPU",
        "AllowedCPUs",
        "Startup",
        "Memory",
        "Tasks",
        "IO",
        "Device",
        "IPA",
        "Description",
    ];
    let keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.starts_with(['#', ';', '[']))
        .filter_map(|line| line.split_once('='));
    let mut keys = keys.map(|(key, _)| key.trim());
    keys.all(|key| LIVE.iter().any(|live| key.starts_with(live)))
}
