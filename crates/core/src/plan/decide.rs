//! The plan as a whole.

use super::causes::Cause;
use super::{Action, Input, Phase, Plan, Step};
use super::{changes, disks, prepare, start, stop, waiting};
use crate::artefact::{Manifest, UpdateClass};
use crate::document::format_millis;
use crate::model::Millis;

/// What has to be done so that `input.target` runs in place of what is there.
///
/// Steps come in the order of their phases. Only running units stop, and only those whose files changed, that are gone, or
/// that stand on a mount that changed; what stopped and still exists starts again, as does what should run and does not.
/// With equal generations ([`is_same`](super::is_same)) only the latter is left: `from` and `to` are the same number, and
/// nothing is written or switched. Without anything to do there are no steps.
pub fn plan(input: &Input<'_>) -> Plan {
    // With equal records there is nothing to list, and hidden differences in origins do not matter.
    let files = if input.moves() {
        changes::differing(input)
    } else {
        Vec::new()
    };
    let stops = stop::stops(input, &files);
    let mut steps = prepare::steps(input, &files);
    steps.extend(stop::steps(input, &stops));
    steps.extend(switch(input));
    steps.extend(start::steps(input, &files, &stops));
    let waiting = waiting::waiting(input, &steps);
    Plan {
        tenant: input.tenant.clone(),
        from: input.from(),
        to: input.to(),
        commit: input.target.map(|(target, _)| target.commit.clone()),
        steps,
        changes: changes::listed(input, &files),
        findings: input
            .findings
            .iter()
            .cloned()
            .chain(disks::kept(input))
            .collect(),
        waiting,
    }
}

/// `units` of the current generation stop, whatever they do, and start again.
pub fn restart(current: &Manifest, units: Vec<String>, reason: &str) -> Plan {
    let cause = Cause::plain(UpdateClass::Restart, reason);
    let stop = Action::Stop {
        units: units.clone(),
    };
    let steps = vec![
        cause.step(Phase::Stop, stop),
        cause.step(Phase::Start, Action::Start { units }),
    ];
    Plan {
        tenant: current.tenant.clone(),
        from: Some(current.number),
        to: Some(current.number),
        commit: Some(current.commit.clone()),
        steps,
        changes: Vec::new(),
        findings: Vec::new(),
        waiting: Vec::new(),
    }
}

fn switch(input: &Input<'_>) -> Option<Step> {
    let (action, what) = match (input.from(), input.to()) {
        (None, None) => return None,
        (Some(from), None) => (
            Action::Unlink,
            format!("generation {from} is to be linked no more"),
        ),
        (from, Some(number)) => {
            if !input.moves() {
                return None;
            }
            let what = match from {
                None => "first generation".to_owned(),
                Some(from) if from > number => format!("rolls back generation {from}"),
                Some(from) => format!("replaces generation {from}"),
            };
            (Action::Switch { number }, what)
        }
    };
    let class = match action {
        Action::Unlink => UpdateClass::Destroy,
        _ => UpdateClass::Live,
    };
    Some(Cause::plain(class, what).step(Phase::Switch, action))
}

/// Adds the end of a tenant that is gone to the plan of its removal: what was made for it is deleted, and its data stays
/// for `kept`. `units` are those that it had.
pub fn erase(plan: &mut Plan, units: Vec<String>, kept: Millis) {
    let kept = format_millis(kept.0);
    let what = format!("the tenant is gone; its data is kept for {kept}");
    let cause = Cause::plain(UpdateClass::Destroy, what);
    plan.steps
        .push(cause.step(Phase::Start, Action::Erase { units }));
}
