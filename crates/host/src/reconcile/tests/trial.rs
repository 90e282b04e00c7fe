//! Generations on trial: gone by themselves, unless somebody confirms them.

use super::health::{good, plain, sick, state, status, told, with_faults};
use super::{WEB, World, find, git, name, only, silent};
use crate::disk::crash;
use crate::generations;
use crate::host::Host;
use crate::observe::SyncState;
use crate::reconcile::{
    Options, PassError, TenantReport, TenantState, Verdict, confirm, judge, rollback, try_out,
};
use crate::sim::{Faults, SimHost};
use bitbuilder_core::model::Millis;

const LENGTH: Millis = Millis(300_000);
const UNIT: &str = "systemd-nspawn@one-web.service";

fn at(world: &World, uptime: u64) {
    super::health::at(world, uptime);
}

fn start(world: &World, reference: Option<&str>) -> TenantReport {
    try_out(&world.host, &name("one"), reference, LENGTH, &mut silent).unwrap()
}

fn look(world: &World) -> Option<TenantReport> {
    judge(&world.host, &name("one"), &mut silent).unwrap()
}

/// A branch `try` with another container, which `main` has not.
fn branch(world: &World, web: &str) -> String {
    let repository = world.repository("one");
    git(&repository, &["checkout", "-q", "-B", "try", "main"]);
    let commit = world.commit("one", &[(WEB, web)]);
    git(&repository, &["checkout", "-q", "main"]);
    commit
}

/// Generation 2 of branch `try` is on trial; 1 is what is good.
fn on_trial() -> World {
    let world = good(&plain("red"));
    branch(&world, &plain("green"));
    let report = start(&world, Some("try"));
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(2));
    world
}

/// As before the trial, and nothing is left of it.
#[track_caller]
fn assert_back(world: &World) {
    assert_eq!(world.generation("one"), Some(1));
    let state = state(world);
    assert_eq!(state.trial, None);
    assert_eq!(state.returning, None);
    let root = world.host.root();
    assert!(!root.trial(&name("one")).is_symlink());
    assert!(!root.trial_mark(&name("one")).exists());
    let settings = "system/systemd-nspawn@one-web.service.d/50-bitbuilder.conf";
    let text = std::fs::read_to_string(root.current(&name("one")).join(settings)).unwrap();
    assert!(text.contains("COLOR=red"), "{text}");
    let units = world.host.units(&[UNIT]).unwrap();
    assert!(units[UNIT].is_active());
}

