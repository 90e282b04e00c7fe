//! Processes that are killed, and hosts that go down, between any two effects.

use super::*;
use crate::disk::crash;
use std::process::Command;

/// A copy of the host, which has the same repositories.
pub(in crate::reconcile::tests) struct Copy {
    pub(in crate::reconcile::tests) host: SimHost,
    _directory: tempfile::TempDir,
}

impl Copy {
    pub(in crate::reconcile::tests) fn of(world: &World) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("host");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(world.host.root().path())
            .arg(&path)
            .status();
        assert!(copied.unwrap().success());
        Self {
            host: SimHost::open(&path).unwrap(),
            _directory: directory,
        }
    }

    /// With what the mirror has: what a fetch leaves is tested elsewhere.
    pub(in crate::reconcile::tests) fn pass(&self) {
        let options = Options {
            fetch: false,
            ..Options::default()
        };
        crate::reconcile::pass(&self.host, &options, &mut super::super::silent).unwrap();
    }

    /// The tenant is where it was good, the commit stays out, and it was told once.
    #[track_caller]
    fn assert_back(&self, commit: &str, at: u64) {
        let root = self.host.root();
        let state = TenantState::read(root, &name("one")).unwrap();
        let current = generations::current(root, &name("one")).unwrap();
        assert_eq!(current, Some(1), "killed after {at}: {state:?}");
        assert_eq!(state.quarantined.as_deref(), Some(commit), "after {at}");
        assert_eq!(state.good, [1], "after {at}");
        assert_eq!(state.returning, None, "after {at}");
        assert_eq!(state.window, None, "after {at}");
        let back = |event: &HistoryEvent| matches!(event, HistoryEvent::RolledBack { .. });
        let times = state
            .history
            .iter()
            .filter(|entry| back(&entry.event))
            .count();
        assert_eq!(times, 1, "killed after {at}: {:?}", state.history);
        let units = self.host.units(&[UNIT]).unwrap();
        assert!(units[UNIT].is_active(), "killed after {at}");
        let damages = generations::verify(root, &name("one"), 1).unwrap();
        assert_eq!(damages, [], "after {at}");
    }
}

/// A pass that deploys a bad commit and rolls it back, killed after each of its effects, and again.
#[test]
fn a_pass_is_killed_anywhere() {
    let world = good(&checked("red"));
    let commit = world.commit("one", &[(WEB, &sick("green"))]);
    world.pass(&Options {
        plan_only: true,
        ..Options::default()
    });
    let ((), effects) = crash::count(|| Copy::of(&world).pass());
    assert!(effects > 60, "only {effects} effects: they are not counted");
    for at in 0..=effects {
        let copy = Copy::of(&world);
        let finished = crash::at(at, || copy.pass()).is_some();
        assert_eq!(finished, at == effects, "after {at} of {effects}");
        if at % 5 == 0 {
            crash::at(at % 17, || copy.pass());
        }
        copy.pass();
        copy.assert_back(&commit, at);
        copy.pass();
        copy.assert_back(&commit, at);
    }
}

/// The same for the judge, which decides at the end of a window that a commit is left.
#[test]
fn a_judge_is_killed_anywhere() {
    let world = good(&checked("red"));
    set(&world, "window: 60s, tries: 1");
    world.sync("one");
    let commit = world.commit("one", &[(WEB, &plain("green"))]);
    world.sync("one");
    world.host.stop(&[UNIT.to_owned()]).unwrap();
    at(&world, WINDOW);
    let decide = |host: &SimHost| {
        judge(host, &name("one"), &mut super::super::silent).unwrap();
    };
    let ((), effects) = crash::count(|| decide(&Copy::of(&world).host));
    assert!(effects > 30, "only {effects} effects: they are not counted");
    for at in 0..=effects {
        let copy = Copy::of(&world);
        crash::at(at, || decide(&copy.host));
        decide(&copy.host);
        decide(&copy.host);
        copy.assert_back(&commit, at);
    }
}

#[test]
fn a_host_that_restarts_inside_the_window_begins_it_again() {
    let world = good(&plain("red"));
    push(&world, &plain("green"));
    at(&world, WINDOW - 1);
    world.host.reboot().unwrap();
    at(&world, 5);
    assert_eq!(look(&world), None);
    let window = state(&world).window.unwrap();
    assert_eq!((window.attempt, window.restarts), (1, 1));
    at(&world, WINDOW);
    assert_eq!(look(&world), None, "its time is not over");
    at(&world, WINDOW + 5);
    look(&world);
    assert_eq!(state(&world).good, [1, 2]);
}

#[test]
fn a_generation_that_takes_the_host_down_each_time_is_left() {
    let world = good(&plain("red"));
    push(&world, &plain("green"));
    for _ in 0..3 {
        world.host.reboot().unwrap();
        look(&world);
    }
    assert_eq!(world.generation("one"), Some(1), "{:?}", told(&world));
    let reason = status(&world).reason.unwrap();
    assert!(reason.contains("host was restarted"), "{reason}");
}
