//! What a pass does not accept, and what then goes on.

use super::{WEB, World, container, find, git, name, only};
use crate::host::Host;
use crate::reconcile::{Options, PassError, SystemState, TenantState, Verdict, pass};
use crate::sim::{Call, Faults, SimHost};

#[test]
fn a_commit_with_errors_is_refused_once_and_the_old_generation_goes_on() {
    let world = World::new(&["one", "two"]);
    world.pass(&Options::default());
    let before = world.invocation("one-web");
    let commit = world.commit("one", &[(WEB, "image: { template: no-such }\n")]);
    world.commit("two", &[(WEB, &container("green"))]);

    let report = world.pass(&Options::default());
    assert!(!report.succeeded());
    let (one, two) = (find(report.clone(), "one"), find(report, "two"));
    assert_eq!(one.verdict, Verdict::Refused, "{one:?}");
    assert!(
        one.findings
            .iter()
            .any(|finding| finding.origin.file == WEB)
    );
    assert!(one.sources.contains_key(WEB));
    assert_eq!(
        two.verdict,
        Verdict::Applied,
        "one tenant's mistake is not another's"
    );
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(world.invocation("one-web"), before);

    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    let refused = state.refused.unwrap();
    assert_eq!(refused.commit, commit);
    let again = world.sync("one");
    assert_eq!(again.verdict, Verdict::Refused);
    assert_eq!(again.findings, one.findings);
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.refused.unwrap().since, refused.since);

    world.commit("one", &[(WEB, &container("green"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.refused, None);
}

#[test]
fn a_rewind_is_refused_until_it_is_allowed() {
    let world = World::new(&["one"]);
    world.commit("one", &[(WEB, &container("green"))]);
    world.sync("one");
    let repository = world.repository("one");
    git(&repository, &["reset", "-q", "--hard", "HEAD~1"]);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Refused, "{report:?}");
    assert!(report.error.unwrap().contains("--allow-rewind"));
    assert_eq!(world.generation("one"), Some(1));

    // The mark survives the loss of the mirror.
    std::fs::remove_dir_all(world.host.root().mirror(&name("one"))).unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Refused);

    let options = Options {
        allow_rewind: true,
        ..only("one")
    };
    let report = find(world.pass(&options), "one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn a_remote_that_is_gone_delays_nobody_and_what_runs_goes_on() {
    let world = World::new(&["one", "two"]);
    world.pass(&Options::default());
    std::fs::remove_dir_all(world.repository("one")).unwrap();
    world.commit("two", &[(WEB, &container("green"))]);
    let report = world.pass(&Options::default());
    let (one, two) = (find(report.clone(), "one"), find(report, "two"));
    assert_eq!(one.verdict, Verdict::Unchanged, "{one:?}");
    assert!(one.error.unwrap().contains("cannot be fetched"));
    assert_eq!(two.verdict, Verdict::Applied);
    world.pass(&Options::default());
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.fetch_failure.unwrap().count, 2);
}

#[test]
fn a_system_repository_with_errors_leaves_the_one_in_force() {
    let world = World::new(&["one"]);
    world.sync("one");
    let good = SystemState::read(world.host.root()).unwrap().accepted;
    let bad = world.commit(
        "system",
        &[("tenants/registry.json", "{ \"tenants\": [ {} ] }")],
    );
    let report = world.pass(&Options::default());
    assert!(!report.succeeded());
    assert_eq!(report.system.commit, good);
    assert_eq!(report.system.refused, Some(bad));
    assert!(!report.system.findings.is_empty());
    assert_eq!(find(report, "one").verdict, Verdict::Unchanged);
    world.register(&["one"]);
    let report = world.pass(&Options::default());
    assert!(report.succeeded(), "{report:?}");
    assert_eq!(SystemState::read(world.host.root()).unwrap().refused, None);
}

#[test]
fn a_tenant_that_is_not_registered_is_unknown() {
    let world = World::new(&["one"]);
    let error = pass(&world.host, &only("nobody"), &mut super::silent).unwrap_err();
    assert!(matches!(error, PassError::UnknownTenant { .. }));
    let text = error.to_string();
    assert!(
        text.contains("nobody is not in the registry") && text.contains("one"),
        "{text}"
    );
}

#[test]
fn a_host_without_a_system_repository_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let host = SimHost::open(directory.path()).unwrap();
    let error = pass(&host, &Options::default(), &mut super::silent).unwrap_err();
    assert!(error.to_string().contains("bbctl host init"));
}

#[test]
fn a_start_that_fails_is_said_and_tried_again() {
    let mut world = World::new(&["one"]);
    // The first start is that of `tenant@`.
    world.host = world.host.with_faults(Faults::none().nth(Call::Start, 1));
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    assert_eq!(report.generation, Some(1));
    world.host = world.host.with_faults(Faults::none());
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert!(!world.invocation("one-web").is_empty());
    assert_eq!(world.generation("one"), Some(1));
    assert!(!world.host.root().journal(&name("one")).exists());
}

#[test]
fn a_network_that_cannot_be_loaded_keeps_its_journal_until_it_can() {
    let mut world = World::new(&["one"]);
    world.sync("one");
    // Another subnet: the network has to be loaded anew.
    let topology = "networks: { default: { mode: isolated-bridge, nat: true } }\n";
    let commit = world.commit("one", &[("network/topology.yaml", topology)]);
    let journal = world.host.root().journal(&name("one"));
    for _ in 0..2 {
        world.host = world
            .host
            .with_faults(Faults::none().nth(Call::ApplyRuleset, 1));
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
        assert!(journal.exists());
    }
    world.host = world.host.with_faults(Faults::none());
    let report = world.sync("one");
    assert!(!report.verdict.is_bad(), "{report:?}");
    assert!(!journal.exists());
    let state = TenantState::read(world.host.root(), &name("one")).unwrap();
    assert_eq!(state.deployed, Some(commit));
}