#[test]
fn a_trial_is_gone_when_its_time_is_over() {
    let world = on_trial();
    let before = status(&world);
    assert_eq!(before.sync, SyncState::Trial);
    assert_eq!(before.trial.unwrap().confirmed, 1);
    let timers = world.host.timers().unwrap();
    let judge = &timers["tenant-rollback@one.service"];
    assert_eq!(judge.last(), Some(&(LENGTH.0 + 200)), "{judge:?}");

    // Passes leave it alone; the end of its window is not the end of the trial.
    at(&world, LENGTH.0 - 1);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(world.generation("one"), Some(2));
    at(&world, LENGTH.0);
    let report = look(&world).unwrap();
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    assert!(report.error.unwrap().contains("nobody confirmed it"));
    assert_back(&world);
    assert_eq!(status(&world).sync, SyncState::Synced);
    let told = told(&world);
    assert!(
        told.iter().any(|one| one.starts_with("Reverted")),
        "{told:?}"
    );
    // The tenant's own branch goes on as if nothing had been.
    world.commit("one", &[(WEB, &plain("blue"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(world.generation("one"), Some(3));
}

#[test]
fn a_trial_is_gone_after_a_restart_of_the_host() {
    let world = on_trial();
    world.host.reboot().unwrap();
    assert_back(&world);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_back(&world);
}

#[test]
fn what_is_confirmed_stays_and_is_what_the_host_starts_with() {
    let world = on_trial();
    assert_eq!(confirm(&world.host, &name("one")).unwrap(), 2);
    at(&world, 10 * LENGTH.0);
    look(&world);
    world.host.reboot().unwrap();
    assert_eq!(world.generation("one"), Some(2));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(
        world.generation("one"),
        Some(2),
        "until its own branch moves"
    );
    assert_eq!(status(&world).sync, SyncState::Synced);
    world.commit("one", &[(WEB, &plain("blue"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    let error = confirm(&world.host, &name("one")).unwrap_err();
    assert!(matches!(error, PassError::Generation { .. }), "{error}");
}

#[test]
fn the_newest_commit_on_trial_stays_out_afterwards_unless_it_is_confirmed() {
    for confirmed in [false, true] {
        let world = good(&plain("red"));
        let commit = world.commit("one", &[(WEB, &plain("green"))]);
        start(&world, None);
        assert_eq!(world.generation("one"), Some(2));
        if confirmed {
            confirm(&world.host, &name("one")).unwrap();
        }
        at(&world, LENGTH.0);
        look(&world);
        assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
        assert_eq!(world.generation("one"), Some(if confirmed { 2 } else { 1 }));
        let state = state(&world);
        match confirmed {
            true => assert_eq!(state.deployed, Some(commit)),
            false => assert_eq!(state.quarantined, Some(commit)),
        }
    }
}

#[test]
fn a_trial_that_does_not_work_is_left_early() {
    let world = good(&plain("red"));
    branch(&world, &sick("green"));
    let report = start(&world, Some("try"));
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    assert!(report.error.unwrap().contains("fails its health check"));
    assert_back(&world);
}

#[test]
fn another_trial_goes_back_to_what_was_confirmed() {
    let world = on_trial();
    branch(&world, &plain("blue"));
    start(&world, Some("try"));
    assert_eq!(world.generation("one"), Some(3));
    assert_eq!(state(&world).trial.unwrap().confirmed, 1);
    rollback(&world.host, &name("one"), None, &mut silent).unwrap();
    assert_back(&world);
    assert_eq!(
        state(&world).quarantined,
        None,
        "what is deployed is not concerned"
    );
}

#[test]
fn what_cannot_be_tried_changes_nothing() {
    let world = World::new(&["one"]);
    let error = try_out(&world.host, &name("one"), None, LENGTH, &mut silent).unwrap_err();
    assert!(
        error.to_string().contains("accepted") || matches!(error, PassError::NothingAccepted),
        "{error}"
    );
    world.register(&[]);
    world.pass(&Options::default());
    let error = try_out(&world.host, &name("one"), None, LENGTH, &mut silent).unwrap_err();
    assert!(matches!(error, PassError::UnknownTenant { .. }), "{error}");

    let world = good(&plain("red"));
    let off = super::metadata("one").replace("true", "false");
    let repository = world.repository("one");
    git(&repository, &["checkout", "-q", "-B", "try", "main"]);
    world.commit("one", &[("metadata.json", &off)]);
    git(&repository, &["checkout", "-q", "main"]);
    let error = try_out(&world.host, &name("one"), Some("try"), LENGTH, &mut silent).unwrap_err();
    assert!(error.to_string().contains("enables or disables"), "{error}");
    let report = start(&world, None);
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    assert_back(&world);
}

#[test]
fn a_tenant_that_is_removed_on_trial_is_gone() {
    let world = on_trial();
    world.register(&[]);
    assert_eq!(world.sync("one").verdict, Verdict::Removed);
    assert!(!world.host.root().trial(&name("one")).is_symlink());
    assert_eq!(state(&world).trial, None);
    world.register(&["one"]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
}

#[test]
fn an_end_that_fails_is_tried_again() {
    let world = on_trial();
    at(&world, LENGTH.0);
    let world = with_faults(world, Faults::none().nth(crate::sim::Call::Stop, 1));
    let report = look(&world).unwrap();
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    assert_eq!(state(&world).returning.unwrap().to, 1);
    let world = with_faults(world, Faults::none());
    world.pass(&only("one"));
    assert_back(&world);
}

/// A trial is begun, or left, by a process that is killed after each of its effects; then the host goes down, or not.
#[test]
fn killed_anywhere_there_is_the_old_or_the_trial() {
    let world = good(&plain("red"));
    branch(&world, &plain("green"));
    start(&world, Some("main"));
    let begin = |host: &SimHost| {
        let _ = try_out(host, &name("one"), Some("try"), LENGTH, &mut silent);
    };
    kill_everywhere(&world, &begin);
    let world = on_trial();
    at(&world, LENGTH.0);
    let leave = |host: &SimHost| {
        judge(host, &name("one"), &mut silent).unwrap();
    };
    kill_everywhere(&world, &leave);
}

fn kill_everywhere(world: &World, act: &dyn Fn(&SimHost)) {
    let copy = super::health::crash::Copy::of(world);
    let ((), effects) = crash::count(|| act(&copy.host));
    assert!(effects > 20, "only {effects} effects: they are not counted");
    for at in 0..=effects {
        let copy = super::health::crash::Copy::of(world);
        crash::at(at, || act(&copy.host));
        let root = copy.host.root();
        if at % 2 == 0 {
            copy.host.reboot().unwrap();
            copy.pass();
            copy.pass();
            let state = TenantState::read(root, &name("one")).unwrap();
            let current = generations::current(root, &name("one")).unwrap();
            assert_eq!(
                (current, state.trial),
                (Some(1), None),
                "rebooted after {at}"
            );
            assert!(!root.trial(&name("one")).is_symlink(), "after {at}");
        } else {
            copy.pass();
            copy.pass();
            let state = TenantState::read(root, &name("one")).unwrap();
            let current = generations::current(root, &name("one")).unwrap();
            // Either it is on trial, and known to be, or it is not.
            let known = state.trial.as_ref().map(|trial| trial.generation);
            match known {
                Some(number) => assert_eq!(current, Some(number), "after {at}"),
                None => assert_eq!(current, Some(1), "after {at}"),
            }
            assert_eq!(
                root.trial(&name("one")).is_symlink(),
                known.is_some(),
                "after {at}"
            );
        }
        let units = copy.host.units(&[UNIT]).unwrap();
        assert!(units[UNIT].is_active(), "after {at}");
    }
}

#[test]
fn a_confirmation_that_is_killed_is_one_or_none() {
    let world = on_trial();
    let act = |host: &SimHost| {
        let _ = confirm(host, &name("one"));
    };
    let copy = super::health::crash::Copy::of(&world);
    let ((), effects) = crash::count(|| act(&copy.host));
    for at in 0..=effects {
        let copy = super::health::crash::Copy::of(&world);
        crash::at(at, || act(&copy.host));
        let linked = copy.host.root().trial(&name("one")).is_symlink();
        copy.host.reboot().unwrap();
        copy.pass();
        let root = copy.host.root();
        let current = generations::current(root, &name("one")).unwrap();
        let expected = if linked { 1 } else { 2 };
        assert_eq!(current, Some(expected), "after {at}");
        let state = TenantState::read(root, &name("one")).unwrap();
        assert_eq!(state.trial, None, "after {at}");
    }
}

#[test]
fn a_pass_for_the_whole_host_says_nothing_of_a_trial() {
    let world = on_trial();
    let report = find(world.pass(&Options::default()), "one");
    assert_eq!((report.verdict, report.error), (Verdict::Unchanged, None));
    assert_eq!(report.waiting.len(), 1, "{:?}", report.waiting);
}

/// What the branch for this host is at: a container that only says so.
fn testing(world: &World, web: &str) -> String {
    let repository = world.repository("one");
    git(
        &repository,
        &["checkout", "-q", "-B", "testing-sim", "main"],
    );
    let commit = world.commit("one", &[(WEB, web)]);
    git(&repository, &["checkout", "-q", "main"]);
    commit
}

fn merge(world: &World) {
    let repository = world.repository("one");
    git(&repository, &["merge", "-q", "--ff-only", "testing-sim"]);
}

#[test]
fn the_branch_of_this_host_is_tried_by_a_pass_and_once() {
    let world = good(&plain("red"));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    let commit = testing(&world, &plain("green"));
    let report = find(world.pass(&Options::default()), "one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let trial = state(&world).trial.unwrap();
    assert_eq!((trial.commit, trial.confirmed), (commit.clone(), 1));
    assert_eq!(trial.reference.as_deref(), Some("testing-sim"));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);

    // Its time is the policy's.
    at(&world, 3_599_000);
    look(&world);
    assert_eq!(world.generation("one"), Some(2));
    at(&world, 3_600_000);
    assert_eq!(look(&world).unwrap().verdict, Verdict::RolledBack);
    assert_back(&world);
    for _ in 0..2 {
        let report = find(world.pass(&Options::default()), "one");
        assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    }
    assert_eq!(state(&world).tried, Some(commit));

    testing(&world, &plain("blue"));
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(world.generation("one"), Some(3));
}

#[test]
fn what_is_merged_is_confirmed_and_nothing_is_started_again() {
    let world = good(&plain("red"));
    let commit = testing(&world, &plain("green"));
    world.sync("one");
    let before = world.host.units(&[UNIT]).unwrap()[UNIT].invocation.clone();
    merge(&world);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    let after = state(&world);
    assert_eq!((after.trial, after.deployed), (None, Some(commit)));
    assert_eq!(world.generation("one"), Some(2));
    let now = world.host.units(&[UNIT]).unwrap()[UNIT].invocation.clone();
    assert_eq!(now, before);
    world.host.reboot().unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn what_is_merged_with_more_is_deployed() {
    let world = good(&plain("red"));
    testing(&world, &plain("green"));
    world.sync("one");
    merge(&world);
    let commit = world.commit("one", &[(WEB, &plain("blue"))]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let after = state(&world);
    assert_eq!((after.trial, after.deployed), (None, Some(commit)));
    assert_eq!(world.generation("one"), Some(3));
}

#[test]
fn a_trial_goes_with_its_branch() {
    let world = good(&plain("red"));
    testing(&world, &plain("green"));
    world.sync("one");
    assert_eq!(world.generation("one"), Some(2));
    git(&world.repository("one"), &["branch", "-qD", "testing-sim"]);
    let report = find(world.pass(&Options::default()), "one");
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    assert_back(&world);
    let report = find(world.pass(&Options::default()), "one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
}

#[test]
fn a_branch_that_does_not_descend_is_refused_once_and_another_hosts_is_nothing() {
    let world = good(&plain("red"));
    let repository = world.repository("one");
    git(&repository, &["branch", "testing-simulated", "main"]);
    testing(&world, &plain("green"));
    world.commit("one", &[(WEB, &plain("blue"))]);
    let report = world.sync("one");
    // Its own reference comes first.
    assert_eq!(report.verdict, Verdict::Refused, "{report:?}");
    assert!(report.error.unwrap().contains("does not descend"));
    assert_eq!(world.generation("one"), Some(2));
    assert_eq!(state(&world).trial, None);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    // A branch that is gone is gone from the mirror, too.
    git(&repository, &["branch", "-qD", "testing-sim"]);
    world.sync("one");
    let mirror = crate::source::open(&world.host.root().mirror(&name("one"))).unwrap();
    let found = crate::source::resolve_ref(&mirror, "refs/heads/testing-sim");
    assert!(found.is_err(), "{found:?}");
}
