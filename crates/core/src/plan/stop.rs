//! Which running units stop, and why.
//!
//! Units that only follow another one do not stop for themselves: a timer of a health check is `PartOf=` its workload and
//! comes back with it. Workloads that name another in `dependsOn` go on running when that one restarts.

use super::causes::{Cause, grouped};
use super::changes::Differing;
use super::{Action, Input, Phase, Step};
use crate::artefact::{Manifest, OwnedUnit, UnitKind, UpdateClass};
use crate::finding::Origin;
use std::collections::{BTreeMap, BTreeSet};

/// Units that stop, with the reason.
pub(super) type Stops = BTreeMap<String, Cause>;

/// All units that stop.
pub(super) fn stops(input: &Input<'_>, files: &[Differing<'_>]) -> Stops {
    if !input.enabled() {
        return everything(input);
    }
    let mut stops: Stops = input
        .observed
        .active
        .iter()
        .filter_map(|unit| Some((unit.clone(), cause(input, files, unit)?)))
        .collect();
    spread(input, &mut stops);
    let followers = followers(input, &stops);
    stops.retain(|unit, _| !followers.contains(unit));
    stops
}

/// Steps in an order in which nothing loses what it stands on: workloads, then their mounts, then the slice.
pub(super) fn steps(input: &Input<'_>, stops: &Stops) -> Vec<Step> {
    let mut steps = Vec::new();
    for stage in [Stage::Process, Stage::Mount, Stage::Slice] {
        let mut units: Vec<(String, Cause)> = stops
            .iter()
            .filter(|(unit, _)| Stage::of(unit) == stage)
            .map(|(unit, cause)| (unit.clone(), cause.clone()))
            .collect();
        if stage == Stage::Mount {
            // What goes for good stands on layers that others may stand on too, so it goes first.
            let goes = |(_, cause): &(String, Cause)| cause.class == UpdateClass::Destroy;
            let (gone, anew) = units.into_iter().partition(goes);
            units = together(input, gone);
            units.extend(together(input, anew));
        }
        for (cause, units) in grouped(units) {
            steps.push(cause.step(Phase::Stop, Action::Stop { units }));
        }
    }
    steps
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Process,
    Mount,
    Slice,
}

impl Stage {
    fn of(unit: &str) -> Self {
        if unit.ends_with(".mount") {
            Self::Mount
        } else if unit.ends_with(".slice") {
            Self::Slice
        } else {
            Self::Process
        }
    }
}

/// The tenant goes away, or shall not run.
fn everything(input: &Input<'_>) -> Stops {
    let what = match input.target {
        Some(_) => "the tenant is disabled",
        None => "the tenant is disabled or gone",
    };
    let stop = |unit: &String| (unit.clone(), Cause::plain(UpdateClass::Destroy, what));
    input.observed.active.iter().map(stop).collect()
}

/// What stopping costs that leads to a start: what a mount shows is made anew, and a timer is no process.
fn class_of(unit: &str) -> UpdateClass {
    match Stage::of(unit) {
        Stage::Mount => UpdateClass::Recreate,
        Stage::Process if unit.ends_with(".timer") => UpdateClass::Live,
        Stage::Process | Stage::Slice => UpdateClass::Restart,
    }
}

/// What it costs that `unit`, of the current generation, has no place in the target: a check goes without its workload,
/// and an image's layer only makes room for another.
pub(super) fn class_of_removed(unit: &OwnedUnit, target: &Manifest) -> UpdateClass {
    let workload_stays = || {
        let mut units = target.units.iter();
        units.any(|other| other.kind == UnitKind::Workload && other.workload == unit.workload)
    };
    match unit.kind {
        UnitKind::Health if workload_stays() => UpdateClass::Live,
        UnitKind::Mount if unit.workload.is_none() => UpdateClass::Recreate,
        _ => UpdateClass::Destroy,
    }
}

/// Why the running `unit` has to stop, by itself.
fn cause(input: &Input<'_>, files: &[Differing<'_>], unit: &str) -> Option<Cause> {
    let (target, _) = input.target?;
    let after = find(&target.units, unit);
    let before = input.current.and_then(|current| find(&current.units, unit));
    match (before, after) {
        (Some(_), Some(owned)) => {
            // A timer counts from its start, so other times need a new one.
            let counts = |file: &&Differing<'_>| {
                file.class() > UpdateClass::Live || owned.kind == UnitKind::Health
            };
            let mut its = files
                .iter()
                .filter(|file| file.unit() == Some(unit))
                .filter(counts)
                .peekable();
            its.peek()?;
            Some(Cause::changed(input, its))
        }
        (Some(owned), None) => {
            let class = class_of_removed(owned, target);
            Some(Cause::at(class, "removed", origin(input, unit).as_ref()))
        }
        (None, Some(owned)) => {
            let restarts = matches!(
                owned.kind,
                UnitKind::Namespace | UnitKind::Workload | UnitKind::Mount | UnitKind::Health
            );
            let what = "it runs without a generation that is known";
            restarts.then(|| Cause::plain(class_of(unit), what))
        }
        // Services that come and go by themselves, as checks do, are nobody's.
        (None, None) => {
            let left = unit.ends_with(".mount")
                || unit.ends_with(".timer")
                || unit.starts_with("netns-tenant@")
                || unit.starts_with("systemd-nspawn@")
                || unit.starts_with("systemd-vmspawn@");
            let what = "left over from an earlier generation";
            left.then(|| Cause::plain(UpdateClass::Destroy, what))
        }
    }
}

