//! What differs without a new commit: said by passes, put right by policy or by hand.

use super::{World, find, name, only};
use crate::events;
use crate::host::Host;
use crate::observe::{SyncState, drifted, status};
use crate::reconcile::{HistoryEvent, Options, TenantReport, TenantState, Verdict};
use bitbuilder_core::drift::{How, Item, What};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const WEB: &str = "systemd-nspawn@one-web.service";

fn deployed() -> World {
    let world = World::new(&["one"]);
    world.sync("one");
    assert_eq!(items(&world), [], "a fresh tenant is as it shall be");
    world
}

/// What `bbctl drift` sees.
fn items(world: &World) -> Vec<Item> {
    let mut found = drifted(&world.host, Some(&name("one"))).unwrap();
    let found = found.remove(0);
    assert_eq!(found.error, None);
    found.items
}

fn kinds(items: &[Item]) -> Vec<(What, How, &str)> {
    let kind = |item| {
        let Item {
            what, how, subject, ..
        }: &Item = item;
        (*what, *how, subject.as_str())
    };
    items.iter().map(kind).collect()
}

fn events(world: &World) -> Vec<&'static str> {
    let events = events::read(world.host.root()).unwrap();
    let word = |event: &HistoryEvent| match event {
        HistoryEvent::Deployed { .. } => "deployed",
        HistoryEvent::Drifted { .. } => "drifted",
        HistoryEvent::Settled => "settled",
        HistoryEvent::Repaired { .. } => "repaired",
        _ => "other",
    };
    events.iter().map(|record| word(&record.event)).collect()
}

fn state(world: &World) -> TenantState {
    TenantState::read(world.host.root(), &name("one")).unwrap()
}

fn repair(world: &World) -> TenantReport {
    let options = Options {
        repair: true,
        ..only("one")
    };
    find(world.pass(&options), "one")
}

fn set_policy(world: &World, policy: &str) {
    let config = format!("drift: {{ policy: {policy} }}\n");
    world.commit("system", &[(".gitops/config.yaml", &config)]);
}

fn path(world: &World, path: &str) -> PathBuf {
    world.host.root().join(path)
}

