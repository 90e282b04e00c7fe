//! Roll back, suspend, resume, preview.

use super::{WEB, World, container, name, silent};
use crate::events;
use crate::host::Host;
use crate::reconcile::{
    HistoryEvent, Options, PassError, Verdict, preview_system, preview_tenant, resume, rollback,
    suspend,
};
use crate::source::{TreeLimits, read_directory};

fn two_generations() -> World {
    let world = World::new(&["one"]);
    world.sync("one");
    world.commit("one", &[(WEB, &container("green"))]);
    world.sync("one");
    assert_eq!(world.generation("one"), Some(2));
    world
}

#[test]
fn a_rolled_back_commit_stays_out_until_another_one_arrives() {
    let world = two_generations();
    let report = rollback(&world.host, &name("one"), None, &mut silent).unwrap();
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(1));
    let before = world.invocation("one-web");
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(world.invocation("one-web"), before);

    world.commit("one", &[(WEB, &container("blue"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    assert_eq!(
        world.generation("one"),
        Some(3),
        "numbers are not used again"
    );
}

#[test]
fn a_retry_brings_a_quarantined_commit_back() {
    let world = two_generations();
    rollback(&world.host, &name("one"), Some(1), &mut silent).unwrap();
    let options = Options {
        retry: true,
        ..Options::default()
    };
    let report = super::find(world.pass(&options), "one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(world.generation("one"), Some(3));
}

#[test]
fn there_is_no_way_back_to_what_is_not_there_or_damaged() {
    let world = two_generations();
    let id = name("one");
    for to in [2, 7] {
        let error = rollback(&world.host, &id, Some(to), &mut silent).unwrap_err();
        assert!(matches!(error, PassError::Generation { .. }), "{error}");
    }
    let file = world.host.root().generation(&id, 1).join("boot");
    std::fs::write(file, "tampered\n").unwrap();
    let error = rollback(&world.host, &id, None, &mut silent).unwrap_err();
    assert!(error.to_string().contains("damaged"), "{error}");
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn passes_leave_a_suspended_tenant_alone() {
    let world = World::new(&["one"]);
    world.sync("one");
    suspend(&world.host, &name("one"), "maintenance").unwrap();
    world.commit("one", &[(WEB, &container("green"))]);
    assert_eq!(world.sync("one").verdict, Verdict::Suspended);
    assert_eq!(world.generation("one"), Some(1));
    resume(&world.host, &name("one")).unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Applied);
    let events = events::read(world.host.root()).unwrap();
    let kinds: Vec<&str> = events
        .iter()
        .map(|record| match record.event {
            HistoryEvent::Deployed { .. } => "deployed",
            HistoryEvent::Suspended { .. } => "suspended",
            HistoryEvent::Resumed => "resumed",
            _ => "other",
        })
        .collect();
    assert_eq!(kinds, ["deployed", "suspended", "resumed", "deployed"]);
}

#[test]
fn a_preview_says_what_a_pass_would_do() {
    let world = World::new(&["one"]);
    world.sync("one");
    let repository = world.repository("one");
    std::fs::write(repository.join(WEB), container("green")).unwrap();
    let limits = TreeLimits::default();
    let reading = read_directory(&repository, &limits).unwrap();
    let preview = preview_tenant(&world.host, &name("one"), reading, "local").unwrap();
    let plans: Vec<_> = preview.plans().collect();
    assert_eq!(plans.len(), 1, "{preview:?}");
    assert!(plans[0].changes.iter().any(|change| change.diff.is_some()));
    assert_eq!(world.generation("one"), Some(1));

    world.register(&[]);
    let reading = read_directory(&world.repository("system"), &limits).unwrap();
    let preview = preview_system(&world.host, reading, "local").unwrap();
    let plans: Vec<_> = preview.plans().collect();
    assert_eq!(plans.len(), 1, "{preview:?}");
    assert_eq!(plans[0].to, None);
}