fn find<'a>(units: &'a [OwnedUnit], name: &str) -> Option<&'a OwnedUnit> {
    units.iter().find(|unit| unit.name == name)
}

/// Where a unit of the current generation came from; the line of a removed document is no use.
fn origin(input: &Input<'_>, unit: &str) -> Option<Origin> {
    let files = &input.current?.files;
    let file = files
        .values()
        .find(|file| file.unit.as_deref() == Some(unit))?;
    file.origin
        .as_ref()
        .map(|origin| Origin::file(&origin.file))
}

/// What requires a unit that stops has to stop too, and for the same reason.
fn spread(input: &Input<'_>, stops: &mut Stops) {
    let Some((target, _)) = input.target else {
        return;
    };
    let current = input.current.map(|current| current.units.as_slice());
    let owned: Vec<&OwnedUnit> = current
        .unwrap_or_default()
        .iter()
        .chain(&target.units)
        .filter(|unit| input.active(&unit.name))
        .collect();
    loop {
        let more: Vec<(String, Cause)> = owned
            .iter()
            .filter(|unit| !stops.contains_key(&unit.name))
            .filter_map(|unit| {
                let cause = unit.requires.iter().find_map(|on| stops.get(on))?;
                Some((unit.name.clone(), cause.clone()))
            })
            .collect();
        if more.is_empty() {
            break;
        }
        stops.extend(more);
    }
    deepen(&owned, stops);
}

/// A unit that stops anyway says why its storage is made anew, if it is: that is the dearer part.
fn deepen(owned: &[&OwnedUnit], stops: &mut Stops) {
    for unit in owned.iter().filter(|unit| unit.kind == UnitKind::Workload) {
        let below = unit.requires.iter().find_map(|on| stops.get(on)).cloned();
        let (Some(cause), Some(below)) = (stops.get_mut(&unit.name), below) else {
            continue;
        };
        // What goes for good was left behind by the workload's own change.
        let goes = below.class == UpdateClass::Destroy;
        if cause.class < below.class && !goes && below.what != cause.what && cause.what != "removed"
        {
            cause.class = below.class;
            cause.what = format!(
                "{}, {}",
                below.what.trim_end_matches(" changed"),
                cause.what
            );
            cause.origins.extend(below.origins);
        }
    }
}

/// Timers whose workload stops and starts again.
fn followers(input: &Input<'_>, stops: &Stops) -> BTreeSet<String> {
    let units = input.target.map(|(target, _)| target.units.as_slice());
    let units = units.unwrap_or_default();
    let restarts = |timer: &OwnedUnit| {
        units.iter().any(|unit| {
            unit.kind == UnitKind::Workload
                && unit.workload == timer.workload
                && stops.contains_key(&unit.name)
        })
    };
    units
        .iter()
        .filter(|unit| unit.kind == UnitKind::Health && restarts(unit))
        .map(|unit| unit.name.clone())
        .collect()
}

/// Mounts stop in one transaction: what requires others comes first, and all give all the reasons.
fn together(input: &Input<'_>, units: Vec<(String, Cause)>) -> Vec<(String, Cause)> {
    let Some(class) = units.iter().map(|(_, cause)| cause.class).max() else {
        return units;
    };
    let whats: BTreeSet<&str> = units.iter().map(|(_, cause)| cause.what.as_str()).collect();
    let what = whats.into_iter().collect::<Vec<_>>().join("; ");
    let origins = units
        .iter()
        .flat_map(|(_, cause)| cause.origins.clone())
        .collect();
    let cause = Cause {
        class,
        what,
        origins,
    };
    let mut names: Vec<String> = units.into_iter().map(|(unit, _)| unit).collect();
    names.sort_by_key(|name| std::cmp::Reverse(depth(input, name, 0)));
    names
        .into_iter()
        .map(|unit| (unit, cause.clone()))
        .collect()
}

/// How many mounts are below `unit`.
fn depth(input: &Input<'_>, unit: &str, level: usize) -> usize {
    let current = input.current.map(|current| current.units.as_slice());
    let target = input.target.map(|(target, _)| target.units.as_slice());
    let owned = [current, target]
        .into_iter()
        .flatten()
        .find_map(|units| find(units, unit));
    let below = owned.map(|owned| owned.requires.as_slice());
    let below = below.unwrap_or_default().iter();
    // A generation has two levels; a damaged record must not lead astray.
    if level > 8 {
        return 0;
    }
    below
        .map(|on| 1 + depth(input, on, level + 1))
        .max()
        .unwrap_or(0)
}
