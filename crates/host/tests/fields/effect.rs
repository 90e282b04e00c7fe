//! One row: planned in two ways, applied, looked at, and undone.

use crate::look::{Look, Moves};
use crate::rows::{Row, Shows};
use crate::world::{SHOP, World, essence};
use bitbuilder_core::artefact::UpdateClass;
use bitbuilder_core::finding::{Finding, Severity};
use bitbuilder_core::plan::{Action, Plan, TextOptions, text};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::Report;
use bitbuilder_host::sim::Call;
use std::collections::BTreeSet;

/// Tries `row`; what it costs and touches, for people.
pub(crate) fn of(world: &mut World, row: &Row) -> String {
    let name = format!("{} {}", row.document, row.field);
    let usual = world.files.clone();
    let prepared = world.edited(&row.before);
    if !world.put(prepared).is_empty() {
        settled(&name, &world.sync());
    }
    let hash = world.hash(SHOP);

    let target = world.edited(&row.change);
    let concerned = world.write(&target);
    assert!(!concerned.is_empty(), "{name}: the row changes nothing");
    let previews: Vec<_> = concerned
        .iter()
        .filter(|repository| *repository != "host")
        .map(|repository| world.preview(repository))
        .collect();
    world.put(target);
    let planned = world.dry_run();
    let before = Look::at(&world.host);
    let done = world.sync();
    let after = Look::at(&world.host);

    let plans = plans(&planned);
    let essences = |plans: &[&Plan]| plans.iter().map(|plan| essence(plan)).collect::<Vec<_>>();
    assert_eq!(
        essences(&plans),
        essences(&self::plans(&done)),
        "{name}: a dry run plans what a pass does"
    );
    // One repository is enough to know it, apart from tenants that only the new registry has.
    if let [preview] = previews.as_slice() {
        let made: Vec<&Plan> = preview.plans().collect();
        let mut known = plans.clone();
        known.retain(|plan| plan.from.is_some());
        assert_eq!(
            essences(&made),
            essences(&known),
            "{name}: an uncommitted tree is planned like a commit"
        );
    }
    let said = match refusals(&done) {
        rules if !rules.is_empty() => {
            assert!(
                matches!(row.shows, Shows::Plan),
                "{name}: refused: {:#?}",
                messages(&done)
            );
            assert!(
                before.is_like(&after),
                "{name}: what is refused has no effect"
            );
            assert!(
                previews
                    .iter()
                    .all(|preview| preview.plans().next().is_none())
            );
            format!("refused: {}", list(&rules))
        }
        _ => effect(world, &name, row, &plans, &before, &after, &done),
    };

    world.put(usual);
    settled(&name, &world.sync());
    let back = world.sync();
    assert!(plans_are_empty(&back), "{name}: a pass after it is idle");
    if row.before.is_empty() && !row.sticks {
        assert_eq!(world.hash(SHOP), hash, "{name}: undone, all is as it was");
    }
    said
}

/// Compares what `plans` announced with what became of the host.
fn effect(
    world: &World,
    name: &str,
    row: &Row,
    plans: &[&Plan],
    before: &Look,
    after: &Look,
    done: &Report,
) -> String {
    settled(name, done);
    let moves = Moves::between(before, after);
    let calls = before.calls_since(&world.host);
    units(name, plans, &moves, world);
    asked(name, plans, &calls);
    let announced: BTreeSet<String> = plans
        .iter()
        .flat_map(|plan| {
            let paths = plan.changes.iter();
            paths.map(move |change| format!("{}/{}", plan.tenant, change.path))
        })
        .collect();
    let gone = |path: &String| {
        plans
            .iter()
            .any(|plan| plan.to.is_none() && path.starts_with(&format!("{}/", plan.tenant)))
    };
    let mut differing = before.files_differing(after);
    differing.retain(|path| !gone(path));
    assert_eq!(announced, differing, "{name}: the files that differ");
    // The service of the network does it, too, when it starts and stops.
    let network = |units: &[String]| {
        let is = |unit: &String| unit.starts_with("tenant@") || unit.starts_with("tenant-network@");
        units.iter().any(is)
    };
    let loads = plans.iter().any(|plan| {
        has(plan, |action| match action {
            Action::ReloadNetwork => true,
            Action::Start { units } | Action::Stop { units } => network(units),
            _ => false,
        })
    });
    assert_eq!(loads, before.network_differs(after), "{name}: the network");

    let class = plans
        .iter()
        .flat_map(|plan| plan.steps.iter().map(|step| step.class))
        .max();
    let seen = seen(&moves, before, after);
    assert_eq!(
        class.unwrap_or(UpdateClass::Live),
        seen,
        "{name}: {}",
        told(plans)
    );
    if plans.is_empty() {
        assert!(
            before.is_like(after),
            "{name}: without a plan nothing changes"
        );
        return silence(name, row, done);
    }
    let touched = crate::docs::touched(plans);
    if touched.is_empty() {
        // Only the generation knows of it.
        return silence(name, row, done);
    }
    assert!(
        matches!(row.shows, Shows::Plan),
        "{name}: it has an effect; the row expects none: {}",
        told(plans)
    );
    format!("{} ({})", word(seen), list(&touched))
}

