//! Windows, tries and the way back, on a simulated host: whatever happens in between.

pub(super) mod crash;
mod later;
mod meanwhile;

use super::{WEB, World, find, name, only};
use crate::events;
use crate::generations;
use crate::host::Host;
use crate::observe::{self, Health, SyncState, TenantStatus};
use crate::reconcile::{HistoryEvent, Options, TenantReport, TenantState, Verdict, judge};
use crate::sim::{Call, Faults, SimHost};

const UNIT: &str = "systemd-nspawn@one-web.service";
const JUDGE: &str = "tenant-rollback@one.service";
/// The window of [`world`], in milliseconds.
const WINDOW: u64 = 60_000;

/// A container that no check asks: it has to run until its window is over.
pub(super) fn plain(color: &str) -> String {
    super::container(color)
}

/// A container whose check is passed at once.
pub(super) fn checked(color: &str) -> String {
    format!("{}health: {{ command: [/bin/true] }}\n", plain(color))
}

/// A container whose check fails.
pub(super) fn sick(color: &str) -> String {
    checked(color).replace("env: {", "env: { BITBUILDER_SIM_UNHEALTHY: \"1\",")
}

fn policy(text: &str) -> String {
    format!("health: {{ {text} }}\n")
}

/// A host with tenant `one` whose first commit is `web`, in a time that only tests move.
pub(super) fn world(web: &str) -> World {
    let world = World::new(&["one"]);
    set(&world, "window: 60s, tries: 2");
    world.commit("one", &[(WEB, web)]);
    at(&world, 0);
    world
}

pub(super) fn set(world: &World, health: &str) {
    world.commit("system", &[(".gitops/config.yaml", &policy(health))]);
}

/// Sets the clock that nobody sets, in milliseconds.
pub(super) fn at(world: &World, uptime: u64) {
    std::fs::write(world.host.root().join("/uptime"), uptime.to_string()).unwrap();
}

/// The world after `web` was deployed and found Healthy.
pub(super) fn good(web: &str) -> World {
    let world = world(web);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    if state(&world).window.is_some() {
        at(&world, WINDOW);
        look(&world);
        at(&world, 0);
    }
    assert_eq!(state(&world).good, [1]);
    world
}

pub(super) fn state(world: &World) -> TenantState {
    TenantState::read(world.host.root(), &name("one")).unwrap()
}

pub(super) fn status(world: &World) -> TenantStatus {
    let status = observe::status(&world.host, Some(&name("one"))).unwrap();
    status.tenants.into_iter().next().unwrap()
}

/// What `tenant-rollback@one` does.
pub(super) fn look(world: &World) -> Option<TenantReport> {
    judge(&world.host, &name("one"), &mut super::silent).unwrap()
}

pub(super) fn push(world: &World, web: &str) -> TenantReport {
    world.commit("one", &[(WEB, web)]);
    world.sync("one")
}

/// The kinds of events so far, with generations.
pub(super) fn told(world: &World) -> Vec<String> {
    let word = |event: HistoryEvent| match event {
        HistoryEvent::Deployed { generation, .. } => format!("deployed {generation}"),
        HistoryEvent::Healthy { generation } => format!("healthy {generation}"),
        HistoryEvent::Degraded { generation, .. } => format!("degraded {generation}"),
        HistoryEvent::RolledBack { from, to, .. } => format!("{from} -> {to}"),
        HistoryEvent::Failed { .. } => "failed".to_owned(),
        HistoryEvent::Repaired { .. } => "repaired".to_owned(),
        other => format!("{other:?}"),
    };
    let records = events::read(world.host.root()).unwrap();
    records
        .into_iter()
        .map(|record| word(record.event))
        .collect()
}

/// The same host, on which `faults` happen from now on.
pub(super) fn with_faults(world: World, faults: Faults) -> World {
    let host = SimHost::open(world.host.root().path()).unwrap();
    World {
        host: host.with_faults(faults),
        ..world
    }
}

fn starts(world: &World) -> usize {
    let calls = world.host.calls();
    calls
        .iter()
        .filter(|(call, _)| *call == Call::Start)
        .count()
}

