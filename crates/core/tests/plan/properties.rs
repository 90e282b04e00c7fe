//! What holds for every pair of generations.

use crate::fixtures::*;
use crate::world::*;
use bitbuilder_core::artefact::UnitKind;
use bitbuilder_core::desired::{DesiredTenant, Layer, WorkloadClass};
use bitbuilder_core::model::*;
use bitbuilder_core::plan::{Action, Change, Phase, Plan};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// One edit of the shop.
fn edit() -> impl Strategy<Value = fn(&mut DesiredTenant)> {
    let edits: Vec<fn(&mut DesiredTenant)> = vec![
        |t| drop(t.workloads[0].env.insert("A".into(), "1".into())),
        |t| t.workloads[0].resources.memory = Some(Bytes(1 << 30)),
        |t| t.workloads[0].image.digest = "fedcba9876543210".repeat(4),
        |t| {
            t.workloads[0].class = WorkloadClass::Container {
                capabilities: Vec::new(),
                system_calls: Vec::new(),
                read_only: true,
                overlay: Some(Layer {
                    key: "abcd".repeat(10),
                    path: "containers/x/rootfs-overlay".into(),
                }),
            };
        },
        |t| t.workloads[0].health = None,
        |t| t.workloads[0].autostart = false,
        |t| t.workloads[0].depends_on.clear(),
        |t| t.workloads[0].attachments.truncate(1),
        |t| t.workloads[0].volumes.clear(),
        |t| {
            drop(
                t.workloads[0]
                    .credentials
                    .insert("key".into(), b"x".as_slice().into()),
            )
        },
        |t| t.workloads.truncate(t.workloads.len().max(2) - 1),
        |t| t.workloads.reverse(),
        |t| t.workloads.push(workload("cache", Init::Boot)),
        |t| t.limits.tasks = Some(77),
        |t| t.networks[0].nat = false,
        |t| t.networks.truncate(1),
        |t| t.firewall.clear(),
        |t| t.publish.clear(),
        |t| t.scripts.clear(),
        |t| t.enabled = false,
    ];
    prop::sample::select(edits)
}

fn edited() -> impl Strategy<Value = DesiredTenant> {
    prop::collection::vec(edit(), 0..5).prop_map(|edits| {
        let mut tenant = shop();
        for edit in edits {
            edit(&mut tenant);
            let mut seen = BTreeSet::new();
            tenant.workloads.retain(|one| seen.insert(one.name.clone()));
            let networks: Vec<Name> = tenant.networks.iter().map(|n| n.name.clone()).collect();
            for workload in &mut tenant.workloads {
                workload
                    .attachments
                    .retain(|a| networks.contains(&a.network));
            }
        }
        tenant
    })
}

/// The contents of `from` after the changes of `plan`, with the contents of `to` for what is new.
fn applied(plan: &Plan, from: &Generation, to: &Generation) -> BTreeMap<String, Vec<u8>> {
    let contents = |one: &Generation| -> BTreeMap<String, Vec<u8>> {
        let files = one.artefacts.files.iter();
        files
            .map(|(path, file)| (path.clone(), file.content.clone()))
            .collect()
    };
    let (mut files, new) = (contents(from), contents(to));
    for change in &plan.changes {
        let known = files.contains_key(&change.path);
        match change.change {
            Change::Removed => {
                assert!(known);
                files.remove(&change.path);
            }
            Change::Added | Change::Modified => {
                assert_eq!(known, change.change == Change::Modified);
                files.insert(change.path.clone(), new[&change.path].clone());
            }
        }
    }
    files
}

