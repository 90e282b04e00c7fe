//! Remotes that are down, slow or silent.

use super::{WEB, World, container, find, name, only};
use crate::host::Host;
use crate::reconcile::remotes::Remotes;
use crate::reconcile::{
    Event, FetchFailure, Options, Scope, SystemState, TenantState, Trigger, Verdict, init, pass,
};
use bitbuilder_core::model::{Millis, Registration};
use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// A server that takes connections and never says a word; its URL.
fn silent() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("https://127.0.0.1:{port}/shop.git"))
}

/// A URL where nobody listens.
fn closed() -> String {
    silent().1
}

/// Registers `tenants` by id and URL, with a policy that gives a fetch `timeout`.
fn register(world: &World, tenants: &[(&str, &str)], timeout: &str) {
    let tenants: Vec<_> = tenants
        .iter()
        .map(|(id, url)| serde_json::json!({ "id": id, "repository": url }))
        .collect();
    let registry = serde_json::json!({ "tenants": tenants }).to_string();
    let policy = format!("sync: {{ interval: 5min, timeout: {timeout} }}\n");
    let files = [
        ("tenants/registry.json", registry.as_str()),
        (".gitops/config.yaml", policy.as_str()),
    ];
    world.commit("system", &files);
}

fn failed(world: &World, id: &str) -> Option<FetchFailure> {
    let state = TenantState::read(world.host.root(), &name(id)).unwrap();
    state.fetch_failure
}

fn timer() -> Options {
    Options {
        trigger: Trigger::Timer,
        ..Options::default()
    }
}

fn set_clock(world: &World, time: u64) {
    std::fs::write(world.host.root().join("/clock"), time.to_string()).unwrap();
}

#[test]
fn a_silent_remote_holds_up_neither_others_nor_other_passes() {
    let world = World::new(&["fast"]);
    let (_listener, url) = silent();
    register(
        &world,
        &[("slow", &url), ("fast", &world.url("fast"))],
        "6s",
    );
    let (applied, wait) = mpsc::channel();
    thread::scope(|scope| {
        let world = &world;
        let other = scope.spawn(move || {
            wait.recv().unwrap();
            world.commit("fast", &[(WEB, &container("green"))]);
            let report = world.pass(&only("fast"));
            assert_eq!(find(report, "fast").verdict, Verdict::Applied);
            Instant::now()
        });
        let mut order = Vec::new();
        let report = pass(&world.host, &Options::default(), &mut |event| {
            if let Event::Finished { report } = event {
                order.push(report.tenant.to_string());
                let _ = applied.send(());
            }
        });
        let (ended, report) = (Instant::now(), report.unwrap());
        assert_eq!(order, ["fast", "slow"]);
        assert!(other.join().unwrap() < ended, "the other pass had to wait");
        assert_eq!(find(report.clone(), "fast").verdict, Verdict::Applied);
        assert_eq!(find(report, "slow").verdict, Verdict::Failed);
    });
    let failed = failed(&world, "slow").unwrap();
    assert!(failed.error.contains("within 6 s"), "{}", failed.error);
}

#[test]
fn a_remote_that_fails_is_asked_less_and_less_often_by_the_timer() {
    let world = World::new(&["one"]);
    let url = closed();
    register(&world, &[("one", &url)], "10s");
    set_clock(&world, 1_000_000);
    world.pass(&timer());
    let first = failed(&world, "one").unwrap();
    assert_eq!((first.since, first.count), (1_000_000, 1));
    let wait = first.retry_after.unwrap() - 1_000_000;
    assert!((225..=300).contains(&wait), "{wait}");

    world.pass(&timer());
    assert_eq!(failed(&world, "one").unwrap().count, 1, "not yet");
    set_clock(&world, 1_000_300);
    world.pass(&timer());
    let second = failed(&world, "one").unwrap();
    assert_eq!((second.since, second.count), (1_000_000, 2));
    let wait = second.retry_after.unwrap() - 1_000_300;
    assert!((450..=600).contains(&wait), "{wait}");

    // A person is not made to wait, and neither is a host that has just booted, nor who says that there is something new.
    world.pass(&Options::default());
    assert_eq!(failed(&world, "one").unwrap().count, 3);
    let boot = Options {
        trigger: Trigger::Boot,
        ..Options::default()
    };
    world.pass(&boot);
    assert_eq!(failed(&world, "one").unwrap().count, 4);
    let webhook = |scope| Options {
        trigger: Trigger::Webhook { delivery: None },
        scope,
        ..Options::default()
    };
    world.pass(&webhook(Scope::One(name("one"))));
    assert_eq!(failed(&world, "one").unwrap().count, 5);
    world.pass(&webhook(Scope::All));
    let last = failed(&world, "one").unwrap();
    assert_eq!(last.count, 5, "it was about the system repository");

    register(&world, &[("one", &world.url("one"))], "10s");
    set_clock(&world, last.retry_after.unwrap());
    world.pass(&timer());
    assert_eq!(failed(&world, "one"), None);
    assert_eq!(world.generation("one"), Some(1));
}

