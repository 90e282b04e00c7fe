//! From differences to steps.

use super::{Item, Remedy};
use crate::artefact::UpdateClass;
use crate::plan::{Action, LinkFix, Phase, Plan, Step};
use std::collections::BTreeSet;

/// Most differences that a reason names.
const NAMED: usize = 3;

/// Adds to `plan`, which starts and stops what the generation says, the steps that put the rest of `items` right. `above`
/// names the running units that stop with a unit: they start again with it.
pub fn repair(plan: &mut Plan, items: &[Item], above: &dyn Fn(&str) -> Vec<String>) {
    let Some(number) = plan.to else { return };
    let of = |test: &dyn Fn(&Remedy) -> bool| -> Vec<&Item> {
        items.iter().filter(|item| test(&item.remedy)).collect()
    };
    let mut add = |phase, action, why: &[&Item]| {
        if !why.is_empty() {
            plan.steps.push(step(phase, action, why));
        }
    };
    let restored = of(&|remedy| matches!(remedy, Remedy::Restore { .. }));
    add(Phase::Prepare, Action::RestoreFiles { number }, &restored);

    let strangers = of(&|remedy| *remedy == Remedy::Stop);
    let units = strangers.iter().map(|item| item.subject.clone()).collect();
    add(Phase::Stop, Action::Stop { units }, &strangers);

    let reverted = of(&|remedy| matches!(remedy, Remedy::Revert { .. }));
    let units = reverted.iter().map(|item| item.subject.clone());
    let units: BTreeSet<String> = units.collect();
    let units = units.into_iter().collect();
    add(Phase::Switch, Action::Revert { units }, &reverted);
    let mut reloaded = of(&|remedy| *remedy == Remedy::Reload);
    reloaded.extend(&restored);
    add(Phase::Switch, Action::Reload, &reloaded);

    let loaded = of(&|remedy| *remedy == Remedy::Network);
    add(Phase::Start, Action::ReloadNetwork, &loaded);
    links(items, &mut add);
    restart(plan, items, above);
    // Stops of one phase stay in their order; the loading of a network comes before what needs it.
    plan.steps
        .sort_by_key(|step| (step.phase, is_start(&step.action)));
    dedup_network(plan);
}

fn is_start(action: &Action) -> bool {
    matches!(action, Action::Start { .. })
}

fn links(items: &[Item], add: &mut impl FnMut(Phase, Action, &[&Item])) {
    let mut fixes = Vec::new();
    let mut why = Vec::new();
    for item in items {
        let link = item.subject.clone();
        fixes.push(match &item.remedy {
            Remedy::Reconfigure => LinkFix::Reconfigure { link },
            Remedy::Detach => LinkFix::Detach { link },
            Remedy::Attach { bridge } => LinkFix::Attach {
                link,
                bridge: bridge.clone(),
            },
            _ => continue,
        });
        why.push(item);
    }
    add(Phase::Start, Action::FixLinks { fixes }, &why);
}

/// Units that run with something that was put right: they stop, and start again.
fn restart(plan: &mut Plan, items: &[Item], above: &dyn Fn(&str) -> Vec<String>) {
    let mut units = BTreeSet::new();
    let mut why = Vec::new();
    for item in items {
        let unit = match &item.remedy {
            Remedy::Restart { unit }
            | Remedy::Revert {
                unit,
                restart: true,
            }
            | Remedy::Restore {
                restart: Some(unit),
            } => unit,
            _ => continue,
        };
        units.extend(above(unit));
        units.insert(unit.clone());
        why.push(item);
    }
    if why.is_empty() {
        return;
    }
    let units: Vec<String> = units.into_iter().collect();
    let class = UpdateClass::Restart;
    let stop = Action::Stop {
        units: units.clone(),
    };
    for (phase, action) in [(Phase::Stop, stop), (Phase::Start, Action::Start { units })] {
        plan.steps.push(Step {
            class,
            ..step(phase, action, &why)
        });
    }
}

/// The planner may load the network already.
fn dedup_network(plan: &mut Plan) {
    let mut seen = false;
    plan.steps
        .retain(|step| step.action != Action::ReloadNetwork || !std::mem::replace(&mut seen, true));
}

fn step(phase: Phase, action: Action, why: &[&Item]) -> Step {
    let mut named: Vec<String> = why.iter().take(NAMED).map(|item| item.sentence()).collect();
    if why.len() > NAMED {
        named.push(format!("{} more", why.len() - NAMED));
    }
    Step {
        phase,
        action,
        reason: named.join(", "),
        class: UpdateClass::Live,
        origin: None,
    }
}
