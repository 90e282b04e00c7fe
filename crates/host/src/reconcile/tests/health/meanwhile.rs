//! Somebody or something comes in between.

use super::*;
use crate::reconcile::{PassError, resume, rollback, suspend};

fn in_window() -> World {
    let world = good(&plain("red"));
    let report = push(&world, &plain("green"));
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(state(&world).window.unwrap().generation, 2);
    world
}

#[test]
fn a_new_commit_ends_the_window_of_the_one_before() {
    let world = in_window();
    at(&world, WINDOW / 2);
    push(&world, &plain("blue"));
    assert_eq!(state(&world).window.unwrap().generation, 3);
    // The window of the first is over, that of the second is not.
    at(&world, WINDOW + 1);
    assert_eq!(look(&world), None);
    assert_eq!(state(&world).good, [1]);
    at(&world, WINDOW / 2 + WINDOW);
    look(&world);
    assert_eq!(state(&world).good, [1, 3]);
}

#[test]
fn a_commit_without_effect_goes_on_with_the_window() {
    let world = in_window();
    let before = state(&world).window;
    let commit = world.commit("one", &[("README.md", "words\n")]);
    world.sync("one");
    assert_eq!(state(&world).window, before);
    // What fails then is the newest commit.
    let world = with_faults(world, Faults::none().start(UNIT));
    world.host.stop(&[UNIT.to_owned()]).unwrap();
    for over in 1..=3 {
        at(&world, over * (WINDOW + 1));
        look(&world);
    }
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(state(&world).quarantined, Some(commit));
}

#[test]
fn a_suspended_tenant_is_judged_by_nobody() {
    let world = in_window();
    let world = with_faults(world, Faults::none().start(UNIT));
    world.host.stop(&[UNIT.to_owned()]).unwrap();
    suspend(&world.host, &name("one"), "looking at it").unwrap();
    assert!(world.host.timers().unwrap().is_empty());
    at(&world, 10 * WINDOW);
    assert_eq!(look(&world), None);
    assert_eq!(world.sync("one").verdict, Verdict::Suspended);
    assert_eq!(world.generation("one"), Some(2));
    assert_eq!(status(&world).window, None);

    // Resumed, it has a whole window.
    resume(&world.host, &name("one")).unwrap();
    assert!(world.host.timers().unwrap().contains_key(JUDGE));
    assert_eq!(look(&world), None);
    at(&world, 11 * WINDOW);
    look(&world);
    assert_eq!(state(&world).window.unwrap().attempt, 2);
}

#[test]
fn a_tenant_that_is_removed_is_judged_by_nobody() {
    let world = in_window();
    world.register(&[]);
    assert_eq!(world.sync("one").verdict, Verdict::Removed);
    assert!(world.host.timers().unwrap().is_empty());
    assert_eq!(state(&world).window, None);
    at(&world, 2 * WINDOW);
    assert_eq!(look(&world), None);
    assert_eq!(world.generation("one"), None);
    // When it comes back, the new one is tried. What was good is not there any more.
    world.register(&["one"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(state(&world).good, [] as [u64; 0]);
    assert_eq!(state(&world).window.unwrap().generation, 3);
}

#[test]
fn a_judge_that_comes_when_the_tenant_was_never_there_says_so() {
    let world = in_window();
    let nobody = judge(&world.host, &name("nobody"), &mut super::super::silent);
    assert_eq!(nobody.unwrap(), None);
    let empty = tempfile::tempdir().unwrap();
    let host = SimHost::open(empty.path()).unwrap();
    let error = judge(&host, &name("one"), &mut super::super::silent).unwrap_err();
    assert!(matches!(error, PassError::NotInitialised), "{error}");
}

#[test]
fn an_operator_goes_back_inside_the_window() {
    let world = in_window();
    rollback(&world.host, &name("one"), None, &mut super::super::silent).unwrap();
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(state(&world).window.unwrap().generation, 1);
    assert!(state(&world).quarantined.is_some());
    at(&world, WINDOW);
    look(&world);
    assert_eq!(state(&world).good, [1]);
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
}

/// The roll-back of a roll-back: what somebody chose stays, whether it works or not.
#[test]
fn what_an_operator_went_back_to_is_not_left_by_the_host() {
    let world = good(&plain("red"));
    push(&world, &checked("green"));
    assert_eq!(state(&world).good, [1, 2]);
    let world = with_faults(world, Faults::none().start(UNIT));
    rollback(
        &world.host,
        &name("one"),
        Some(1),
        &mut super::super::silent,
    )
    .unwrap();
    for over in 1..=3 {
        at(&world, over * (WINDOW + 1));
        look(&world);
    }
    assert_eq!(world.generation("one"), Some(1));
    assert!(state(&world).is_left(1), "{:?}", state(&world));

    // Forward again, by hand: that is what the repository says.
    let world = with_faults(world, Faults::none());
    rollback(
        &world.host,
        &name("one"),
        Some(2),
        &mut super::super::silent,
    )
    .unwrap();
    assert_eq!(world.generation("one"), Some(2));
    assert_eq!(state(&world).quarantined, None);
    assert_eq!(status(&world).sync, SyncState::Synced);
}

#[test]
fn a_policy_that_changes_counts_at_once() {
    let world = in_window();
    set(&world, "window: 10min, tries: 2");
    at(&world, WINDOW);
    world.sync("one");
    assert_eq!(state(&world).good, [1], "the window is longer now");
    let timers = world.host.timers().unwrap();
    assert_eq!(timers[JUDGE].last(), Some(&600_200));
    set(&world, "window: 30s, tries: 2");
    world.sync("one");
    assert_eq!(state(&world).good, [1, 2]);
}

#[test]
fn a_clock_that_jumps_moves_no_window() {
    for clock in [1_u64, 4_000_000_000] {
        let world = in_window();
        std::fs::write(world.host.root().join("/clock"), clock.to_string()).unwrap();
        at(&world, WINDOW - 1);
        assert_eq!(look(&world), None, "at {clock}");
        let until = status(&world).window.unwrap().until;
        assert_eq!(until, Some(clock + 1));
        at(&world, WINDOW);
        look(&world);
        assert_eq!(state(&world).good, [1, 2], "at {clock}");
    }
}

/// A roll-back from what only the operator's repository changed keeps that out, and not the tenant's commit.
#[test]
fn a_policy_that_fails_stays_out_until_another_one_arrives() {
    let world = good(&plain("red"));
    let limited = |memory: &str| {
        let limits = serde_json::json!({ "limits": { "memory": memory } });
        world.register_with(&[("one", limits)])
    };
    limited("1G");
    world.sync("one");
    assert_eq!(state(&world).window.clone().unwrap().generation, 2);
    world.host.stop(&[UNIT.to_owned()]).unwrap();
    let world = with_faults(world, Faults::none().start(UNIT));
    for over in 1..=2 {
        at(&world, over * (WINDOW + 1));
        look(&world);
    }
    assert_eq!(world.generation("one"), Some(1), "{:?}", told(&world));
    let world = with_faults(world, Faults::none());
    look(&world);
    assert_eq!(status(&world).sync, SyncState::RolledBack);
    world.sync("one");
    assert_eq!(world.generation("one"), Some(1));

    let limits = serde_json::json!({ "limits": { "memory": "2G" } });
    world.register_with(&[("one", limits)]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(3));
}
