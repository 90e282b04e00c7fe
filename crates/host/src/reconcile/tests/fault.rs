//! Passes on which every single operation fails, or is the last one: a full disk or table of inodes, a file system that
//! became read-only, one that is broken, a manager that does not answer, and kills. Whatever happens, what is there is the old or the
//! new generation, no other tenant is touched, and the next pass on a sound host gets there.

use super::{WEB, World, container, find, name, only};
use crate::apply::tests::view::View;
use crate::disk::crash;
use crate::disk::fault::{self, Fault};
use crate::host::Host;
use crate::reconcile::{Options, PassError, Report, Verdict, pass};
use crate::sim::{Call, Faults, SimHost};
use std::ops::Range;
use std::path::Path;
use std::process::Command;

/// A host with two tenants; `one` has a newer commit in its mirror.
struct Scene {
    world: World,
    old: View,
    new: View,
    other: View,
}

fn copy(world: &World, to: &Path) -> SimHost {
    let status = Command::new("cp")
        .arg("-a")
        .arg(world.host.root().path())
        .arg(to)
        .status();
    assert!(status.unwrap().success());
    SimHost::open(to.join("host")).unwrap()
}

/// No fetch: Git's own files are Git's to keep whole.
fn local() -> Options {
    Options {
        fetch: false,
        ..Options::default()
    }
}

fn run(host: &SimHost) -> Result<Report, PassError> {
    pass(host, &local(), &mut |_| {})
}

/// What is there, whatever number it was given: a number that was tried is not used again. There are two generations: none
/// is left that never ran.
fn content(view: &View) -> View {
    let mut view = view.without_invocations();
    assert_eq!(view.generations.len(), 2, "{:?}", view.generations);
    assert_eq!(view.current, view.generations.last().copied());
    view.current = None;
    view.generations.clear();
    view
}

impl Scene {
    fn new() -> Self {
        let world = World::new(&["one", "two"]);
        world.sync("one");
        let old = View::of(&world.host, "one");
        world.commit("one", &[(WEB, &container("green"))]);
        let plan = Options {
            plan_only: true,
            ..only("one")
        };
        assert_eq!(find(world.pass(&plan), "one").verdict, Verdict::Planned);
        let whole = tempfile::tempdir().unwrap();
        let host = copy(&world, whole.path());
        run(&host).unwrap();
        let new = View::of(&host, "one");
        assert_ne!(old.current, new.current);
        let other = View::of(&world.host, "two");
        Self {
            world,
            old,
            new,
            other,
        }
    }

    /// What holds after `what` happened on `host`, and that it is mended by passes on a sound disk.
    fn check(&self, host: SimHost, what: &str) {
        // Nothing that failed is remembered as having failed for good.
        let host = host.with_faults(Faults::none());
        let current = crate::generations::current(host.root(), &name("one")).unwrap();
        assert!(
            current.is_some() && [self.old.current, self.new.current].contains(&current),
            "{what}: {current:?}"
        );
        assert_eq!(
            View::of(&host, "two"),
            self.other,
            "{what}: the other tenant"
        );
        // The first one may only finish or undo what was left.
        for _ in 0..2 {
            let report = run(&host).unwrap_or_else(|error| panic!("{what}: {error}"));
            assert!(report.succeeded(), "{what}: {report:?}");
        }
        assert_eq!(
            content(&View::of(&host, "one")),
            content(&self.new),
            "{what}"
        );
        assert_eq!(
            View::of(&host, "two"),
            self.other,
            "{what}: the other tenant, later"
        );
    }

    /// Lets the operations `failing(n)` fail, for every n until nothing fails any more.
    fn fail_everywhere(&self, fault: Fault, failing: impl Fn(u64) -> Range<u64>) {
        let mut failures = 0;
        for at in 0.. {
            let directory = tempfile::tempdir().unwrap();
            let host = copy(&self.world, directory.path());
            let (result, operations) = fault::with(fault, failing(at), || run(&host));
            let failed = !result.is_ok_and(|report| report.succeeded());
            failures += u64::from(failed);
            self.check(
                host,
                &format!("{fault:?} at operation {at} of {operations}"),
            );
            if at > operations {
                break;
            }
        }
        assert!(failures > 5, "{fault:?}: only {failures} failures are seen");
    }
}

#[test]
fn a_disk_that_fails_once() {
    let scene = Scene::new();
    for fault in Fault::ALL {
        scene.fail_everywhere(fault, |at| at..at + 1);
    }
}

#[test]
fn a_disk_that_fails_from_then_on() {
    let scene = Scene::new();
    for fault in Fault::ALL {
        scene.fail_everywhere(fault, |at| at..u64::MAX);
    }
}

#[test]
fn a_pass_that_is_killed_anywhere() {
    let scene = Scene::new();
    let mut kills = 0;
    for at in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let host = copy(&scene.world, directory.path());
        let finished = crash::at(at, || run(&host)).is_some();
        let host = SimHost::open(host.root().path()).unwrap();
        scene.check(host, &format!("killed after {at} effects"));
        if finished {
            break;
        }
        kills += 1;
    }
    assert!(kills > 50, "only {kills} kills");
}

#[test]
fn a_host_that_is_killed_anywhere_and_boots() {
    let scene = Scene::new();
    for at in (0..).step_by(7) {
        let directory = tempfile::tempdir().unwrap();
        let host = copy(&scene.world, directory.path());
        let finished = crash::at(at, || run(&host)).is_some();
        let host = SimHost::open(host.root().path()).unwrap();
        host.reboot().unwrap();
        for (id, known) in [
            ("one", &[&scene.old, &scene.new][..]),
            ("two", &[&scene.other]),
        ] {
            let running = View::of(&host, id).without_invocations();
            let units: Vec<_> = known
                .iter()
                .map(|view| view.without_invocations().units)
                .collect();
            assert!(
                units.contains(&running.units),
                "{id}, after {at} effects: {running:#?}"
            );
        }
        if finished {
            break;
        }
    }
}

#[test]
fn a_manager_that_does_not_answer() {
    let scene = Scene::new();
    let asked = {
        let directory = tempfile::tempdir().unwrap();
        let host = copy(&scene.world, directory.path());
        run(&host).unwrap();
        host.calls()
    };
    assert!(asked.iter().any(|(call, _)| *call == Call::DaemonReload));
    for number in 1..=asked.len() {
        let directory = tempfile::tempdir().unwrap();
        let host = copy(&scene.world, directory.path());
        let host = host.with_faults(Faults::none().call(number as u64));
        let _ = run(&host);
        scene.check(host, &format!("call {number}, {:?}", asked[number - 1]));
    }
}
