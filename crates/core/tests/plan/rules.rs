//! What single changes cost.

use crate::fixtures::*;
use crate::world::*;
use bitbuilder_core::artefact::UpdateClass;
use bitbuilder_core::model::*;
use bitbuilder_core::plan::{Action, Change, Input, Phase, TextOptions, is_same, plan, text};
use std::collections::BTreeSet;

const WEB: &str = "systemd-nspawn@shop-web.service";
const DB: &str = "systemd-nspawn@shop-db.service";
const WEB_TIMER: &str = "tenant-health@shop-web.timer";

#[test]
fn an_environment_restarts_its_container_only() {
    let mut to = shop();
    to.workloads[1].env.insert("MORE".into(), "1".into());
    let plan = change(&shop(), &to);
    assert_eq!(stopped(&plan), [WEB]);
    assert_eq!(started(&plan), [WEB]);
    let stop = plan.steps.iter().find(|s| s.phase == Phase::Stop).unwrap();
    assert_eq!(
        stop.reason,
        "environment changed (containers/web/config.yaml:1)"
    );
    assert_eq!(stop.class, UpdateClass::Restart);
    let origin = stop.origin.as_ref().unwrap();
    assert_eq!(origin.file, "containers/web/config.yaml");
}

#[test]
fn without_the_old_content_the_file_is_named() {
    let mut to = shop();
    to.workloads[1].env.insert("MORE".into(), "1".into());
    let (current, target) = (generation(&shop(), 1), generation(&to, 2));
    let observed = running(&current);
    let plan = plan(&Input {
        current: Some(&current.manifest),
        target: Some((&target.manifest, &target.artefacts)),
        ..Input::new(&to.id, &observed)
    });
    let stop = plan.steps.iter().find(|s| s.phase == Phase::Stop).unwrap();
    assert_eq!(
        stop.reason,
        "50-bitbuilder.conf changed (containers/web/config.yaml:1)"
    );
    assert!(plan.changes.iter().all(|change| change.diff.is_none()));
}

#[test]
fn a_dependency_that_restarts_takes_nobody_with_it() {
    let mut to = shop();
    to.workloads[0].env.insert("MORE".into(), "1".into());
    let plan = change(&shop(), &to);
    assert_eq!((stopped(&plan), started(&plan)), (vec![DB], vec![DB]));
}

#[test]
fn dependencies_scripts_and_checks_are_live() {
    let mut to = shop();
    to.workloads[1].depends_on.clear();
    to.workloads[0].health_script = Some(b"#!/bin/sh\nexit 1\n".as_slice().into());
    to.scripts.clear();
    let plan = change(&shop(), &to);
    assert_eq!(stopped(&plan), [""; 0]);
    assert_eq!(started(&plan), [""; 0]);
    let actions: Vec<&Action> = plan.steps.iter().map(|step| &step.action).collect();
    assert_eq!(
        actions,
        [
            &Action::WriteGeneration { number: 2 },
            &Action::Switch { number: 2 }
        ]
    );
}

#[test]
fn other_times_of_a_check_restart_its_timer() {
    let mut to = shop();
    to.workloads[1].health.as_mut().unwrap().interval = Millis(7000);
    let plan = change(&shop(), &to);
    assert_eq!(stopped(&plan), [WEB_TIMER]);
    assert_eq!(started(&plan), [WEB_TIMER]);
    assert!(
        plan.steps.iter().all(|s| s.class == UpdateClass::Live),
        "{plan:#?}"
    );
}

#[test]
fn a_restart_policy_is_live() {
    let mut to = shop();
    to.workloads[0].restart = Restart::No;
    let plan = change(&shop(), &to);
    assert_eq!((stopped(&plan), started(&plan)), (vec![], vec![]));
    let paths: Vec<&str> = plan.changes.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(
        paths,
        ["system/systemd-nspawn@shop-db.service.d/65-restart.conf"]
    );
    assert_eq!(plan.changes[0].class, UpdateClass::Live);
}

