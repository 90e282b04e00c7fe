//! A step that fails: the old generation goes on, and so do the others.

use super::deploy::assert_succeeded;
use super::scene::{Shop, Target, World, deploy, name, remove};
use super::view::View;
use crate::apply::{Outcome, Recovery, StepResult, recover_all};
use crate::generations;
use crate::host::Host;
use crate::sim::{Call, Faults, SimHost};
use bitbuilder_core::plan::Phase;
use std::fs;

const WEB: &str = "systemd-nspawn@shop-web.service";
const TENANT: &str = "tenant@shop.service";

fn shop(env: &'static str) -> Shop {
    Shop {
        env,
        ..Shop::new("shop", 1)
    }
}

/// A world in which `shop` runs.
pub(super) fn deployed() -> World {
    let world = World::new();
    let outcomes = deploy(&world.host(), &["shop"], &[&shop("A=1").compile(1)]);
    assert_succeeded(&outcomes["shop"]);
    world
}

fn faulty(world: &World, faults: Faults) -> SimHost {
    world.host().with_faults(faults)
}

fn update(host: &SimHost, target: &Target) -> Outcome {
    deploy(host, &["shop"], &[target]).remove("shop").unwrap()
}

#[test]
fn a_failing_start_fails_its_step_and_the_next_plan_tries_again() {
    let world = deployed();
    let target = shop("A=2").compile(2);
    let outcome = update(&faulty(&world, Faults::none().start(WEB)), &target);
    assert!(!outcome.succeeded() && !outcome.undone);
    let error = outcome.error().unwrap();
    assert!(error.contains(WEB), "{error}");
    let host = world.host();
    assert_eq!(
        generations::current(host.root(), &name("shop")).unwrap(),
        Some(2)
    );
    assert!(!host.root().journal(&name("shop")).exists());
    assert_eq!(
        View::of(&host, "shop").units[WEB].0,
        "activating auto-restart"
    );
    host.start(&[WEB.to_owned()]).unwrap();
}

