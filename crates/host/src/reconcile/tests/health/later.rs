//! After the window: what worked does not any more.

use super::*;
use crate::observe::health::{CheckResult, digest_of, write_result};
use crate::reconcile::Options;

/// What the next check of `web` says.
fn check(world: &World, healthy: bool) {
    let manifest = generations::read_current(world.host.root(), &name("one")).unwrap();
    let result = CheckResult {
        format: 1,
        invocation: world.invocation("one-web"),
        check: digest_of(&manifest.unwrap(), &name("web")).unwrap(),
        healthy: Some(healthy),
        failures: u64::from(!healthy),
        since: 1,
        checked: 1,
        begun: None,
        message: "said so".to_owned(),
    };
    write_result(world.host.root(), &name("one"), &name("web"), &result).unwrap();
}

#[test]
fn what_fails_later_is_told_once_and_stays() {
    let world = good(&checked("red"));
    push(&world, &checked("green"));
    check(&world, false);
    for _ in 0..3 {
        look(&world);
        world.sync("one");
    }
    let expected = [
        "deployed 1",
        "healthy 1",
        "deployed 2",
        "healthy 2",
        "degraded 2",
    ];
    assert_eq!(told(&world), expected);
    assert_eq!(world.generation("one"), Some(2));
    assert!(!status(&world).degraded.unwrap().left);
    check(&world, true);
    look(&world);
    assert_eq!(told(&world).last().unwrap(), "healthy 2");
    assert_eq!(state(&world).degraded, None);
}

#[test]
fn a_pass_notices_what_failed() {
    let world = good(&plain("red"));
    let world = with_faults(world, Faults::none().start(UNIT));
    // A pass that repairs starts it again, which fails, and leaves it so.
    world.host.stop(&[UNIT.to_owned()]).unwrap();
    world.pass(&Options {
        repair: true,
        ..Options::default()
    });
    world.sync("one");
    assert!(
        told(&world).contains(&"degraded 1".to_owned()),
        "{:?}",
        told(&world)
    );
    let world = with_faults(world, Faults::none());
    world.host.start(&[UNIT.to_owned()]).unwrap();
    world.sync("one");
    assert_eq!(told(&world).last().unwrap(), "healthy 1");
}

#[test]
fn where_the_policy_says_so_it_is_rolled_back() {
    let world = good(&checked("red"));
    set(&world, "window: 60s, tries: 1, degraded: rollback");
    push(&world, &checked("green"));
    assert_eq!(state(&world).good, [1, 2]);
    check(&world, false);
    let report = look(&world).unwrap();
    assert_eq!(report.verdict, Verdict::RolledBack, "{report:?}");
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(state(&world).good, [1]);
    // There is nothing before it.
    check(&world, false);
    look(&world);
    assert_eq!(world.generation("one"), Some(1));
    assert_eq!(told(&world).last().unwrap(), "degraded 1");
}