fn check(plan: &Plan, observed: &bitbuilder_core::plan::Observed, own: &BTreeSet<&str>) {
    assert!(plan.steps.is_sorted_by_key(|step| step.phase));
    let (stopped, started) = (stopped(plan), started(plan));
    for unit in &stopped {
        assert!(own.contains(unit), "stops {unit}");
        assert!(
            observed.active.contains(*unit),
            "stops {unit}, which does not run"
        );
    }
    for unit in &started {
        assert!(own.contains(unit), "starts {unit}");
        assert!(
            stopped.contains(unit) || !observed.active.contains(*unit),
            "starts {unit}, which runs"
        );
    }
    for (what, units) in [("stops", &stopped), ("starts", &started)] {
        let distinct: BTreeSet<_> = units.iter().collect();
        assert_eq!(distinct.len(), units.len(), "{what} twice: {units:?}");
    }
    for step in &plan.steps {
        assert!(!step.reason.is_empty());
        let phase = match step.action {
            Action::PrepareLayer(_)
            | Action::MakeDirectory(_)
            | Action::MakeDisk(_)
            | Action::WriteGeneration { .. } => Phase::Prepare,
            Action::Stop { .. } => Phase::Stop,
            Action::Switch { .. } | Action::Unlink => Phase::Switch,
            _ => Phase::Start,
        };
        assert_eq!(step.phase, phase);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn between_any_two(from in edited(), to in edited(), idle in any::<prop::sample::Selector>(), some in 0usize..6) {
        let (current, target) = (generation(&from, 1), generation(&to, 2));
        let mut observed = running(&current);
        // Some of it does not run.
        for unit in observed.active.clone().into_iter().take(some) {
            if idle.select([true, false]) {
                observed.active.remove(&unit);
            }
        }
        let plan = between(Some(&current), Some(&target), &observed);
        let own: BTreeSet<&str> = current.manifest.units.iter().chain(&target.manifest.units)
            .map(|unit| unit.name.as_str()).collect();
        check(&plan, &observed, &own);
        let wanted: BTreeMap<String, Vec<u8>> = target.artefacts.files.iter()
            .map(|(path, file)| (path.clone(), file.content.clone())).collect();
        prop_assert_eq!(applied(&plan, &current, &target), wanted);

        // What ran goes on running or stops; afterwards everything runs that should.
        let (stopped, started) = (stopped(&plan), started(&plan));
        let runs = |unit: &str| started.contains(&unit)
            || observed.active.contains(unit) && !stopped.contains(&unit);
        for unit in target.manifest.units.iter().filter(|unit| unit.autostart) {
            let brought = unit.kind == UnitKind::Health;
            prop_assert!(brought || runs(&unit.name), "{} does not run", unit.name);
        }
        let kept: BTreeSet<&str> = target.manifest.units.iter().map(|unit| unit.name.as_str()).collect();
        for unit in observed.active.iter().filter(|unit| !kept.contains(unit.as_str())) {
            prop_assert!(stopped.contains(&unit.as_str()), "{unit} is left");
        }
        // A mount never goes while something stands on it.
        for unit in &current.manifest.units {
            for mount in unit.requires.iter().filter(|mount| stopped.contains(&mount.as_str())) {
                prop_assert!(!observed.active.contains(&unit.name) || stopped.contains(&unit.name.as_str()),
                    "{} stands on {mount}", unit.name);
            }
        }
    }

    #[test]
    fn nothing_is_done_where_all_is_so(tenant in edited()) {
        let (current, again) = (generation(&tenant, 1), generation(&tenant, 2));
        let plan = between(Some(&current), Some(&again), &running(&current));
        prop_assert!(plan.is_empty() && plan.changes.is_empty(), "{:#?}", plan);
    }

    #[test]
    fn from_nothing_and_to_nothing(tenant in edited()) {
        let one = generation(&tenant, 1);
        let own: BTreeSet<&str> = one.manifest.units.iter().map(|unit| unit.name.as_str()).collect();
        let nothing = Default::default();
        check(&between(None, Some(&one), &nothing), &nothing, &own);
        let observed = running(&one);
        let plan = between(Some(&one), None, &observed);
        check(&plan, &observed, &own);
        prop_assert_eq!(stopped(&plan).len(), observed.active.len());
    }
}
