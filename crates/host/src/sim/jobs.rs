//! Which units a start or a stop concerns, and in which order: systemd.unit(5), as far as tenants use it.

use super::catalog::Catalog;
use super::unit::Unit;
use crate::host::UnitState;
use crate::paths::HostRoot;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Units of one transaction.
pub(super) type Units = BTreeMap<String, Arc<Unit>>;

/// What starts with `anchors`. What is required and unknown is an error with its name; what is only wanted is left out.
pub(super) fn to_start(
    catalog: &Catalog,
    root: &HostRoot,
    anchors: &[String],
) -> Result<Units, String> {
    let mut units = Units::new();
    let mut next: Vec<(String, bool)> = anchors.iter().map(|unit| (unit.clone(), true)).collect();
    while let Some((name, needed)) = next.pop() {
        if units.contains_key(&name) {
            continue;
        }
        let unit = catalog.unit(root, &name);
        if unit.found {
            next.extend(unit.wants().into_iter().map(|name| (name, false)));
            next.extend(unit.requires().into_iter().map(|name| (name, true)));
            units.insert(name, unit);
        } else if needed {
            return Err(name);
        }
    }
    Ok(units)
}

/// What stops with `anchors`, of the units that are up: those that require one that stops or are part of it.
pub(super) fn to_stop(
    catalog: &Catalog,
    root: &HostRoot,
    anchors: &[String],
    up: &BTreeMap<String, UnitState>,
) -> Units {
    let up: Units = up
        .keys()
        .map(|name| (name.clone(), catalog.unit(root, name)))
        .collect();
    let mut stopping: BTreeSet<&str> = anchors.iter().map(String::as_str).collect();
    loop {
        let more: Vec<&str> = up
            .iter()
            .filter(|(name, _)| !stopping.contains(name.as_str()))
            .filter(|(_, unit)| {
                unit.stops_with()
                    .iter()
                    .any(|with| stopping.contains(with.as_str()))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if more.is_empty() {
            break;
        }
        stopping.extend(more);
    }
    let mut units = up.clone();
    units.retain(|name, _| stopping.contains(name.as_str()));
    units
}

/// The order in which `units` start. Timers go as early as they can: a check may be waited for. A cycle is cut at the
/// first name.
pub(super) fn order(units: &Units) -> Vec<String> {
    let mut later: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (name, unit) in units {
        for earlier in unit.after() {
            if let Some((earlier, _)) = units.get_key_value(&earlier) {
                later.entry(earlier).or_default().insert(name);
            }
        }
        for other in unit.names("Before") {
            if let Some((other, _)) = units.get_key_value(&other) {
                later.entry(name).or_default().insert(other);
            }
        }
    }
    let mut waiting: BTreeMap<&str, usize> = units.keys().map(|name| (name.as_str(), 0)).collect();
    for name in later.values().flatten() {
        *waiting.entry(name).or_default() += 1;
    }
    let rank = |name: &str| !name.ends_with(".timer");
    let mut ready: BTreeSet<(bool, &str)> = BTreeSet::new();
    let mut ordered = Vec::new();
    ready.extend(
        waiting
            .iter()
            .filter(|(_, n)| **n == 0)
            .map(|(name, _)| (rank(name), *name)),
    );
    while let Some(name) = next(&mut ready, &waiting) {
        waiting.remove(name);
        ordered.push(name.to_owned());
        for other in later.remove(name).unwrap_or_default() {
            if let Some(count) = waiting.get_mut(other) {
                *count -= 1;
                if *count == 0 {
                    ready.insert((rank(other), other));
                }
            }
        }
    }
    ordered
}

fn next<'a>(
    ready: &mut BTreeSet<(bool, &'a str)>,
    waiting: &BTreeMap<&'a str, usize>,
) -> Option<&'a str> {
    match ready.pop_first() {
        Some((_, name)) => Some(name),
        None => waiting.keys().next().copied(),
    }
}