fn put(world: &World, file: &str, content: &str) {
    let path = path(world, file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn open_firewall(world: &World) {
    let rule = serde_json::json!({"nftables": [{"add": {"rule": {
        "family": "inet", "table": "bitbuilder", "chain": "one/input", "expr": [{"accept": null}],
    }}}]});
    let rule = rule.to_string();
    world.host.apply_ruleset(rule.as_bytes()).unwrap();
}

fn is_up(world: &World, unit: &str) -> bool {
    let units = world.host.units(&[unit]).unwrap();
    units.get(unit).is_some_and(|state| state.is_active())
}

#[test]
fn a_stopped_unit_is_said_once_and_started_by_hand_only() {
    let world = deployed();
    world.host.stop(&[WEB.to_owned()]).unwrap();
    for _ in 0..3 {
        let report = world.sync("one");
        assert_eq!(report.verdict, Verdict::Unchanged, "{report:?}");
        assert!(!is_up(&world, WEB));
    }
    assert_eq!(events(&world), ["deployed", "drifted"]);
    let drift = state(&world).drift.unwrap();
    assert_eq!(kinds(&drift.items), [(What::Unit, How::Stopped, WEB)]);
    let shown = status(&world.host, None).unwrap().tenants.remove(0);
    assert_eq!(shown.sync, SyncState::OutOfSync);
    assert!(shown.reason.unwrap().contains("web is not running"));

    let report = repair(&world);
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert!(is_up(&world, WEB));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(
        events(&world),
        ["deployed", "drifted", "repaired", "settled"]
    );
    assert_eq!(state(&world).drift, None);
}

#[test]
fn another_difference_is_another_event() {
    let world = deployed();
    world.host.stop(&[WEB.to_owned()]).unwrap();
    world.sync("one");
    let since = state(&world).drift.unwrap().items[0].since;
    put(
        &world,
        &format!("/etc/systemd/system/{WEB}.d/override.conf"),
        "[Service]\nMemoryMax=1G\n",
    );
    world.sync("one");
    world.sync("one");
    assert_eq!(events(&world), ["deployed", "drifted", "drifted"]);
    let items = state(&world).drift.unwrap().items;
    assert_eq!(
        kinds(&items),
        [
            (What::Unit, How::Stopped, WEB),
            (What::Unit, How::Overridden, WEB)
        ]
    );
    assert_eq!(items[0].since, since, "it is known since when");
}

#[test]
fn the_policy_repairs() {
    let world = deployed();
    set_policy(&world, "repair");
    world.sync("one");
    world.host.stop(&["tenant@one.service".to_owned()]).unwrap();
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert!(is_up(&world, "tenant@one.service") && is_up(&world, WEB));
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    let said = events(&world);
    assert_eq!(said[said.len() - 3..], ["drifted", "repaired", "settled"]);
}

#[test]
fn a_policy_that_does_not_help_ends() {
    let world = deployed();
    set_policy(&world, "repair");
    world.sync("one");
    // Nobody takes back a unit file of the operator.
    put(
        &world,
        &format!("/etc/systemd/system/{WEB}"),
        "[Service]\nExecStart=true\n",
    );
    put(
        &world,
        "/etc/systemd/network/10-bitbuilder-ports-one.network",
        "",
    );
    for _ in 0..5 {
        open_firewall(&world);
        world.sync("one");
    }
    let tries = events(&world);
    let tries = tries.iter().filter(|word| **word == "repaired").count();
    assert_eq!(tries, 3, "{:?}", events(&world));
}

#[test]
fn masks_and_drop_ins_are_taken_back() {
    let world = deployed();
    let system = path(&world, "/etc/systemd/system");
    fs::create_dir_all(&system).unwrap();
    symlink("/dev/null", system.join(WEB)).unwrap();
    world.host.daemon_reload().unwrap();
    world.host.stop(&[WEB.to_owned()]).unwrap();
    put(
        &world,
        "/run/systemd/system.control/tenant-one.slice.d/50-MemoryMax.conf",
        "[Slice]\nMemoryMax=1G\n",
    );
    world.sync("one");
    let seen = state(&world).drift.unwrap().items;
    let expected = [
        (What::Unit, How::Stopped, WEB),
        (What::Unit, How::Masked, WEB),
        (What::Unit, How::Overridden, "tenant-one.slice"),
    ];
    assert_eq!(kinds(&seen), expected);
    assert_eq!(
        seen[2].seen,
        "/run/systemd/system.control/tenant-one.slice.d/50-MemoryMax.conf"
    );
    assert_eq!(repair(&world).verdict, Verdict::Applied);
    assert!(is_up(&world, WEB));
    assert_eq!(items(&world), []);
}

#[test]
fn files_of_the_generation_are_restored_from_the_commit() {
    let world = deployed();
    let before = world.invocation("one-web");
    let current = "/var/lib/tenants/one/current";
    let unit = format!("{current}/system/{WEB}.d/50-bitbuilder.conf");
    let (boot, slice) = (
        format!("{current}/boot"),
        format!("{current}/system/tenant-one.slice"),
    );
    let read = |file: &str| fs::read_to_string(path(&world, file)).unwrap();
    let (was, was_boot) = (read(&unit), read(&boot));
    put(&world, &unit, "[Service]\nExecStart=\n");
    fs::remove_file(path(&world, &slice)).unwrap();
    put(&world, &format!("{current}/system/more"), "x");
    world.sync("one");
    let seen = state(&world).drift.unwrap().items;
    let hows: Vec<How> = seen.iter().map(|item| item.how).collect();
    assert_eq!(hows, [How::Missing, How::Changed, How::Foreign], "{seen:?}");
    assert!(seen.iter().all(|item| item.since.is_some()));

    let report = repair(&world);
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!((read(&unit), read(&boot)), (was, was_boot));
    assert_eq!(items(&world), []);
    assert_eq!(world.invocation("one-web"), before, "no unit has read it");
    assert_eq!(world.generation("one"), Some(1));
}

#[test]
fn what_the_generators_placed_comes_back_by_a_reload() {
    let world = deployed();
    let link = format!("/run/systemd/generator/tenant@one.service.wants/{WEB}");
    fs::remove_file(path(&world, &link)).unwrap();
    assert_eq!(
        kinds(&items(&world)),
        [(What::File, How::Missing, link.as_str())]
    );
    assert_eq!(repair(&world).verdict, Verdict::Applied);
    assert!(path(&world, &link).is_symlink());
    assert_eq!(items(&world), []);
}

#[test]
fn the_network_is_put_right() {
    let world = deployed();
    let before = world.invocation("one-web");
    let bridge = world.host.links().unwrap().into_iter().next().unwrap();
    let netdev = format!("/run/systemd/network/10-bitbuilder-{bridge}.netdev");
    let hosts = "/var/lib/tenants/one/hosts/web";
    put(&world, &netdev, "[NetDev]\n");
    put(&world, hosts, "6.6.6.6 db\n");
    world
        .host
        .delete_links(std::slice::from_ref(&bridge))
        .unwrap();
    open_firewall(&world);
    world.sync("one");
    let seen = state(&world).drift.unwrap().items;
    let found = kinds(&seen);
    for expected in [
        (What::File, How::Changed, netdev.as_str()),
        (What::File, How::Changed, hosts),
        (What::Rules, How::Changed, "inet bitbuilder one/*"),
        (What::Link, How::Missing, bridge.as_str()),
    ] {
        assert!(found.contains(&expected), "{expected:?} in {found:?}");
    }
    let rules = seen.iter().find(|item| item.what == What::Rules).unwrap();
    assert!(rules.seen.contains("accept"), "{}", rules.seen);
    repair(&world);
    assert!(world.host.links().unwrap().contains(&bridge));
    let left = items(&world);
    // The simulated bridge has lost its port, and only the container makes it again.
    assert!(left.iter().all(|item| item.what == What::Link), "{left:?}");
    assert_ne!(world.invocation("one-web"), before);
}

#[test]
fn strangers_in_the_slice() {
    let world = deployed();
    let slice = "/sys/fs/cgroup/tenant.slice/tenant-one.slice";
    put(&world, &format!("{slice}/run-u7.service/cgroup.procs"), "");
    put(&world, &format!("{slice}/{WEB}/cgroup.procs"), "");
    put(
        &world,
        &format!("{slice}/tenant-health@one-web.service/cgroup.procs"),
        "",
    );
    put(&world, "/proc/77/comm", "miner\n");
    put(&world, &format!("{slice}/cgroup.procs"), "77\n");
    let seen = items(&world);
    assert_eq!(
        kinds(&seen),
        [
            (What::Unit, How::Foreign, "run-u7.service"),
            (What::Process, How::Foreign, "77 (miner)")
        ]
    );
    assert_eq!(seen[1].command(&name("one")), "kill 77");
}

#[test]
fn what_ended_or_was_suspended_is_no_drift() {
    let world = World::new(&["one"]);
    let job = "image: { template: tenant-container }\ncommand: [/bin/true]\nrestart: no\n";
    world.commit("one", &[("containers/job/config.yaml", job)]);
    world.sync("one");
    let unit = "systemd-nspawn@one-job.service".to_owned();
    world.host.stop(&[unit]).unwrap();
    assert_eq!(items(&world), []);
    crate::reconcile::suspend(&world.host, &name("one"), "maintenance").unwrap();
    world.host.stop(&[WEB.to_owned()]).unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Suspended);
    assert_eq!(state(&world).drift, None);
}

#[test]
fn a_disabled_tenant_that_runs_is_said_and_stopped_by_hand() {
    let world = deployed();
    let off = super::metadata("one").replace("true", "false");
    world.commit("one", &[("metadata.json", &off)]);
    world.sync("one");
    assert_eq!(items(&world), []);
    world
        .host
        .start(&["setup-tenant@one.service".to_owned()])
        .unwrap();
    assert_eq!(world.sync("one").verdict, Verdict::Unchanged);
    assert_eq!(items(&world), []);
}

#[test]
fn a_failed_start_is_tried_again_by_the_next_pass() {
    let world = World::new(&["one"]);
    let broken = "image: { template: tenant-container }\nboot: true\nenv: { BITBUILDER_SIM_FAIL_START: '1' }\nrestart: no\n";
    world.commit("one", &[(super::WEB, broken)]);
    assert_eq!(world.sync("one").verdict, Verdict::Failed);
    let report = world.sync("one");
    assert_eq!(report.verdict, Verdict::Failed, "{report:?}");
    assert!(report.plan.is_some_and(|plan| !plan.is_empty()));
}

#[test]
fn a_plan_says_what_a_repair_would_do_and_changes_nothing() {
    let world = deployed();
    world.host.stop(&[WEB.to_owned()]).unwrap();
    let options = |repair| Options {
        repair,
        plan_only: true,
        ..only("one")
    };
    let plain = find(world.pass(&options(false)), "one");
    assert_eq!(plain.verdict, Verdict::Unchanged);
    let planned = find(world.pass(&options(true)), "one");
    assert_eq!(planned.verdict, Verdict::Planned);
    assert!(!planned.plan.unwrap().is_empty());
    assert_eq!(state(&world).drift, None);
    assert!(!is_up(&world, WEB));
}

#[test]
fn an_idle_pass_asks_once_for_all_tenants() {
    let ids = ["one", "two", "three"];
    let world = World::new(&ids);
    world.sync("one");
    world.sync("one");
    let before = world.host.calls().len();
    world.sync("one");
    let calls = world.host.calls().split_off(before);
    assert_eq!(calls.len(), 1, "{calls:?}");
}