#[test]
fn what_goes_for_good_is_destroyed_and_other_roots_are_made_anew() {
    let mut to = shop();
    to.workloads.pop();
    to.firewall.clear();
    to.publish.clear();
    to.workloads[0].image.digest = "fedcba9876543210".repeat(4);
    let plan = change(&shop(), &to);
    let stops: Vec<(UpdateClass, Vec<&str>)> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::Stop { units } => {
                Some((step.class, units.iter().map(String::as_str).collect()))
            }
            _ => None,
        })
        .collect();
    let layer = format!(
        "var-lib-tenants-shop-layers-{}.mount",
        shop().workloads[0].image.digest
    );
    assert_eq!(
        stops,
        [
            (UpdateClass::Recreate, vec![DB]),
            (UpdateClass::Destroy, vec![WEB, WEB_TIMER]),
            (
                UpdateClass::Destroy,
                vec!["var-lib-tenants-shop-containers-web-rootfs.mount"]
            ),
            (
                UpdateClass::Recreate,
                vec![
                    "var-lib-tenants-shop-containers-db-rootfs.mount",
                    layer.as_str()
                ]
            ),
        ]
    );
    let of_web = |path: &str| path.contains("shop-web") && !path.contains("tenant-health@");
    let mut files = plan.changes.iter().filter(|file| of_web(&file.path));
    assert!(files.all(|file| file.class == UpdateClass::Destroy));
}

#[test]
fn a_check_comes_and_goes_without_its_workload() {
    let mut without = shop();
    without.workloads[1].health = None;
    let gone = change(&shop(), &without);
    assert_eq!((stopped(&gone), started(&gone)), (vec![WEB_TIMER], vec![]));
    let back = change(&without, &shop());
    assert_eq!((stopped(&back), started(&back)), (vec![], vec![WEB_TIMER]));
}

#[test]
fn a_timer_follows_its_workload() {
    let mut to = shop();
    to.workloads[1].health.as_mut().unwrap().interval = Millis(7000);
    to.workloads[1].env.clear();
    let plan = change(&shop(), &to);
    assert_eq!((stopped(&plan), started(&plan)), (vec![WEB], vec![WEB]));
}

#[test]
fn limits_change_what_runs() {
    let mut to = shop();
    to.limits.memory = Some(Bytes(4 << 30));
    to.workloads[1].resources.cpu = None;
    let plan = change(&shop(), &to);
    assert_eq!(stopped(&plan), [""; 0]);
    let set: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.action {
            Action::SetProperties { unit, properties } => Some((unit.as_str(), properties)),
            _ => None,
        })
        .collect();
    let memory = vec![("MemoryMax".to_owned(), (4_u64 << 30).to_string())];
    let cpu = vec![("CPUQuota".to_owned(), String::new())];
    assert_eq!(set, [("tenant-shop.slice", &memory), (WEB, &cpu)]);
}

#[test]
fn limits_of_what_does_not_run_wait_for_its_start() {
    let mut to = shop();
    to.workloads[1].autostart = false;
    let mut more = to.clone();
    more.workloads[1].resources.cpu = None;
    let plan = change(&to, &more);
    assert!(plan.steps.iter().all(|s| s.phase != Phase::Start));
}

#[test]
fn an_overlay_makes_one_root_anew() {
    let mut to = shop();
    let bitbuilder_core::desired::WorkloadClass::Container { overlay, .. } =
        &mut to.workloads[1].class
    else {
        panic!("no container")
    };
    overlay.as_mut().unwrap().key = "abcd".repeat(10);
    let plan = change(&shop(), &to);
    let root = "var-lib-tenants-shop-containers-web-rootfs.mount";
    assert_eq!(stopped(&plan), [WEB, root]);
    assert_eq!(started(&plan), [WEB]);
    let stop = plan.steps.iter().find(|s| s.phase == Phase::Stop).unwrap();
    assert_eq!(
        (stop.class, stop.reason.as_str()),
        (
            UpdateClass::Recreate,
            "overlay changed (containers/web/config.yaml:1)"
        )
    );
    assert!(matches!(plan.steps[0].action, Action::PrepareLayer(_)));
}

