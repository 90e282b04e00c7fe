//! What the host's own units get from the system repository.

use super::{World, only};
use crate::host::Host;
use crate::reconcile::{Options, SystemState};
use crate::sim::{Call, Faults};
use base64ct::{Base64, Encoding};
use std::fs;

const POLICY: &str = ".gitops/config.yaml";

fn is_active(world: &World, unit: &str) -> bool {
    let units = world.host.units(&[unit]).unwrap();
    units.get(unit).is_some_and(|state| state.is_active())
}

fn timer(world: &World) -> Option<String> {
    let path = "/var/lib/bitbuilder/units/system/bitbuilder-sync.timer.d/50-bitbuilder.conf";
    fs::read_to_string(world.host.root().join(path)).ok()
}

fn is_linked(world: &World, name: &str) -> bool {
    let path = world.host.root().join("/run/systemd/generator").join(name);
    path.symlink_metadata().is_ok()
}

#[test]
fn the_timer_follows_the_policy_and_back() {
    let world = World::new(&["one"]);
    world.pass(&Options::default());
    assert_eq!(timer(&world), None);
    world.commit(
        "system",
        &[(POLICY, "sync: { interval: 90s, jitter: 10s }\n")],
    );
    world.pass(&Options::default());
    assert!(
        timer(&world)
            .unwrap()
            .contains("OnUnitInactiveSec=90000ms\n")
    );
    assert!(is_linked(&world, "bitbuilder-sync.timer.d"));
    // It is there after a boot, before any pass.
    world.host.reboot().unwrap();
    assert!(is_linked(&world, "bitbuilder-sync.timer.d"));
    world.commit("system", &[(POLICY, "sync: { timeout: 1min }\n")]);
    world.pass(&Options::default());
    assert_eq!(timer(&world), None);
    assert!(!is_linked(&world, "bitbuilder-sync.timer.d"));
}

#[test]
fn repositories_on_this_host_are_watched_while_they_are_registered() {
    let world = World::new(&["one", "two"]);
    world.pass(&Options::default());
    let units = ["one", "two", "system"].map(|id| format!("bitbuilder-path@{id}.path"));
    let up = |world: &World| {
        units
            .iter()
            .map(|unit| is_active(world, unit))
            .collect::<Vec<_>>()
    };
    assert_eq!(up(&world), [true, true, true]);
    assert!(is_active(&world, "bitbuilder-requests.path"));
    let dropin = "/var/lib/bitbuilder/units/system/bitbuilder-path@one.path.d/50-bitbuilder.conf";
    let dropin = fs::read_to_string(world.host.root().join(dropin)).unwrap();
    let refs = world.repository("one").join(".git/refs/heads");
    assert!(
        dropin.contains(&format!("PathChanged={}\n", refs.display())),
        "{dropin}"
    );

    world.register(&["two"]);
    world.pass(&only("two"));
    assert_eq!(up(&world), [false, true, true]);
    world.host.reboot().unwrap();
    assert_eq!(up(&world), [false, true, true]);
}

#[test]
fn deliveries_are_received_where_the_policy_says() {
    let world = World::new(&["one", "two"]);
    let secret = |content: &str| Base64::encode_string(format!("{content:<60}").as_bytes());
    let broken = format!("{}AB", "QUJD".repeat(32));
    let policy = "webhooks: { port: 8088, secret: { encrypted: access/all } }\n";
    world.commit(
        "system",
        &[
            (POLICY, policy),
            ("access/all", &secret("of all")),
            ("access/forge", &secret("of one")),
            ("access/broken", &broken),
            ("access/else/forge", &secret("of two")),
        ],
    );
    let register = |of_two: &str| {
        let webhook = |file: &str| serde_json::json!({ "webhook": { "encrypted": file } });
        world.register_with(&[("one", webhook("access/forge")), ("two", webhook(of_two))]);
        world.pass(&Options::default())
    };
    let list = || {
        let path = "/var/lib/bitbuilder/units/webhooks";
        fs::read_to_string(world.host.root().join(path)).ok()
    };
    let loaded = || {
        let path = "/var/lib/bitbuilder/units/credentials";
        let entries = fs::read_dir(world.host.root().join(path));
        let names = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    // One that does not open is said at each pass, and the others are in force.
    for (of_two, reason) in [
        ("access/broken", "--name=broken"),
        ("access/else/forge", "another one is called `forge`"),
    ] {
        for _ in 0..2 {
            let error = register(of_two).system.error.unwrap();
            assert!(
                error.contains("secret of two") && error.contains(reason),
                "{error}"
            );
        }
        assert_eq!(list().as_deref(), Some("*\tall\none\tforge\n"));
        assert_eq!(loaded(), ["all", "forge"]);
    }
    assert!(is_active(&world, "bitbuilder-webhook.socket"));
    assert_eq!(register("access/all").system.error, None);
    assert_eq!(list().as_deref(), Some("*\tall\none\tforge\ntwo\tall\n"));
    world.host.reboot().unwrap();
    assert!(is_active(&world, "bitbuilder-webhook.socket"));
    assert!(is_linked(&world, "bitbuilder-webhook@.service.d"));

    world.commit("system", &[(POLICY, "{}\n")]);
    world.pass(&Options::default());
    assert!(!is_active(&world, "bitbuilder-webhook.socket"));
    assert!(!is_linked(&world, "bitbuilder-webhook.socket.d"));
    assert_eq!((list(), loaded().len()), (None, 0));
}

#[test]
fn what_was_interrupted_is_done_again() {
    // The first reload is that of the tenants.
    for (fault, nth) in [(Call::DaemonReload, 2), (Call::Start, 1)] {
        let mut world = World::new(&[]);
        world.host = world.host.with_faults(Faults::none().nth(fault, nth));
        let report = world.pass(&Options::default());
        assert!(report.system.error.is_some(), "{fault:?}");
        assert_eq!(SystemState::read(world.host.root()).unwrap().units, None);
        world.host = world.host.with_faults(Faults::none());
        assert!(world.pass(&Options::default()).succeeded());
        assert!(is_active(&world, "bitbuilder-path@system.path"));
        assert!(
            SystemState::read(world.host.root())
                .unwrap()
                .units
                .is_some()
        );
    }
}