/// Units: those that stop and start are those of the plan, with what hangs on them.
fn units(name: &str, plans: &[&Plan], moves: &Moves, world: &World) {
    let mut stops = BTreeSet::new();
    let mut starts = BTreeSet::new();
    for step in plans.iter().flat_map(|plan| &plan.steps) {
        match &step.action {
            Action::Stop { units } => stops.extend(units.clone()),
            Action::Start { units } => starts.extend(units.clone()),
            _ => {}
        }
    }
    // A container brings its mounts and its timer, and the tenant its containers.
    let brings = |unit: &str| unit.ends_with(".mount") || unit.ends_with(".timer");
    let tenant_starts = starts
        .iter()
        .any(|unit: &String| unit.starts_with("tenant@"));
    let known: BTreeSet<&String> = stops.union(&starts).collect();
    for unit in moves.all() {
        let container = |unit: &str| {
            unit.starts_with("systemd-nspawn@") || unit.starts_with("systemd-vmspawn@")
        };
        let hangs = known.iter().any(|other| container(other)) && brings(unit);
        assert!(
            known.contains(unit) || hangs || tenant_starts,
            "{name}: {unit} moved, and the plan did not say so: {}",
            told(plans)
        );
    }
    for unit in &stops {
        let back = moves.restarted.contains(unit);
        let went = moves.stopped.contains(unit);
        let returns = starts.contains(unit) || brings(unit) && back;
        assert!(
            if returns { back } else { went },
            "{name}: {unit} was to stop: {moves:#?}"
        );
    }
    let up = world.host.units(&["*"]).unwrap();
    for unit in starts.difference(&stops) {
        assert!(
            moves.started.contains(unit) && up[unit].is_active(),
            "{name}: {unit} was to start"
        );
    }
}

