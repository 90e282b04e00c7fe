//! A tenant whose revision stays: what differs from its generation, and what is done about it.
//!
//! A pass brings up what has not run since the host booted or the generation was switched to. What goes down or changes
//! later is drift: it is said, and put right when the policy or the operator says so.

use super::compile::compile;
use super::ground::Ground;
use super::state::Drift;
use super::task::{Planner, Task, owner};
use super::{HistoryEvent, PassError};
use crate::observe::drift::{Seal, testify};
use crate::observe::{self, Subject};
use crate::source::{TreeLimits, open, read_tree};
use bitbuilder_core::artefact::{Artefacts, Manifest};
use bitbuilder_core::drift::{How, Item, Key, Remedy, What};
use bitbuilder_core::model::DriftPolicy;
use bitbuilder_core::plan::is_same;
use std::collections::BTreeSet;

/// How often passes try to put the same differences right.
const TRIES: u32 = 3;
/// Most differences that an event names.
const NAMED: usize = 20;

/// What a pass finds out and decides about drift of one tenant.
#[derive(Default)]
pub(super) struct Differences {
    /// What happened beside the event of the task, and is remembered before it.
    pub(super) also: Vec<HistoryEvent>,
    /// What is put right.
    pub(super) repairs: Vec<Item>,
    /// Units that are not started although they shall run: they cannot be.
    pub(super) left: BTreeSet<String>,
    /// What was found right; remembered until something changes.
    pub(super) seal: Option<Seal>,
}

/// Looks at the tenant, whose current generation is `current`, and plans what is to be done.
pub(super) fn keep(
    planner: &Planner<'_>,
    ground: &Ground,
    task: &mut Task,
    current: Manifest,
) -> Result<(), PassError> {
    let (host, id) = (planner.host, task.report.tenant.clone());
    let sight = ground.sight(host)?;
    let ended = observe::finished(
        &ground.presence,
        &current,
        observe::may_end(host.root(), &current),
    );
    let subject = Subject {
        manifest: &current,
        allocation: ground.allocations.tenants.get(&id),
        finished: &ended,
    };
    let mut items = sight.look(host, &subject)?;
    let known = sight.seals().of(&id, current.number);
    let came_up = known.is_some_and(|seal| seal.came_up);
    task.drift.seal = Some(sight.seal(host, &subject, &items)?);
    task.owner = owner(ground, &id);

    let masked: BTreeSet<String> = units(&items, How::Masked);
    let comes_up = !came_up && items.iter().any(|item| is_down(item, &masked));
    if comes_up {
        items.retain(|item| !is_down(item, &masked));
    }
    if task.state.window.is_some() || task.state.degraded.is_some() {
        // That it does not work is known, and watched.
        items.retain(|item| item.how != How::Failed);
    }
    remember(planner, task, items);
    if let Some(items) = repairs(planner, ground, task) {
        task.drift.repairs = items;
    } else {
        let said = task.state.drift.as_ref().and_then(Drift::summary);
        let said = said.map(|said| format!("{said}: see `bbctl drift {id}`"));
        task.report.error = task.report.error.take().or(said);
        if !comes_up {
            return Ok(());
        }
        task.drift.left = masked;
    }
    let restores = |item: &Item| matches!(item.remedy, Remedy::Restore { .. });
    let artefacts = match task.drift.repairs.iter().any(restores) {
        true => rendered(planner, ground, task, &current)?,
        false => described(&current),
    };
    task.target = Some((current, artefacts));
    planner.plan(ground, task, &[], true)
}

/// Whether an item is a unit that can be started and is not.
fn is_down(item: &Item, masked: &BTreeSet<String>) -> bool {
    item.what == What::Unit
        && matches!(item.how, How::Stopped | How::Failed)
        && !masked.contains(&item.subject)
}

fn units(items: &[Item], how: How) -> BTreeSet<String> {
    let units = items.iter().filter(|item| item.how == how);
    units.map(|item| item.subject.clone()).collect()
}

/// What is put right: by the operator's wish always, by policy a few times.
fn repairs(planner: &Planner<'_>, ground: &Ground, task: &mut Task) -> Option<Vec<Item>> {
    let drift = task.state.drift.as_mut()?;
    let by_policy = ground.revision.system.policy.drift.policy == DriftPolicy::Repair;
    let wanted = planner.options.repair || (by_policy && drift.tries < TRIES);
    if !wanted || !drift.items.iter().any(Item::is_repairable) {
        return None;
    }
    drift.tries += 1;
    Some(drift.items.clone())
}

/// What the tenant's memory says of `items` from now on; an event when it is not what it said.
fn remember(planner: &Planner<'_>, task: &mut Task, mut items: Vec<Item>) {
    let before = task.state.drift.take();
    let known = before.as_ref().map_or(&[][..], |drift| &drift.items);
    let keys = |items: &[Item]| -> BTreeSet<Key> { items.iter().map(Item::key).collect() };
    let changed = keys(known) != keys(&items);
    let now = planner.host.now();
    let mut new: Vec<Item> = Vec::new();
    for item in &mut items {
        match known.iter().find(|one| one.key() == item.key()) {
            Some(one) => {
                item.since = one.since;
                item.by.clone_from(&one.by);
            }
            None => new.push(item.clone()),
        }
    }
    testify(planner.host, &mut new);
    for item in &mut items {
        if let Some(one) = new.iter().find(|one| one.key() == item.key()) {
            item.since = one.since.or(Some(now));
            item.by.clone_from(&one.by);
        }
    }
    if changed {
        task.drift.also.push(match items.is_empty() {
            true => HistoryEvent::Settled,
            false => HistoryEvent::Drifted {
                items: sentences(&items),
            },
        });
    }
    let tries = before.map_or(0, |drift| drift.tries);
    let tries = if changed { 0 } else { tries };
    task.state.drift = (!items.is_empty()).then_some(Drift { items, tries });
}

fn sentences(items: &[Item]) -> Vec<String> {
    let mut named: Vec<String> = items.iter().take(NAMED).map(Item::sentence).collect();
    if items.len() > NAMED {
        named.push(format!("{} more", items.len() - NAMED));
    }
    named
}

/// What a generation is, without its files: nothing is written.
fn described(manifest: &Manifest) -> Artefacts {
    Artefacts {
        units: manifest.units.clone(),
        layers: manifest.layers.clone(),
        directories: manifest.directories.clone(),
        ..Artefacts::default()
    }
}

/// The files of the generation, compiled again from its commit.
fn rendered(
    planner: &Planner<'_>,
    ground: &Ground,
    task: &Task,
    current: &Manifest,
) -> Result<Artefacts, PassError> {
    let id = &task.report.tenant;
    let fail = |reason: String| PassError::Generation {
        tenant: id.clone(),
        reason: format!(
            "generation {} is damaged and cannot be restored: {reason}; `bbctl sync {id} --retry` makes a new one",
            current.number
        ),
    };
    let repository = open(&planner.host.root().mirror(id))?;
    let reading = read_tree(&repository, &current.commit, &TreeLimits::default())?;
    let compiled = compile(ground, ground.registration(id)?, reading);
    let product = compiled
        .product
        .ok_or_else(|| fail("its commit is not accepted any more".to_owned()))?;
    if !is_same(current, &product.artefacts) {
        return Err(fail(
            "its commit is compiled to something else now".to_owned(),
        ));
    }
    Ok(product.artefacts)
}
