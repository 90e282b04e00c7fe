//! What a deployment leaves running.

use super::scene::{Shop, World, deploy, name, remove};
use crate::apply::Outcome;
use crate::generations;
use crate::host::{Host, UnitState};
use crate::observe::health::read_result;
use crate::sim::SimHost;
use std::collections::BTreeMap;

const WEB: &str = "systemd-nspawn@shop-web.service";
const DB: &str = "systemd-nspawn@shop-db.service";

fn units(host: &SimHost) -> BTreeMap<String, UnitState> {
    host.units(&["*"])
        .unwrap()
        .into_iter()
        .filter(|(_, unit)| unit.active != "inactive")
        .collect()
}

fn deployed(env: &'static str) -> World {
    let world = World::new();
    let shop = Shop {
        env,
        ..Shop::new("shop", 1)
    };
    let outcomes = deploy(&world.host(), &["shop"], &[&shop.compile(1)]);
    assert_succeeded(&outcomes["shop"]);
    world
}

pub(super) fn assert_succeeded(outcome: &Outcome) {
    assert!(outcome.succeeded(), "{outcome:#?}");
}

#[test]
fn the_first_deployment_brings_everything_up() {
    let world = deployed("A=1");
    let host = world.host();
    let names: Vec<_> = units(&host)
        .into_iter()
        .map(|(name, unit)| format!("{name} {} {}", unit.active, unit.sub))
        .collect();
    insta::assert_snapshot!(names.join("\n"));
    assert_eq!(
        host.links().unwrap().into_iter().collect::<Vec<_>>(),
        ["br-shop-0"]
    );
    let parts: Vec<_> = host.rules().unwrap().into_keys().collect();
    assert_eq!(parts, ["bridge ", "bridge shop", "inet ", "inet shop"]);
    assert_eq!(
        generations::verify(host.root(), &name("shop"), 1).unwrap(),
        []
    );
    // It was given away before it got its name.
    let layer = format!(".{}.tmp", "aaaa".repeat(10));
    let layer = host.root().layers(&name("shop")).join(layer);
    assert_eq!(
        host.owner(&layer.join("index.html")).unwrap(),
        Some(0x1001_0000)
    );
    let health = read_result(host.root(), &name("shop"), &name("web"))
        .unwrap()
        .unwrap();
    assert_eq!(health.healthy, Some(true));
    assert_eq!(health.invocation, units(&host)[WEB].invocation);
}

#[test]
fn a_changed_environment_restarts_one_unit_only() {
    let world = deployed("A=1");
    let host = world.host();
    let before = units(&host);
    let shop = Shop {
        env: "A=2",
        ..Shop::new("shop", 1)
    };
    assert_succeeded(&deploy(&host, &["shop"], &[&shop.compile(2)])["shop"]);
    let after = units(&host);
    let restarted: Vec<_> = before
        .iter()
        .filter(|(name, unit)| after[*name].invocation != unit.invocation)
        .map(|(name, _)| name.as_str())
        .collect();
    // Its timer comes and goes with it.
    assert_eq!(restarted, [WEB, "tenant-health@shop-web.timer"]);
    assert_eq!(before.len(), after.len());
}

#[test]
fn a_live_change_restarts_nothing() {
    let world = deployed("A=1");
    let host = world.host();
    let before = units(&host);
    let shop = Shop {
        env: "A=1",
        memory: 512,
        back: true,
        ..Shop::new("shop", 1)
    };
    assert_succeeded(&deploy(&host, &["shop"], &[&shop.compile(2)])["shop"]);
    assert_eq!(units(&host), before);
    assert!(host.links().unwrap().contains("br-shop-1"));
    // And back: the second network goes away.
    assert_succeeded(
        &deploy(
            &host,
            &["shop"],
            &[&Shop {
                env: "A=1",
                ..Shop::new("shop", 1)
            }
            .compile(3)],
        )["shop"],
    );
    assert!(!host.links().unwrap().contains("br-shop-1"));
    assert_eq!(units(&host), before);
}