#[test]
fn a_silent_system_repository_does_not_hold_up_the_tenants() {
    let world = World::new(&["one"]);
    register(&world, &[("one", &world.url("one"))], "6s");
    world.pass(&Options::default());
    let accepted = SystemState::read(world.host.root()).unwrap().accepted;
    assert!(accepted.is_some());
    let (_listener, url) = silent();
    init(&world.host, Some(&url), "main").unwrap();
    world.commit("one", &[(WEB, &container("green"))]);
    let start = Instant::now();
    let mut applied = None;
    let report = pass(&world.host, &timer(), &mut |event| {
        if let Event::Finished { .. } = event {
            applied = Some(start.elapsed());
        }
    });
    let report = report.unwrap();
    let (applied, ended) = (applied.unwrap(), start.elapsed());
    assert!(
        ended - applied >= Duration::from_secs(1),
        "{applied:?} of {ended:?}"
    );
    assert!(report.system.error.clone().unwrap().contains("within 6 s"));
    assert_eq!(find(report, "one").verdict, Verdict::Applied);
    let state = SystemState::read(world.host.root()).unwrap();
    assert_eq!(state.accepted, accepted);
    assert_eq!(state.fetch_failure.unwrap().count, 1);

    // It is left alone now, and a pass for a tenant never asks it unless a person wants it.
    let quick = |options: &Options| {
        let report = world.pass(options);
        assert_eq!(report.system.error, None);
        let state = SystemState::read(world.host.root()).unwrap();
        assert_eq!(state.fetch_failure.unwrap().count, 1);
    };
    quick(&timer());
    quick(&Options {
        trigger: Trigger::Path,
        ..only("one")
    });
}

#[test]
fn a_system_repository_that_answers_late_is_followed_in_the_same_pass() {
    let world = World::new(&["one", "two"]);
    world.register(&["one"]);
    world.pass(&Options::default());
    world.register(&["one", "two"]);
    // Whoever holds the mirror's lock keeps the fetch waiting for longer than the pass waits for it.
    let held = crate::reconcile::lock::mirror(world.host.root(), "system").unwrap();
    let mut held = Some(held);
    let mut seen = Vec::new();
    world.commit("one", &[(WEB, &container("green"))]);
    let report = pass(&world.host, &Options::default(), &mut |event| {
        if let Event::Finished { report } = event {
            seen.push(report.tenant.to_string());
            held = None;
        }
    });
    assert_eq!(seen, ["one", "two"]);
    assert!(report.unwrap().succeeded());
    assert_eq!(world.generation("two"), Some(1));
}

#[test]
fn a_forge_that_is_silent_is_not_asked_for_all_of_its_repositories() {
    let directory = tempfile::tempdir().unwrap();
    let host = crate::sim::SimHost::open(directory.path()).unwrap();
    let (_listener, url) = silent();
    let registration = |index: usize| Registration {
        id: name(&format!("t{index}")),
        ..bitbuilder_core::document::read_system(&tree(&url))
            .value
            .unwrap()
            .tenants[0]
            .clone()
    };
    let questions =
        (0..30).map(|index| crate::reconcile::remotes::Question::of(&registration(index), ""));
    let start = Instant::now();
    let errors: Vec<String> = thread::scope(|scope| {
        let mut remotes = Remotes::ask(scope, &host, Millis(2000), questions.collect());
        let mut answers = remotes.rest();
        let said = (0..30).map(|index| answers.take(&registration(index)).unwrap().unwrap());
        said.map(|answer| answer.unwrap_err().to_string()).collect()
    });
    let timed_out = errors
        .iter()
        .filter(|error| error.contains("within 2 s"))
        .count();
    let given_up = errors
        .iter()
        .filter(|error| error.contains("127.0.0.1 lets requests time out"));
    assert_eq!(given_up.count() + timed_out, 30, "{errors:?}");
    assert!(timed_out <= 16, "{errors:?}");
    // One after the other, or eight at once without giving up, would be far longer.
    assert!(
        start.elapsed() < Duration::from_secs(2 * 30 / 8),
        "{:?}",
        start.elapsed()
    );
}

fn tree(url: &str) -> bitbuilder_core::tree::Tree {
    use bitbuilder_core::tree::{Blob, Entry, Tree};
    let registry = serde_json::json!({ "tenants": [{ "id": "x", "repository": url }] }).to_string();
    let blob = Blob {
        size: registry.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(registry.into_bytes().into()),
    };
    let mut tree = Tree::default();
    tree.entries
        .insert("tenants/registry.json".to_owned(), Entry::File(blob));
    tree
}