#[test]
fn checks_that_are_passed_end_the_window_at_once() {
    let world = good(&checked("red"));
    assert_eq!(told(&world), ["deployed 1", "healthy 1"]);
    assert!(state(&world).window.is_none());
    assert!(world.host.timers().unwrap().is_empty());
    assert_eq!(status(&world).window, None);
}

#[test]
fn what_nobody_asks_runs_until_its_window_is_over() {
    let world = world(&plain("red"));
    world.sync("one");
    assert_eq!(told(&world), ["deployed 1"]);
    let window = status(&world).window.unwrap();
    assert_eq!((window.attempt, window.tries), (1, 2));
    assert_eq!(status(&world).health, Health::Healthy, "it runs");
    let timers = world.host.timers().unwrap();
    assert_eq!(timers[JUDGE].last(), Some(&(WINDOW + 200)), "{timers:?}");
    assert_eq!(timers[JUDGE].len(), 4);

    at(&world, WINDOW - 1);
    assert_eq!(look(&world), None);
    at(&world, WINDOW);
    look(&world).unwrap();
    assert_eq!(told(&world), ["deployed 1", "healthy 1"]);
    assert!(world.host.timers().unwrap().is_empty());
    assert!(!world.host.root().window(&name("one")).exists());
}

#[test]
fn the_next_pass_judges_when_nobody_else_does() {
    let world = world(&plain("red"));
    world.sync("one");
    at(&world, WINDOW);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    assert_eq!(state(&world).good, [1]);
}

#[test]
fn a_commit_that_fails_is_rolled_back_and_stays_out() {
    let world = good(&checked("red"));
    let before = generations::tree_hash(world.host.root(), &name("one"), 1).unwrap();
    let report = push(&world, &sick("green"));
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    let error = report.error.unwrap();
    assert!(error.contains("web fails its health check"), "{error}");
    assert_eq!(world.generation("one"), Some(1));
    let after = generations::tree_hash(world.host.root(), &name("one"), 1).unwrap();
    assert_eq!(before, after);
    let expected = [
        "deployed 1",
        "healthy 1",
        "deployed 2",
        "2 -> 1",
        "healthy 1",
    ];
    assert_eq!(told(&world), expected);

    let status = status(&world);
    assert_eq!(
        (status.sync, status.health),
        (SyncState::RolledBack, Health::Healthy)
    );
    let reason = status.reason.unwrap();
    assert!(reason.contains("fails its health check"), "{reason}");

    // It is not tried again, and nothing is touched.
    let invocation = world.invocation("one-web");
    for _ in 0..2 {
        assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    }
    assert_eq!(world.invocation("one-web"), invocation);
    assert_eq!(told(&world), expected);

    // A descendant is.
    let report = push(&world, &checked("blue"));
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(3));
    assert_eq!(state(&world).good, [1, 3]);
    assert_eq!(state(&world).quarantined, None);
}