#[test]
fn roots_stop_before_the_layers_below_them() {
    let mut to = shop();
    for workload in &mut to.workloads {
        workload.image.digest = "fedcba9876543210".repeat(4);
    }
    let plan = change(&shop(), &to);
    let order = stopped(&plan);
    let at = |name: &str| order.iter().position(|unit| unit.contains(name)).unwrap();
    assert!(at("nspawn@shop-db") < at("containers-db"));
    assert!(at("nspawn@shop-web") < at("containers-web"));
    assert!(at("containers-db") < at("shop-layers"));
    assert!(at("containers-web") < at("shop-layers"));
    assert_eq!(started(&plan), [DB, WEB]);
}

#[test]
fn another_commit_with_equal_content_is_no_change() {
    let (current, target) = (generation(&shop(), 4), generation(&shop(), 5));
    assert_ne!(current.manifest.commit, target.manifest.commit);
    assert!(is_same(&current.manifest, &target.artefacts));
    let plan = between(Some(&current), Some(&target), &running(&current));
    assert!(plan.is_empty(), "{plan:#?}");
    assert_eq!((plan.from, plan.to), (Some(4), Some(4)));
    assert_eq!(
        text(&plan, &TextOptions::default()),
        "shop: generation 4, commit 555555555555\nNothing to do.\n"
    );
}

#[test]
fn other_content_is_another_generation() {
    let mut to = shop();
    to.workloads[0].autostart = false;
    let current = generation(&shop(), 1);
    assert!(!is_same(&current.manifest, &generation(&to, 2).artefacts));
}

#[test]
fn drift_is_repaired_within_the_generation() {
    let current = generation(&shop(), 4);
    let mut observed = running(&current);
    observed.active.remove(DB);
    observed.active.remove("tenant-health@shop-db.timer");
    observed.layers.clear();
    let plan = between(Some(&current), Some(&current), &observed);
    assert_eq!((plan.from, plan.to), (Some(4), Some(4)));
    assert_eq!(started(&plan), [DB]);
    assert!(matches!(plan.steps[0].action, Action::PrepareLayer(_)));
    assert_eq!(plan.steps.len(), 2);
    assert_eq!(plan.steps[1].reason, "not active");
}

#[test]
fn a_network_that_is_down_is_loaded_and_started() {
    let current = generation(&shop(), 4);
    let mut observed = running(&current);
    observed.active.remove("tenant-network@shop.service");
    let plan = between(Some(&current), Some(&current), &observed);
    assert_eq!(plan.steps[0].action, Action::ReloadNetwork);
    assert_eq!(started(&plan), ["tenant-network@shop.service"]);
}

#[test]
fn what_is_done_stays_done_until_it_changes() {
    let mut once = shop();
    once.workloads[0].restart = Restart::No;
    let current = generation(&once, 1);
    let mut observed = running(&current);
    observed.active.remove(DB);
    let finished: BTreeSet<String> = [DB.to_owned()].into();
    let towards = |target: &Generation| {
        plan(&Input {
            current: Some(&current.manifest),
            target: Some((&target.manifest, &target.artefacts)),
            finished: &finished,
            ..Input::new(&once.id, &observed)
        })
    };
    assert_eq!(started(&towards(&current)), [""; 0]);
    let mut again = once.clone();
    again.workloads[0].env.insert("MORE".into(), "1".into());
    assert_eq!(started(&towards(&generation(&again, 2))), [DB]);
}

#[test]
fn what_was_started_by_hand_keeps_running_and_restarts_when_it_changes() {
    let mut from = shop();
    from.workloads[0].autostart = false;
    let mut to = from.clone();
    to.workloads[0].env.insert("MORE".into(), "1".into());
    let (current, target) = (generation(&from, 1), generation(&to, 2));
    let mut observed = running(&current);
    observed.active.insert(DB.into());
    let same = between(Some(&current), Some(&current), &observed);
    // Only its check is missing.
    assert_eq!(
        (stopped(&same), started(&same)),
        (vec![], vec!["tenant-health@shop-db.timer"])
    );
    let plan = between(Some(&current), Some(&target), &observed);
    assert_eq!((stopped(&plan), started(&plan)), (vec![DB], vec![DB]));
}