#[test]
fn an_unknown_unit_and_an_unknown_tenant_do_not_start() {
    let world = deployed();
    let host = world.host();
    let unknown = host
        .start(&["nope.service".to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        unknown.contains("Unit nope.service not found."),
        "{unknown}"
    );
    let stranger = host
        .start(&["tenant@other.service".to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        stranger.contains("tenant other is not in the registry"),
        "{stranger}"
    );
    assert!(
        stranger.contains("setup-tenant@other.service"),
        "{stranger}"
    );
}

#[test]
fn whatever_fails_before_the_switch_is_undone() {
    let world = deployed();
    let before = View::of(&world.host(), "shop");
    let target = Shop {
        layer: "bbbb",
        ..shop("A=2")
    }
    .compile(2);
    for faults in [
        Faults::none().nth(Call::Chown, 1),
        Faults::none().nth(Call::Stop, 1),
        Faults::none().nth(Call::Stop, 2),
    ] {
        let world = world.copy();
        let outcome = update(&faulty(&world, faults.clone()), &target);
        assert!(outcome.undone, "{faults:?}: {outcome:#?}");
        assert_eq!(outcome.undo_error, None);
        let failed = outcome
            .steps
            .iter()
            .position(|r| matches!(r.result, StepResult::Failed { .. }));
        let skipped = &outcome.steps[failed.unwrap() + 1..];
        assert!(
            skipped
                .iter()
                .all(|r| matches!(r.result, StepResult::Skipped { .. }))
        );
        let after = View::of(&world.host(), "shop");
        assert_eq!(after.without_invocations(), before.without_invocations());
        assert_eq!(after.generations, [1]);
        assert_succeeded(&update(&world.host(), &target));
    }
}

#[test]
fn a_prepare_that_cannot_write_changes_nothing() {
    let world = deployed();
    let before = View::of(&world.host(), "shop");
    // A file where the generation's directory would be written.
    let host = world.host();
    let target = shop("A=2").compile(2);
    fs::write(host.root().generation(&name("shop"), 2), "").unwrap();
    let outcome = update(&host, &target);
    assert!(
        outcome.undone && outcome.undo_error.is_none(),
        "{outcome:#?}"
    );
    assert!(
        outcome.error().unwrap().contains("generations/2"),
        "{outcome:#?}"
    );
    assert_eq!(View::of(&host, "shop"), before);
}

#[test]
fn a_manager_that_does_not_reload_leaves_the_rest_to_the_recovery() {
    let world = deployed();
    let target = shop("A=2").compile(2);
    let outcome = update(
        &faulty(&world, Faults::none().nth(Call::DaemonReload, 1)),
        &target,
    );
    assert!(!outcome.succeeded() && !outcome.undone);
    let host = world.host();
    assert!(host.root().journal(&name("shop")).exists());
    let recovered = recover_all(&host).unwrap();
    assert!(
        matches!(&recovered[&name("shop")], Recovery::Finished(outcome) if outcome.succeeded())
    );
    assert_eq!(
        View::of(&host, "shop").without_invocations(),
        reference(&target)
    );
}

#[test]
fn nothing_starts_without_its_packet_rules() {
    let world = deployed();
    let target = Shop {
        back: true,
        ..shop("A=2")
    }
    .compile(2);
    let outcome = update(
        &faulty(&world, Faults::none().nth(Call::ApplyRuleset, 1)),
        &target,
    );
    assert!(!outcome.succeeded() && !outcome.undone);
    let host = world.host();
    assert!(!View::of(&host, "shop").units.contains_key(WEB));
    let recovered = recover_all(&host).unwrap();
    assert!(
        matches!(&recovered[&name("shop")], Recovery::Finished(outcome) if outcome.succeeded())
    );
    assert_eq!(
        View::of(&host, "shop").without_invocations(),
        reference(&target)
    );
}

#[test]
fn a_network_that_is_interrupted_anywhere_is_loaded_the_next_time() {
    let world = deployed();
    let target = Shop {
        back: true,
        ..shop("A=2")
    }
    .compile(2);
    for call in [Call::ApplyRuleset, Call::ReloadNetwork] {
        let world = world.copy();
        let outcome = update(&faulty(&world, Faults::none().nth(call, 1)), &target);
        assert!(!outcome.succeeded());
        recover_all(&world.host()).unwrap();
        assert!(
            world.host().links().unwrap().contains("br-shop-1"),
            "{call:?}"
        );
    }
    // Its end, too.
    for call in [Call::DeleteLinks, Call::ReloadNetwork] {
        let world = world.copy();
        remove(&faulty(&world, Faults::none().nth(call, 1)), &[], "shop");
        recover_all(&world.host()).unwrap();
        assert_eq!(world.host().links().unwrap().len(), 0, "{call:?}");
        let parts = world.host().rules().unwrap();
        assert!(!parts.contains_key("inet shop"), "{call:?}: {parts:?}");
    }
}

#[test]
fn one_tenant_fails_and_the_other_succeeds() {
    let world = World::new();
    let host = faulty(&world, Faults::none().start(TENANT));
    let other = Shop::new("other", 2).compile(1);
    let outcomes = deploy(
        &host,
        &["shop", "other"],
        &[&shop("A=1").compile(1), &other],
    );
    assert_succeeded(&outcomes["other"]);
    assert!(outcomes["shop"].error().unwrap().contains(TENANT));

    // And before the switch: a generation whose number is taken by another one.
    let world = deployed();
    let host = world.host();
    let mut taken = shop("A=2").compile(2);
    taken.manifest.commit = "f".repeat(40);
    generations::write(host.root(), &taken.manifest, &taken.artefacts).unwrap();
    let outcomes = deploy(
        &host,
        &["shop", "other"],
        &[&shop("A=3").compile(2), &Shop::new("other", 2).compile(1)],
    );
    assert_succeeded(&outcomes["other"]);
    let outcome = &outcomes["shop"];
    assert_eq!(
        generations::list(host.root(), &name("shop")).unwrap(),
        [1, 2]
    );
    assert!(
        outcome.undone && outcome.error().unwrap().contains("other content"),
        "{outcome:#?}"
    );
    assert!(
        outcome
            .steps
            .iter()
            .all(|r| r.step.phase == Phase::Prepare || r.result != StepResult::Done)
    );
}

#[test]
fn a_damaged_journal_is_named_and_others_are_recovered() {
    let world = deployed();
    let host = world.host();
    let journal = host.root().journal(&name("shop"));
    fs::write(&journal, "{\"format\":1,").unwrap();
    let target = Shop::new("other", 2).compile(1);
    let reload = Faults::none().nth(Call::DaemonReload, 1);
    deploy(&faulty(&world, reload), &["shop", "other"], &[&target]);
    let recovered = recover_all(&host).unwrap();
    let Recovery::Failed { error } = &recovered[&name("shop")] else {
        panic!("{recovered:?}");
    };
    assert!(
        error.contains("journal.json") && error.contains("not JSON"),
        "{error}"
    );
    assert!(
        matches!(&recovered[&name("other")], Recovery::Finished(outcome) if outcome.succeeded())
    );
    assert!(!journal.exists());
    assert_eq!(recover_all(&host).unwrap().len(), 0);
}

#[test]
fn a_damaged_generation_is_named_and_passed_over() {
    let world = deployed();
    let host = world.host();
    assert_succeeded(
        &deploy(
            &host,
            &["shop", "other"],
            &[&Shop::new("other", 2).compile(1)],
        )["other"],
    );
    let generation = host.root().generation(&name("shop"), 1);
    fs::write(generation.join("boot"), "../../etc\t/etc\n").unwrap();
    let damage = generations::verify(host.root(), &name("shop"), 1).unwrap();
    assert_eq!(
        damage[0].to_string(),
        "boot has other content than when it was written"
    );
    // The index was made while it was whole.
    host.reboot().unwrap();
    assert!(!View::of(&host, "shop").units.is_empty());
    for index in ["boot.index", "mount-boot.index"] {
        fs::remove_file(host.root().state().join(index)).unwrap();
    }
    host.reboot().unwrap();
    assert!(View::of(&host, "shop").units.is_empty());
    assert!(
        View::of(&host, "other")
            .units
            .contains_key("systemd-nspawn@other-web.service")
    );
    fs::write(generation.join("generation.json"), "").unwrap();
    let error = generations::switch(host.root(), &name("shop"), 1)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("generation.json") && error.contains("not JSON"),
        "{error}"
    );
}

#[test]
fn a_limit_is_not_applied_by_a_manager_that_has_not_read_it() {
    let world = deployed();
    let host = world.host();
    host.set_properties(WEB, &[]).unwrap();
    let target = shop("A=2").compile(2);
    generations::write(host.root(), &target.manifest, &target.artefacts).unwrap();
    generations::switch(host.root(), &name("shop"), 2).unwrap();
    let error = host.set_properties(WEB, &[]).unwrap_err().to_string();
    assert!(error.contains("still has the old settings"), "{error}");
    host.daemon_reload().unwrap();
    host.set_properties(WEB, &[]).unwrap();
}

/// What is there when nothing fails on the way to `target`.
fn reference(target: &Target) -> View {
    let world = deployed();
    assert_succeeded(&update(&world.host(), target));
    View::of(&world.host(), "shop").without_invocations()
}
