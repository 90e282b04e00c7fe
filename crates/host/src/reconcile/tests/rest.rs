//! A pass that finds everything at rest, and all that must not be taken for rest.

use super::{WEB, World, container, find, git, name, only, silent};
use crate::host::Host;
use crate::reconcile::{Options, TenantReport, Verdict, resume, rollback, suspend};
use crate::sim::{Call, Faults};
use std::fs;
use std::path::PathBuf;

const TWO: [&str; 2] = ["one", "two"];

fn file(world: &World) -> PathBuf {
    world.host.root().runtime().join("rest.json")
}

/// A host on which both tenants are deployed and at rest.
fn at_rest() -> World {
    let world = World::new(&TWO);
    // The pass after a deployment looks at all of it once.
    for _ in 0..2 {
        world.sync("one");
    }
    let text = fs::read_to_string(file(&world)).unwrap();
    assert!(
        TWO.iter()
            .all(|id| text.contains(&world.repository(id).display().to_string()))
    );
    world
}

fn sync(world: &World) -> [TenantReport; 2] {
    let report = world.pass(&Options::default());
    assert_eq!(report.tenants.len(), TWO.len());
    TWO.map(|id| find(report.clone(), id))
}

#[test]
fn rest_is_seen_without_reading_a_tenant() {
    let world = at_rest();
    let [before, _] = sync(&world);
    assert_eq!(before.verdict, Verdict::Unchanged);
    // Nothing of what the file stands for is opened: it could not be read.
    let state = world.host.root().tenant_state(&name("one"));
    fs::write(&state, "damaged").unwrap();
    let [one, two] = sync(&world);
    assert_eq!([&one.error, &two.error], [&None, &None]);
    assert_eq!((one.commit, one.generation), (before.commit, Some(1)));
    // Without it, everything is.
    fs::remove_file(file(&world)).unwrap();
    assert_eq!(sync(&world)[0].verdict, Verdict::Failed);
}

#[test]
fn a_commit_moves_only_its_tenant() {
    let world = at_rest();
    let commit = world.commit("two", &[(WEB, &container("green"))]);
    let [one, two] = sync(&world);
    assert_eq!(one.verdict, Verdict::Unchanged);
    assert_eq!((two.verdict, two.commit), (Verdict::Applied, Some(commit)));
    assert_eq!(sync(&world)[1].verdict, Verdict::Unchanged);
    assert_eq!(world.generation("two"), Some(2));
}

#[test]
fn a_rewind_is_no_rest() {
    let world = at_rest();
    git(
        &world.repository("one"),
        &["commit", "-q", "--amend", "-m", "another"],
    );
    for _ in 0..2 {
        let [one, two] = sync(&world);
        assert_eq!(
            [one.verdict, two.verdict],
            [Verdict::Refused, Verdict::Unchanged]
        );
    }
}

#[test]
fn a_unit_that_is_down_is_no_rest() {
    let world = at_rest();
    let before = world.invocation("one-web");
    let unit = "systemd-nspawn@one-web.service".to_owned();
    world.host.stop(&[unit]).unwrap();
    let [one, two] = sync(&world);
    assert!(one.error.unwrap().contains("is stopped"));
    assert_eq!(two.error, None);
    let repair = Options {
        repair: true,
        ..only("one")
    };
    world.pass(&repair);
    let after = world.invocation("one-web");
    assert!(!after.is_empty() && after != before);
}

#[test]
fn a_file_that_was_edited_is_no_rest() {
    let world = at_rest();
    let root = world.host.root();
    let boot = root.current(&name("one")).join("boot");
    let text = fs::read_to_string(&boot).unwrap();
    fs::write(&boot, format!("{text}#")).unwrap();
    let [one, two] = sync(&world);
    assert!(one.error.unwrap().contains("was changed"));
    assert_eq!(two.error, None);
}

#[test]
fn a_commit_of_the_system_repository_is_no_rest() {
    let world = at_rest();
    world.register(&["one"]);
    let report = world.pass(&Options::default());
    assert_eq!(find(report, "two").verdict, Verdict::Removed);
    world.register(&TWO);
    assert_eq!(sync(&world)[1].verdict, Verdict::Applied);
}

#[test]
fn what_an_operator_does_ends_the_rest() {
    let world = at_rest();
    let id = name("one");
    suspend(&world.host, &id, "because").unwrap();
    assert!(!file(&world).exists());
    assert_eq!(sync(&world)[0].verdict, Verdict::Suspended);
    resume(&world.host, &id).unwrap();
    world.commit("one", &[(WEB, &container("green"))]);
    sync(&world);
    rollback(&world.host, &id, None, &mut silent).unwrap();
    assert!(!file(&world).exists());
    sync(&world);
    assert_eq!(world.generation("one"), Some(1), "its commit stays out");
}

#[test]
fn a_template_that_changes_is_no_rest() {
    let world = at_rest();
    let template = world.host.root().templates().join("tenant-container");
    fs::rename(&template, template.with_file_name("other")).unwrap();
    let [one, _] = sync(&world);
    assert_eq!(one.verdict, Verdict::Refused, "its image is gone");
}

#[test]
fn a_pass_for_one_leaves_the_others_at_rest() {
    let world = at_rest();
    world.commit("one", &[(WEB, &container("green"))]);
    world.pass(&only("one"));
    fs::write(world.host.root().tenant_state(&name("two")), "damaged").unwrap();
    let [one, two] = sync(&world);
    assert_eq!([one.verdict, two.verdict], [Verdict::Unchanged; 2]);
    assert_eq!(one.generation, Some(2));
}

#[test]
fn a_plan_leaves_it_as_it_is() {
    let world = at_rest();
    let before = fs::read(file(&world)).unwrap();
    world.commit("one", &[(WEB, &container("green"))]);
    let plan = Options {
        plan_only: true,
        ..Options::default()
    };
    assert_eq!(find(world.pass(&plan), "one").verdict, Verdict::Planned);
    assert_eq!(fs::read(file(&world)).unwrap(), before);
    assert_eq!(sync(&world)[0].verdict, Verdict::Applied);
}

#[test]
fn a_pass_that_fails_leaves_no_rest_for_its_tenant() {
    let mut world = at_rest();
    world.commit("one", &[(WEB, &container("green"))]);
    world.host = world
        .host
        .with_faults(Faults::none().nth(Call::DaemonReload, 1));
    assert_eq!(sync(&world)[0].verdict, Verdict::Failed);
    assert!(!sync(&world)[0].verdict.is_bad());
    assert_eq!(world.generation("one"), Some(2));
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let world = at_rest();
    for text in ["", "{", "{\"format\":2}", "[]"] {
        fs::write(file(&world), text).unwrap();
        assert_eq!(
            sync(&world).map(|tenant| tenant.verdict),
            [Verdict::Unchanged; 2]
        );
    }
}

#[test]
fn nothing_is_at_rest_after_a_boot() {
    let world = at_rest();
    world.host.reboot().unwrap();
    assert!(!file(&world).exists());
    assert_eq!(
        sync(&world).map(|tenant| tenant.verdict),
        [Verdict::Unchanged; 2]
    );
}