#[test]
fn a_disabled_tenant_stops_and_keeps_its_generation() {
    let mut off = shop();
    off.enabled = false;
    let current = generation(&shop(), 1);
    let plan = change(&shop(), &off);
    assert_eq!(plan.to, Some(2));
    let all: BTreeSet<&str> = stopped(&plan).into_iter().collect();
    let observed = running(&current);
    assert_eq!(all, observed.active.iter().map(String::as_str).collect());
    assert_eq!(stopped(&plan).last(), Some(&"tenant-shop.slice"));
    assert_eq!(started(&plan), [""; 0]);
    let back = change(&off, &shop());
    assert_eq!(started(&back), ["tenant@shop.service", DB, WEB]);
}

#[test]
fn a_tenant_that_goes_is_unlinked_and_its_network_torn_down() {
    let current = generation(&shop(), 3);
    let plan = between(Some(&current), None, &running(&current));
    assert_eq!((plan.from, plan.to), (Some(3), None));
    let last: Vec<_> = plan.steps.iter().rev().take(2).map(|s| &s.action).collect();
    assert_eq!(last, [&Action::ReloadNetwork, &Action::Unlink]);
    assert!(plan.changes.is_empty());
}

#[test]
fn provisioning_starts_nothing() {
    let target = generation(&shop(), 1);
    let observed = Default::default();
    let plan = plan(&Input {
        target: Some((&target.manifest, &target.artefacts)),
        start: false,
        ..Input::new(&target.manifest.tenant, &observed)
    });
    assert!(plan.steps.iter().all(|step| step.phase < Phase::Start));
    assert_eq!(plan.to, Some(1));
}

#[test]
fn a_roll_back_writes_nothing() {
    let mut newer = shop();
    newer.workloads[1].env.clear();
    let (old, new) = (generation(&shop(), 4), generation(&newer, 5));
    let observed = running(&new);
    let plan = plan(&Input {
        current: Some(&new.manifest),
        target: Some((&old.manifest, &old.artefacts)),
        written: true,
        ..Input::new(&newer.id, &observed)
    });
    let switch = plan
        .steps
        .iter()
        .find(|s| s.phase == Phase::Switch)
        .unwrap();
    assert_eq!(switch.action, Action::Switch { number: 4 });
    assert_eq!(switch.reason, "rolls back generation 5");
    let writes = |action: &Action| matches!(action, Action::WriteGeneration { .. });
    assert!(!plan.steps.iter().any(|step| writes(&step.action)));
}

#[test]
fn units_of_an_unknown_generation_start_anew() {
    let target = generation(&shop(), 2);
    let plan = between(None, Some(&target), &running(&target));
    assert!(stopped(&plan).contains(&WEB));
    assert_eq!(started(&plan), [DB, WEB]);
}

#[test]
fn ciphertext_is_not_shown() {
    let mut to = quiet();
    to.enabled = true;
    let mut from = to.clone();
    from.workloads[0]
        .credentials
        .insert("token".into(), b"other".as_slice().into());
    let plan = change(&from, &to);
    let file = plan
        .changes
        .iter()
        .find(|file| file.path == "credentials/job/token")
        .unwrap();
    assert_eq!((file.change, file.diff.as_ref()), (Change::Modified, None));
    let stop = plan.steps.iter().find(|s| s.phase == Phase::Stop).unwrap();
    assert_eq!(
        stop.reason,
        "credential token changed (containers/job/config.yaml:1)"
    );
}

#[test]
fn hostile_names_cannot_write_to_the_terminal() {
    let (current, mut target) = (generation(&shop(), 1), generation(&shop(), 2));
    let evil = target.manifest.files.remove("boot").unwrap();
    target
        .manifest
        .files
        .insert("\u{1b}]0;evil\u{7}".into(), evil);
    target.manifest.hash = "other".into();
    target.manifest.commit = "\u{1b}[31m".into();
    let plan = between(Some(&current), Some(&target), &running(&current));
    let shown = text(&plan, &TextOptions::default());
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{7}'),
        "{shown:?}"
    );
}

#[test]
fn a_plan_is_read_back() {
    let plan = change(&quick(), &quick());
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(
        serde_json::from_str::<bitbuilder_core::plan::Plan>(&json).unwrap(),
        plan
    );
}
