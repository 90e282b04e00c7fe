//! What is loaded, set and started after the switch.

use super::causes::{Cause, grouped};
use super::changes::Differing;
use super::stop::Stops;
use super::{Action, Change, Input, Phase, Step};
use crate::artefact::{Manifest, OwnedUnit, UnitKind, UpdateClass};
use crate::finding::Origin;
use crate::unitfile::read::{Assignment, assignments};

/// Networks, live properties, starts.
pub(super) fn steps(input: &Input<'_>, files: &[Differing<'_>], stops: &Stops) -> Vec<Step> {
    let Some((target, _)) = input.target else {
        return gone(input);
    };
    if !input.enabled() {
        return Vec::new();
    }
    let mut steps: Vec<Step> = network(input, target, files).into_iter().collect();
    steps.extend(leases(input, target, stops));
    steps.extend(properties(input, files, stops));
    if input.start {
        for (cause, units) in starts(input, target, files, stops) {
            steps.push(cause.step(Phase::Start, Action::Start { units }));
        }
    }
    steps
}

/// Whether a file is put in place by [`Action::ReloadNetwork`]: links, packet rules and the tables of names.
fn is_network(path: &str) -> bool {
    ["network/", "nftables/", "uplinks/", "hosts/"]
        .iter()
        .any(|directory| path.starts_with(directory))
}

/// With `current` gone this takes away what a service that failed left behind.
fn gone(input: &Input<'_>) -> Vec<Step> {
    let had = input
        .current
        .is_some_and(|current| current.files.keys().any(|path| is_network(path)));
    let cause = Cause::plain(UpdateClass::Destroy, "links and packet rules go away");
    had.then(|| cause.step(Phase::Start, Action::ReloadNetwork))
        .into_iter()
        .collect()
}

fn network(input: &Input<'_>, target: &Manifest, files: &[Differing<'_>]) -> Option<Step> {
    let unit = target.units.iter().find(|u| u.kind == UnitKind::Network)?;
    let mut changed = files.iter().filter(|file| is_network(file.path)).peekable();
    let cause = if input.active(&unit.name) {
        changed.peek()?;
        Cause::changed(input, changed)
    } else if input.start && target.files.keys().any(|path| is_network(path)) {
        Cause::plain(UpdateClass::Live, "not set up")
    } else {
        return None;
    };
    Some(cause.step(Phase::Start, Action::ReloadNetwork))
}

/// Addresses of what goes on running, once the network has the new ones to give.
fn leases(input: &Input<'_>, target: &Manifest, stops: &Stops) -> Vec<Step> {
    let known = input.current.map_or(&[][..], |current| &current.units);
    let goes_on = |unit: &&OwnedUnit| input.active(&unit.name) && !stops.contains_key(&unit.name);
    let changed = target.units.iter().filter(goes_on).flat_map(|unit| {
        let before = known.iter().find(|before| before.name == unit.name);
        let is_new = move |link: &String, lease: &String| {
            before.is_some_and(|before| before.leases.get(link) != Some(lease))
        };
        let links = unit.leases.iter();
        let links = links.filter(move |(link, lease)| is_new(link, lease));
        let cause = Cause::at(UpdateClass::Live, "address changed", origin(input, unit));
        links.map(move |(link, _)| (link.clone(), cause.clone()))
    });
    let groups = grouped(changed).into_iter();
    groups
        .map(|(cause, links)| cause.step(Phase::Start, Action::RenewLeases { links }))
        .collect()
}

/// Limits of what goes on running.
fn properties(input: &Input<'_>, files: &[Differing<'_>], stops: &Stops) -> Vec<Step> {
    let mut steps: Vec<(bool, Step)> = Vec::new();
    for file in files {
        let slice = file.path.ends_with(".slice");
        let concerned = slice || file.path.ends_with("/60-limits.conf");
        let Some(unit) = file.unit().filter(|_| concerned) else {
            continue;
        };
        if !input.active(unit) || stops.contains_key(unit) || file.change() == Change::Removed {
            continue;
        }
        let properties = differing_properties(input, file);
        if !properties.is_empty() {
            let action = Action::SetProperties {
                unit: unit.to_owned(),
                properties,
            };
            let cause = Cause::changed(input, [file]);
            steps.push((!slice, cause.step(Phase::Start, action)));
        }
    }
    // The whole before its parts.
    steps.sort_by_key(|(part, _)| *part);
    steps.into_iter().map(|(_, step)| step).collect()
}

