//! The high-water mark: what was deployed is only followed by what descends from it, whatever gets lost meanwhile.

use super::{WEB, World, container, find, git, name, only};
use crate::host::Host;
use crate::reconcile::{
    Options, SystemState, TenantReport, TenantState, Verdict, accepted_system, rollback,
};
use serde_json::json;
use std::fs;

/// The branch gets a history that has nothing of the old one.
fn rewrite(world: &World, id: &str) -> String {
    let repository = world.repository(id);
    git(&repository, &["checkout", "-q", "--orphan", "other"]);
    // Another message: within one second the commit would be equal otherwise.
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "another history"]);
    let commit = git(&repository, &["rev-parse", "HEAD"]).trim().to_owned();
    git(&repository, &["branch", "-q", "-M", "other", "main"]);
    git(&repository, &["reflog", "expire", "--expire=now", "--all"]);
    git(&repository, &["gc", "-q", "--prune=now"]);
    commit
}

fn deployed(world: &World, id: &str) -> Option<String> {
    let state = TenantState::read(world.host.root(), &name(id)).unwrap();
    state.deployed
}

fn rewound(id: &str) -> Options {
    Options {
        allow_rewind: true,
        ..only(id)
    }
}

#[track_caller]
fn assert_rewind(report: &TenantReport, mark: &str) {
    assert_eq!(report.verdict, Verdict::Refused, "{report:?}");
    let error = report.error.as_deref().unwrap_or_default();
    assert!(error.contains(&mark[..12]), "{error}");
    assert!(error.contains("--allow-rewind"), "{error}");
}

#[test]
fn a_wiped_mirror_and_a_rewritten_remote_are_a_rewind() {
    let world = World::new(&["one"]);
    world.sync("one");
    let mark = deployed(&world, "one").unwrap();
    let new = rewrite(&world, "one");
    fs::remove_dir_all(world.host.root().mirror(&name("one"))).unwrap();
    for _ in 0..2 {
        assert_rewind(&world.sync("one"), &mark);
        assert_eq!(world.generation("one"), Some(1));
    }
    let refused = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(refused.refused.unwrap().commit, new);

    let report = find(world.pass(&rewound("one")), "one");
    assert!(!report.verdict.is_bad(), "{report:?}");
    assert_eq!(deployed(&world, "one"), Some(new));
}

#[test]
fn a_lost_state_is_known_from_the_generations() {
    let world = World::new(&["one"]);
    world.sync("one");
    let mark = world.commit("one", &[(WEB, &container("green"))]);
    world.sync("one");
    rollback(&world.host, &name("one"), None, &mut super::silent).unwrap();
    fs::remove_file(world.host.root().tenant_state(&name("one"))).unwrap();

    // The commit that was left stays out, and a rewind is one.
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
    assert_eq!(world.generation("one"), Some(1));
    git(
        &world.repository("one"),
        &["reset", "-q", "--hard", "HEAD~1"],
    );
    assert_rewind(&world.sync("one"), &mark);

    git(&world.repository("one"), &["reset", "-q", "--hard", &mark]);
    world.commit("one", &[(WEB, &container("blue"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(world.generation("one"), Some(3), "no number is used twice");
}

#[test]
fn everything_lost_but_the_generations_is_a_rewind_still() {
    let world = World::new(&["one"]);
    world.sync("one");
    let mark = deployed(&world, "one").unwrap();
    rewrite(&world, "one");
    fs::remove_file(world.host.root().tenant_state(&name("one"))).unwrap();
    fs::remove_dir_all(world.host.root().mirror(&name("one"))).unwrap();
    assert_rewind(&world.sync("one"), &mark);
}

/// Registers tenant `one` to follow `reference`.
fn follow(world: &World, reference: &str) {
    world.register_with(&[("one", json!({ "ref": reference }))]);
}

#[test]
fn a_tag_moves_forward_and_never_back() {
    for annotated in [true, false] {
        let world = World::new(&["one"]);
        let repository = world.repository("one");
        let tag = |commit: &str| {
            let message: &[&str] = if annotated {
                &["-a", "-m", "live"]
            } else {
                &[]
            };
            let all = [&["tag", "-f"], message, &["live", commit]].concat();
            git(&repository, &all);
        };
        tag("HEAD");
        follow(&world, "live");
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
        let first = report.commit.unwrap();

        // A branch that goes on alone changes nothing.
        let second = world.commit("one", &[(WEB, &container("green"))]);
        assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
        tag("HEAD");
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Applied);
        assert_eq!(report.commit.as_ref(), Some(&second));

        tag(&first);
        assert_rewind(&world.sync("one"), &second);
        tag(&second);
        assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
        assert_eq!(world.generation("one"), Some(2));
    }
}

#[test]
fn a_commit_that_is_named_moves_with_the_registry_and_never_back() {
    let world = World::new(&["one"]);
    let first = git(&world.repository("one"), &["rev-parse", "HEAD"]);
    let first = first.trim();
    let second = world.commit("one", &[(WEB, &container("green"))]);
    follow(&world, first);
    assert_eq!(world.sync("one").commit.as_deref(), Some(first));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);

    follow(&world, &second);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(report.commit.as_ref(), Some(&second));

    follow(&world, first);
    assert_rewind(&world.sync("one"), &second);
    assert_eq!(world.generation("one"), Some(2));
    let report = find(world.pass(&rewound("one")), "one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
}

/// A host whose system repository was rewritten to have no tenant.
fn rewritten_system(wipe: bool) -> (World, String, String) {
    let world = World::new(&["one"]);
    world.sync("one");
    let mark = accepted_system(&world.host).unwrap().commit;
    fs::write(
        world.repository("system").join("tenants/registry.json"),
        "{ \"tenants\": [] }",
    )
    .unwrap();
    let new = rewrite(&world, "system");
    if wipe {
        fs::remove_dir_all(world.host.root().system_mirror()).unwrap();
    }
    (world, mark, new)
}

#[test]
fn a_rewritten_system_repository_is_refused_until_it_is_allowed() {
    for wipe in [false, true] {
        let (world, mark, new) = rewritten_system(wipe);
        world.commit("one", &[(WEB, &container("green"))]);
        let report = world.pass(&Options::default());
        assert!(!report.succeeded());
        assert_eq!(report.system.commit.as_ref(), Some(&mark));
        assert_eq!(report.system.refused.as_ref(), Some(&new));
        assert!(
            report
                .system
                .error
                .as_ref()
                .unwrap()
                .contains("--allow-rewind")
        );
        // What is in force goes on to be served.
        assert_eq!(find(report, "one").verdict, Verdict::Applied);
        let state = SystemState::read(world.host.root()).unwrap();
        assert_eq!(state.refused.unwrap().commit, new);
        assert_eq!(accepted_system(&world.host).unwrap().commit, mark);

        // One tenant's rewind is not the system's.
        let report = world.pass(&rewound("one"));
        assert_eq!(report.system.commit.as_ref(), Some(&mark));

        let options = Options {
            allow_rewind: true,
            ..Options::default()
        };
        let report = world.pass(&options);
        assert!(report.succeeded(), "{report:?}");
        assert_eq!(find(report, "one").verdict, Verdict::Removed);
        assert_eq!(accepted_system(&world.host).unwrap().commit, new);
    }
}

#[test]
fn a_lost_state_of_the_system_is_known_from_the_registry_in_force() {
    let (world, mark, new) = rewritten_system(true);
    fs::remove_file(world.host.root().state().join("system.json")).unwrap();
    let report = world.pass(&Options::default());
    assert_eq!(report.system.commit, Some(mark));
    assert_eq!(report.system.refused, Some(new));
}