#[test]
fn every_try_starts_anew_only_what_fails() {
    let world = good(&checked("red"));
    world.commit("one", &[("containers/db/config.yaml", &checked("red"))]);
    set(&world, "window: 60s, tries: 3");
    world.sync("one");
    let count = |unit: &str| {
        let calls = world.host.calls();
        calls
            .iter()
            .filter(|(call, about)| *call == Call::Start && about.contains(unit))
            .count()
    };
    let (web, db) = (count("one-web"), count("one-db"));
    push(&world, &sick("green"));
    // Deployed, tried twice more, rolled back.
    assert_eq!(count("one-web") - web, 4);
    assert_eq!(count("one-db") - db, 0);
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn two_bad_commits_in_a_row_lead_back_to_the_last_good_one() {
    let world = good(&checked("red"));
    for (color, number) in [("green", 2), ("blue", 3)] {
        let report = push(&world, &sick(color));
        assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
        let last = format!("{number} -> 1");
        assert!(told(&world).contains(&last), "{:?}", told(&world));
    }
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(state(&world).good, [1]);
}

#[test]
fn the_last_good_one_is_never_pruned() {
    let world = good(&checked("red"));
    world.commit(
        "system",
        &[(
            ".gitops/config.yaml",
            "health: { window: 60s, tries: 1 }\nretention: { generations: 2 }\n",
        )],
    );
    // Each of them is replaced inside its window.
    for color in ["a", "b", "c", "d"] {
        push(&world, &plain(color));
    }
    let report = push(&world, &sick("e"));
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    assert_eq!(world.generation("one"), Some(1));
}

#[test]
fn a_first_deployment_that_fails_is_left_for_inspection() {
    let world = world(&sick("red"));
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    let error = report.error.unwrap();
    assert!(error.contains("its tries are over"), "{error}");
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(told(&world), ["deployed 1", "degraded 1"]);
    let degraded = status(&world).degraded.unwrap();
    assert!(
        degraded.left && degraded.reason.contains("web fails"),
        "{degraded:?}"
    );

    // Nobody starts it any more, nobody tells it again.
    let (before, invocation) = (starts(&world), world.invocation("one-web"));
    for _ in 0..2 {
        world.sync("one");
    }
    assert_eq!(
        (starts(&world), world.invocation("one-web")),
        (before, invocation)
    );
    assert_eq!(told(&world), ["deployed 1", "degraded 1"]);

    let report = push(&world, &checked("green"));
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(state(&world).degraded, None);
    assert_eq!(state(&world).good, [2]);
}

#[test]
fn a_first_deployment_that_does_not_start_is_tried_again_when_asked() {
    let world = with_faults(world(&plain("red")), Faults::none().start(UNIT));
    world.sync("one");
    at(&world, WINDOW);
    look(&world);
    at(&world, 2 * WINDOW);
    look(&world);
    assert!(state(&world).is_left(1), "{:?}", state(&world));
    let before = starts(&world);
    world.sync("one");
    assert_eq!(starts(&world), before);

    let world = with_faults(world, Faults::none());
    let options = Options {
        retry: true,
        ..only("one")
    };
    find(world.pass(&options), "one");
    assert_eq!(state(&world).window.unwrap().attempt, 1);
    for over in 3..=4 {
        at(&world, over * (WINDOW + 1));
        look(&world);
    }
    assert_eq!(state(&world).degraded, None);
    assert_eq!(state(&world).good, [1]);
}

#[test]
fn a_last_good_one_that_fails_too_stays() {
    let world = good(&plain("red"));
    push(&world, &checked("green"));
    assert_eq!(state(&world).good, [1, 2]);
    world.commit("one", &[(WEB, &plain("blue"))]);
    let world = with_faults(world, Faults::none().start(UNIT));
    world.sync("one");
    for try_over in 1..=4 {
        at(&world, try_over * (WINDOW + 1));
        look(&world);
    }
    assert_eq!(world.generation("one"), Some(2));
    let told = told(&world);
    assert!(told.contains(&"3 -> 2".to_owned()), "{told:?}");
    assert_eq!(told.last().unwrap(), "degraded 2", "{told:?}");
    assert!(!told.contains(&"2 -> 1".to_owned()), "no further back");
    assert!(state(&world).is_left(2));
    // It is still known what stays out.
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
}

#[test]
fn what_was_good_and_is_damaged_is_not_gone_back_to() {
    let world = good(&checked("red"));
    let file = world.host.root().generation(&name("one"), 1).join("boot");
    std::fs::write(file, "tampered\n").unwrap();
    let report = push(&world, &sick("green"));
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    let error = report.error.unwrap();
    assert!(
        error.contains("generation 1") && error.contains("boot"),
        "{error}"
    );
    assert_eq!(world.generation("one"), Some(2));
    assert!(state(&world).is_left(2));
}

/// A new check says nothing of what the old one has found, also when the container goes on.
#[test]
fn a_check_that_changes_has_to_be_passed_itself() {
    let world = good(&checked("red"));
    let invocation = world.invocation("one-web");
    let other = checked("red").replace("/bin/true", "/bin/other");
    let path = world.host.root().health(&name("one"), &name("web"));
    let before = std::fs::read_to_string(&path).unwrap();
    let report = push(&world, &other);
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(
        world.invocation("one-web"),
        invocation,
        "it was not restarted"
    );
    assert_eq!(state(&world).good, [1, 2], "the new check is passed");
    // Had it not been made, nothing would be known.
    std::fs::write(&path, before).unwrap();
    assert_eq!(status(&world).health, Health::Progressing);
}
