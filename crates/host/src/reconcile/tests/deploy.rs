//! What a pass deploys, and what it leaves alone.

use super::{WEB, World, container, find, metadata, name, only};
use crate::host::Host;
use crate::reconcile::{Options, Starts, TenantState, Verdict, effective_registry};
use bitbuilder_core::plan::Action;
use std::fs;
use std::os::unix::fs::symlink;

#[test]
fn the_first_pass_deploys_every_tenant() {
    let world = World::new(&["one", "two"]);
    let report = world.pass(&Options::default());
    assert!(report.succeeded(), "{report:?}");
    for tenant in &report.tenants {
        assert_eq!(tenant.verdict, Verdict::Applied, "{tenant:?}");
        assert_eq!(tenant.generation, Some(1));
    }
    assert!(!world.invocation("one-web").is_empty());
    let registry = effective_registry(world.host.root()).unwrap().unwrap();
    assert_eq!(registry.tenants.len(), 2);
    assert!(registry.tenants.iter().all(|tenant| tenant.enabled));
}

#[test]
fn a_pass_with_nothing_new_touches_nothing() {
    let world = World::new(&["one"]);
    world.sync("one");
    let before = world.invocation("one-web");
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    assert!(report.plan.is_none(), "it was not even compiled");
    assert_eq!(world.invocation("one-web"), before);
    assert_eq!(world.generation("one"), Some(1));
}

#[test]
fn a_change_restarts_only_its_container() {
    let world = World::new(&["one"]);
    world.commit("one", &[("containers/db/config.yaml", &container("blue"))]);
    world.sync("one");
    let (web, db) = (world.invocation("one-web"), world.invocation("one-db"));
    world.commit("one", &[(WEB, &container("green"))]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(2));
    assert_ne!(world.invocation("one-web"), web);
    assert_eq!(world.invocation("one-db"), db);
}

#[test]
fn nothing_is_stopped_that_could_not_be_started_again() {
    let world = World::new(&["one"]);
    world.sync("one");
    let before = world.invocation("one-web");
    let mask = world.host.root().join("/etc/systemd/system");
    let mask = mask.join("systemd-nspawn@one-web.service");
    fs::create_dir_all(mask.parent().unwrap()).unwrap();
    symlink("/dev/null", &mask).unwrap();
    world.host.daemon_reload().unwrap();
    world.commit("one", &[(WEB, &container("green"))]);
    let read = || TenantState::read(world.host.root(), &name("one")).unwrap();
    let known = read();
    for _ in 0..2 {
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
        let error = report.error.unwrap();
        assert!(error.contains("is masked: `systemctl unmask "), "{error}");
        assert_eq!(world.invocation("one-web"), before);
        assert_eq!(world.generation("one"), Some(1));
    }
    // It is told once, and no try of the commit.
    let state = read();
    assert_eq!(state.history.len(), known.history.len() + 1);
    assert_eq!(
        TenantState {
            history: known.history.clone(),
            ..state
        },
        known
    );
    fs::remove_file(&mask).unwrap();
    world.host.daemon_reload().unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn a_commit_without_effect_makes_no_generation_but_counts() {
    let world = World::new(&["one"]);
    world.sync("one");
    let commit = world.commit("one", &[("README.md", "words\n")]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    assert_eq!(world.generation("one"), Some(1));
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.deployed, Some(commit));
}

#[test]
fn a_plan_changes_nothing() {
    let world = World::new(&["one"]);
    let options = Options {
        plan_only: true,
        ..Options::default()
    };
    let report = world.pass(&options);
    assert!(report.pending());
    let tenant = find(report, "one");
    assert_eq!(tenant.verdict, Verdict::Planned);
    assert!(!tenant.plan.unwrap().is_empty());
    assert_eq!(world.generation("one"), None);
    assert!(!world.host.root().registry().exists());
    assert!(!world.host.root().allocations().exists());
    assert!(!world.host.root().tenant_state(&name("one")).exists());
}

#[test]
fn what_did_not_come_up_at_boot_is_started() {
    let world = World::new(&["one"]);
    world.sync("one");
    world.host.reboot().unwrap();
    let unit = "tenant@one.service".to_owned();
    world.host.stop(std::slice::from_ref(&unit)).unwrap();
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let plan = report.plan.unwrap();
    assert_eq!(plan.from, plan.to);
    assert!(world.host.units(&[&unit]).unwrap()[&unit].is_active());
    assert_eq!(world.generation("one"), Some(1));
}

#[test]
fn a_tenant_that_leaves_stops_and_keeps_its_data() {
    let world = World::new(&["one", "two"]);
    world.pass(&Options::default());
    world.register(&["two"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Removed, "{report:?}");
    assert_eq!(world.generation("one"), None);
    assert!(!world.host.root().generations(&name("one")).exists());
    let active = world.host.units(&["*one*"]).unwrap();
    assert!(
        active.values().all(|state| !state.is_active()),
        "{active:?}"
    );
    assert!(!world.invocation("two-web").is_empty());

    // What left is not mentioned again, and comes back as it was.
    assert_eq!(world.pass(&Options::default()).tenants.len(), 1);
    let numbers = |world: &World| std::fs::read_to_string(world.host.root().allocations()).unwrap();
    let before = numbers(&world);
    assert!(before.contains("released"));
    world.register(&["one", "two"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn a_tenant_that_disables_itself_stops() {
    let world = World::new(&["one"]);
    world.sync("one");
    let off = metadata("one").replace("true", "false");
    world.commit("one", &[("metadata.json", &off)]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let units = world.host.units(&["systemd-nspawn@one-*"]).unwrap();
    assert!(units.values().all(|state| !state.is_active()), "{units:?}");
    let registry = effective_registry(world.host.root()).unwrap().unwrap();
    assert!(!registry.tenants[0].enabled);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
}

#[test]
fn provisioning_leaves_the_starts_to_systemd() {
    let world = World::new(&["one"]);
    let options = Options {
        starts: Starts::Left,
        ..only("one")
    };
    let report = find(world.pass(&options), "one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let plan = report.plan.unwrap();
    let starts = |action: &Action| matches!(action, Action::Start { .. } | Action::ReloadNetwork);
    assert!(
        !plan.steps.iter().any(|step| starts(&step.action)),
        "{plan:?}"
    );
    assert_eq!(world.generation("one"), Some(1));
    assert!(world.invocation("one-web").is_empty());
}

#[test]
fn a_reboot_brings_back_what_was_deployed() {
    let world = World::new(&["one"]);
    world.sync("one");
    let before = world.invocation("one-web");
    world.host.reboot().unwrap();
    assert_ne!(world.invocation("one-web"), before);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
}