/// Settings of resource control that are new or other than before; all of them when that is not known.
fn differing_properties(input: &Input<'_>, file: &Differing<'_>) -> Vec<(String, String)> {
    let (old, new) = match file.texts(input) {
        Some((old, new)) => (old, new),
        None => (String::new(), file.new_text(input).unwrap_or_default()),
    };
    let old = limits(&old);
    limits(&new)
        .into_iter()
        .filter(|setting| !old.contains(setting))
        .map(|setting| (setting.key.to_owned(), setting.value.to_owned()))
        .collect()
}

fn limits(text: &str) -> Vec<Assignment<'_>> {
    let mut settings = assignments(text).unwrap_or_default();
    settings.retain(|setting| matches!(setting.section, "Service" | "Slice"));
    settings
}

/// Units that start, by cause: the tenant first, which brings its network and directories with it.
fn starts(
    input: &Input<'_>,
    target: &Manifest,
    files: &[Differing<'_>],
    stops: &Stops,
) -> Vec<(Cause, Vec<String>)> {
    let of = |kind| target.units.iter().filter(move |unit| unit.kind == kind);
    // `tenant@` requires its network, and brings it.
    let first = [UnitKind::Tenant, UnitKind::Network]
        .into_iter()
        .flat_map(of)
        .find_map(|unit| Some((unit.name.clone(), idle(input, unit)?)));
    let workloads: Vec<(String, Cause)> = of(UnitKind::Namespace)
        .chain(of(UnitKind::Workload))
        .filter_map(|unit| Some((unit.name.clone(), workload(input, files, unit, stops)?)))
        .collect();
    let timers: Vec<(String, Cause)> = of(UnitKind::Health)
        .filter_map(|timer| {
            let runs = of(UnitKind::Workload).find(|unit| unit.workload == timer.workload)?;
            // A workload that starts brings its timer with it.
            let starts = workloads.iter().any(|(name, _)| *name == runs.name);
            let stays = input.active(&runs.name) && !starts;
            let cause = match stops.get(&timer.name) {
                Some(cause) => cause.clone(),
                None if input.active(&timer.name) => return None,
                None => absent(input, timer),
            };
            stays.then(|| (timer.name.clone(), cause))
        })
        .collect();
    let mut groups = grouped(first);
    groups.extend(grouped(workloads.into_iter().chain(timers)));
    groups
}

/// Why `tenant@` or `tenant-network@` starts, if it does.
fn idle(input: &Input<'_>, unit: &OwnedUnit) -> Option<Cause> {
    (!input.active(&unit.name)).then(|| match input.current {
        Some(_) => Cause::plain(UpdateClass::Live, "not active"),
        None => Cause::plain(UpdateClass::Live, "first generation"),
    })
}

fn workload(
    input: &Input<'_>,
    files: &[Differing<'_>],
    unit: &OwnedUnit,
    stops: &Stops,
) -> Option<Cause> {
    if let Some(cause) = stops.get(&unit.name) {
        return Some(cause.clone());
    }
    if !unit.autostart || input.active(&unit.name) {
        return None;
    }
    // What is done stays done, unless it was changed.
    let changed = files
        .iter()
        .any(|file| file.unit() == Some(&unit.name) && file.class() > UpdateClass::Live);
    if input.finished.contains(&unit.name) && !changed {
        return None;
    }
    Some(absent(input, unit))
}

/// Why a unit that does not run starts: it is new, or it should run already.
fn absent(input: &Input<'_>, unit: &OwnedUnit) -> Cause {
    let known = input.current.is_some_and(|current| {
        let mut units = current.units.iter();
        units.any(|one| one.name == unit.name)
    });
    if known {
        return Cause::plain(UpdateClass::Live, "not active");
    }
    Cause::at(UpdateClass::Live, "new", origin(input, unit))
}

/// Where a unit of the target comes from.
fn origin<'a>(input: &Input<'a>, unit: &OwnedUnit) -> Option<&'a Origin> {
    let (target, _) = input.target?;
    let mut files = target.files.values();
    let file = files.find(|file| file.unit.as_deref() == Some(&unit.name))?;
    file.origin.as_ref()
}