#[test]
fn the_same_again_is_unchanged() {
    let world = deployed("A=1");
    let host = world.host();
    let shop = Shop {
        env: "A=1",
        ..Shop::new("shop", 1)
    };
    assert_eq!(deploy(&host, &["shop"], &[&shop.compile(1)]).len(), 0);
    // What stopped by itself starts again, and nothing else happens.
    let before = units(&host);
    host.stop(&[WEB.to_owned()]).unwrap();
    let outcomes = deploy(&host, &["shop"], &[&shop.compile(1)]);
    assert_succeeded(&outcomes["shop"]);
    assert_eq!(outcomes["shop"].steps.len(), 1);
    let after = units(&host);
    assert_eq!(after[DB], before[DB]);
    assert_ne!(after[WEB].invocation, before[WEB].invocation);
}

#[test]
fn a_removal_leaves_nothing_but_data() {
    let world = deployed("A=1");
    let host = world.host();
    assert_succeeded(&remove(&host, &[], "shop")["shop"]);
    assert_eq!(units(&host), BTreeMap::new());
    assert!(host.links().unwrap().is_empty());
    let parts: Vec<_> = host.rules().unwrap().into_keys().collect();
    assert!(parts.is_empty(), "{parts:?}");
    assert!(!host.root().current(&name("shop")).exists());
    assert!(host.root().generation(&name("shop"), 1).exists());
    assert_eq!(std::fs::read_dir(host.root().network()).unwrap().count(), 0);
}

#[test]
fn a_reboot_brings_the_current_generation_back() {
    let world = deployed("A=1");
    let host = world.host();
    let view = |host: &SimHost| {
        let names: Vec<_> = units(host)
            .into_keys()
            .filter(|n| n != "multi-user.target")
            .collect();
        (names, host.links().unwrap(), host.rules().unwrap())
    };
    let before = view(&host);
    host.reboot().unwrap();
    assert_eq!(view(&host), before);
}

#[test]
fn two_processes_see_one_machine() {
    let world = deployed("A=1");
    let (one, other) = (world.host(), world.host());
    one.stop(&[WEB.to_owned()]).unwrap();
    assert!(!units(&other).contains_key(WEB));
    other.start(&[WEB.to_owned()]).unwrap();
    assert!(units(&one)[WEB].is_active());
    assert!(one.now() < other.now());
}

#[test]
fn a_workload_that_is_not_healthy_keeps_those_that_wait_for_it() {
    let world = World::new();
    let host = world.host();
    let mut target = Shop::new("shop", 1).compile(1);
    let dropin = format!("system/{DB}.d/50-bitbuilder.conf");
    let file = target.artefacts.files.get_mut(&dropin).unwrap();
    let text = String::from_utf8(file.content.clone()).unwrap();
    file.content = text
        .replace("--boot", "--setenv=BITBUILDER_SIM_UNHEALTHY=1 --boot")
        .into_bytes();
    target.manifest.files.get_mut(&dropin).unwrap().sha256 =
        bitbuilder_core::digest::sha256(&file.content);
    let outcome = deploy(&host, &["shop"], &[&target]).remove("shop").unwrap();
    let error = outcome.error().unwrap();
    assert!(error.contains("shop/db did not become healthy"), "{error}");
    let result = read_result(host.root(), &name("shop"), &name("db"))
        .unwrap()
        .unwrap();
    assert_eq!(result.healthy, Some(false));
    assert!(units(&host)[DB].is_active());
    assert_eq!(units(&host)[WEB].sub, "auto-restart");
}

#[test]
fn a_new_workload_is_known_to_those_that_run() {
    let world = deployed("A=1");
    let host = world.host();
    let before = units(&host);
    let shop = Shop {
        env: "A=1",
        job: true,
        ..Shop::new("shop", 1)
    };
    assert_succeeded(&deploy(&host, &["shop"], &[&shop.compile(2)])["shop"]);
    let after = units(&host);
    assert!(after["systemd-nspawn@shop-job.service"].is_active());
    assert_eq!((&after[WEB], &after[DB]), (&before[WEB], &before[DB]));
    let table = host.root().tenant(&name("shop")).join("hosts/web");
    assert!(std::fs::read_to_string(table).unwrap().contains("job"));
}