/// Calls: exactly those that the steps stand for.
fn asked(name: &str, plans: &[&Plan], calls: &[(Call, String)]) {
    let kinds: BTreeSet<Call> = calls.iter().map(|(call, _)| *call).collect();
    let some = |is: fn(&Action) -> bool| plans.iter().any(|plan| has(plan, is));
    let switched = some(|action| matches!(action, Action::Switch { .. } | Action::Unlink));
    let expected = [
        (
            Call::Start,
            some(|action| matches!(action, Action::Start { .. })),
        ),
        (
            Call::Stop,
            some(|action| matches!(action, Action::Stop { .. })),
        ),
        (
            Call::RenewLeases,
            some(|action| matches!(action, Action::RenewLeases { .. })),
        ),
    ];
    for (call, expected) in expected {
        assert_eq!(
            kinds.contains(&call),
            expected,
            "{name}: {call:?}: {calls:#?}"
        );
    }
    // The registry alone is a reason to reload, too.
    assert!(!switched || kinds.contains(&Call::DaemonReload), "{name}");
    let set: BTreeSet<&str> = calls
        .iter()
        .filter(|(call, _)| *call == Call::SetProperties)
        .map(|(_, unit)| unit.as_str())
        .collect();
    let planned: BTreeSet<&str> = plans
        .iter()
        .flat_map(|plan| &plan.steps)
        .filter_map(|step| match &step.action {
            Action::SetProperties { unit, .. } => Some(unit.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(set, planned, "{name}: properties");
}

fn has(plan: &Plan, is: impl Fn(&Action) -> bool) -> bool {
    plan.steps.iter().any(|step| is(&step.action))
}

/// The class, from what happened alone.
fn seen(moves: &Moves, before: &Look, after: &Look) -> UpdateClass {
    let process = |unit: &&String| unit.ends_with(".service") || unit.ends_with(".slice");
    let storage = |unit: &&String| unit.ends_with(".mount");
    let root = |unit: &&String| unit.ends_with("-rootfs.mount");
    let gone = moves
        .stopped
        .iter()
        .any(|unit| process(&unit) || root(&unit));
    if gone || before.links.difference(&after.links).next().is_some() {
        UpdateClass::Destroy
    } else if moves
        .restarted
        .iter()
        .chain(&moves.stopped)
        .any(|unit| storage(&unit))
    {
        UpdateClass::Recreate
    } else if moves.restarted.iter().any(|unit| process(&unit)) {
        UpdateClass::Restart
    } else {
        UpdateClass::Live
    }
}

/// A field that changes nothing says so, or the row says where its effect is.
fn silence(name: &str, row: &Row, done: &Report) -> String {
    let (rule, about) = match row.shows {
        Shows::Plan => panic!(
            "{name}: it is accepted and has no effect: {:#?}",
            messages(done)
        ),
        Shows::Elsewhere(what) => return what.to_owned(),
        Shows::Finding(rule, about) => (rule, about),
    };
    let tenants = done.tenants.iter().flat_map(|tenant| &tenant.findings);
    let mut findings = done.system.findings.iter().chain(tenants);
    let says = |finding: &&Finding| {
        finding.severity != Severity::Error
            && finding.rule == rule
            && finding.message.contains(about)
    };
    assert!(
        findings.any(|finding| says(&finding)),
        "{name}: no finding `{rule}` about `{about}`: {:#?}",
        messages(done)
    );
    format!("nothing: `{rule}`")
}

/// That a pass had nothing to complain about.
pub(crate) fn settled(name: &str, report: &Report) {
    let errors: Vec<&Option<String>> = report.tenants.iter().map(|one| &one.error).collect();
    let refused = errors_of(report);
    assert!(report.succeeded(), "{name}: {errors:#?} {refused:#?}");
}

fn plans(report: &Report) -> Vec<&Plan> {
    let plans = report.tenants.iter().filter_map(|one| one.plan.as_ref());
    plans.filter(|plan| !plan.is_empty()).collect()
}

fn plans_are_empty(report: &Report) -> bool {
    plans(report).is_empty()
}

/// Rules of the errors that keep the change out.
fn refusals(report: &Report) -> BTreeSet<String> {
    let errors = errors_of(report).into_iter();
    errors
        .map(|finding| format!("`{}`", finding.rule))
        .collect()
}

fn errors_of(report: &Report) -> Vec<&Finding> {
    let tenants = report.tenants.iter().flat_map(|tenant| &tenant.findings);
    let all = report.system.findings.iter().chain(tenants);
    all.filter(|finding| finding.severity == Severity::Error)
        .collect()
}

fn word(class: UpdateClass) -> &'static str {
    match class {
        UpdateClass::Live => "live",
        UpdateClass::Restart => "restart",
        UpdateClass::Recreate => "recreate",
        UpdateClass::Destroy => "destroy",
    }
}

fn list(words: &BTreeSet<impl AsRef<str> + Ord>) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    words.join(", ")
}

/// Plans as people see them, for messages of tests.
fn told(plans: &[&Plan]) -> String {
    let options = TextOptions::default();
    plans.iter().map(|plan| text(plan, &options)).collect()
}

fn messages(report: &Report) -> Vec<String> {
    let tenants = report.tenants.iter().flat_map(|tenant| &tenant.findings);
    let all = report.system.findings.iter().chain(tenants);
    all.map(|finding| format!("{}: {}", finding.rule, finding.message))
        .collect()
}
