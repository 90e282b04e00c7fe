use super::*;
use crate::observe::scene::{COMMIT, Scene, name};
use crate::reconcile::{HistoryEvent, effective_registry};
use bitbuilder_core::finding::Origin;
use std::fs;

const WEB: &str = "systemd-nspawn@shop-web.service";
const DB: &str = "systemd-nspawn@shop-db.service";
const TENANT: &str = "tenant@shop.service";

fn shop(scene: &Scene) -> TenantStatus {
    let host = status(&scene.host, None).unwrap();
    let one = status(&scene.host, Some(&name("shop"))).unwrap();
    let shop = host
        .tenants
        .into_iter()
        .find(|tenant| tenant.id == name("shop"))
        .unwrap();
    assert_eq!(
        one.tenants,
        std::slice::from_ref(&shop),
        "both ways to ask give one answer"
    );
    shop
}

/// Sync, health and reason of shop.
fn words(scene: &Scene) -> (SyncState, Health, String) {
    let shop = shop(scene);
    (shop.sync, shop.health, shop.reason.unwrap_or_default())
}

fn web(scene: &Scene) -> WorkloadStatus {
    let workloads = shop(scene).workloads;
    workloads
        .into_iter()
        .find(|workload| workload.name == name("web"))
        .unwrap()
}

fn synced(health: Health, reason: &str) -> (SyncState, Health, String) {
    (SyncState::Synced, health, reason.to_owned())
}

#[test]
fn what_runs_and_is_well() {
    let scene = Scene::running();
    assert_eq!(words(&scene), synced(Health::Healthy, ""));
    let shop = shop(&scene);
    assert_eq!(shop.generation, Some(1));
    assert_eq!(shop.commit.as_deref(), Some(COMMIT));
    assert_eq!(shop.name, "Shop");
    let names: Vec<&str> = shop.workloads.iter().map(|w| w.name.as_str()).collect();
    assert_eq!(names, ["db", "spare", "web"]);
    assert_eq!(shop.workloads[1].health, Health::Stopped);
    assert_eq!(shop.workloads[2].addresses.len(), 1);
    assert_eq!(shop.workloads[2].unit, WEB);
    assert!(shop.workloads[2].addresses[0].starts_with("10."));
}

#[test]
fn one_question_for_all_tenants() {
    let scene = Scene::running();
    status(&scene.host, None).unwrap();
    assert_eq!(scene.host.asked.lock().unwrap().len(), 1);
}

#[test]
fn before_the_first_pass() {
    let scene = Scene::empty();
    let (sync, health, reason) = words(&scene);
    assert_eq!((sync, health), (SyncState::Unknown, Health::Unknown));
    assert_eq!(reason, "not synced yet: run `bbctl sync shop`");
    fs::remove_file(scene.root().registry()).unwrap();
    assert_eq!(status(&scene.host, None).unwrap().tenants, []);
}

#[test]
fn units_that_start_or_stop_or_fail() {
    let scene = Scene::running();
    let mut seen = String::new();
    for (active, sub) in [
        ("activating", "start-pre"),
        ("activating", "auto-restart"),
        ("activating", "auto-restart-queued"),
        ("deactivating", "stop-sigterm"),
        ("reloading", "reload"),
        ("failed", "failed"),
        ("inactive", "dead"),
    ] {
        scene.set(WEB, active, sub);
        let (sync, health, reason) = words(&scene);
        seen += format!("{active} {sub}: {sync:?} {health:?} {reason}").trim_end();
        seen.push('\n');
    }
    insta::assert_snapshot!(seen, @r#"
    activating start-pre: Synced Progressing web is starting
    activating auto-restart: Synced Degraded web ended and is started again: see `bbctl logs shop/web`
    activating auto-restart-queued: Synced Degraded web ended and is started again: see `bbctl logs shop/web`
    deactivating stop-sigterm: Synced Progressing web is stopping
    reloading reload: Synced Healthy
    failed failed: Synced Degraded web failed: see `bbctl logs shop/web`
    inactive dead: OutOfSync Degraded web is not running: `bbctl sync shop --repair` starts it
    "#);
    scene.set(DB, "activating", "start");
    let web = web(&scene);
    assert_eq!(
        (web.health, web.active.as_str()),
        (Health::Progressing, "inactive")
    );
    assert_eq!(words(&scene).1, Health::Progressing);
}

#[test]
fn checks_count_for_the_current_run_only() {
    let scene = Scene::running();
    let mut seen = String::new();
    for (invocation, healthy, failures, message) in [
        ("i1", Some(true), 0, "ok"),
        ("i0", Some(true), 0, "ok"),
        ("i0", Some(false), 3, "refused"),
        ("i1", None, 1, "connection refused\nmore"),
        ("i1", Some(false), 3, "\u{1b}[31mconnection refused"),
        ("i1", Some(false), 1, ""),
    ] {
        scene.check(invocation, healthy, failures, message);
        let (sync, health, reason) = words(&scene);
        seen += format!("{invocation} {healthy:?}: {sync:?} {health:?} {reason}").trim_end();
        seen.push('\n');
    }
    scene.check("i0", Some(true), 0, "ok");
    scene.set("tenant-health@shop-web.timer", "failed", "failed");
    seen += &format!("no timer: {}\n", words(&scene).2);
    let path = scene.root().health(&name("shop"), &name("web"));
    fs::write(path, "{").unwrap();
    let (_, health, reason) = words(&scene);
    assert_eq!(health, Health::Unknown);
    assert!(reason.contains("not JSON"), "{reason}");
    insta::assert_snapshot!(seen, @r#"
    i1 Some(true): Synced Healthy
    i0 Some(true): Synced Progressing web waits for its first health check
    i0 Some(false): Synced Progressing web waits for its first health check
    i1 None: Synced Progressing web is not ready yet: connection refused
    i1 Some(false): Synced Degraded web fails its health check 3 times in a row ([31mconnection refused): see `bbctl logs shop/web`
    i1 Some(false): Synced Degraded web fails its health check: see `bbctl logs shop/web`
    no timer: web is not checked: see `systemctl status tenant-health@shop-web.timer`
    "#);
}

#[test]
fn other_units_that_fail_or_stop() {
    let scene = Scene::running();
    scene.set("tenant-network@shop.service", "failed", "failed");
    let reason =
        "tenant-network@shop.service failed: see `systemctl status tenant-network@shop.service`";
    assert_eq!(words(&scene), synced(Health::Degraded, reason));

    let scene = Scene::running();
    for unit in [TENANT, WEB, DB] {
        scene.unload(unit);
    }
    let reason = "tenant@shop.service is stopped: `systemctl start tenant@shop.service`";
    let expected = (SyncState::OutOfSync, Health::Degraded, reason.to_owned());
    assert_eq!(words(&scene), expected);
}

#[test]
fn disabled_tenants_are_stopped() {
    let scene = Scene::running();
    scene.register(|tenant| tenant.enabled = false);
    let (sync, health, reason) = words(&scene);
    assert_eq!((sync, health), (SyncState::OutOfSync, Health::Healthy));
    assert_eq!(
        reason,
        "db runs and shall not: `bbctl sync shop --repair` stops it"
    );

    for unit in [TENANT, WEB] {
        scene.unload(unit);
    }
    scene.set(DB, "failed", "failed");
    let reason = "disabled in its metadata.json";
    assert_eq!(words(&scene), synced(Health::Stopped, reason));
    scene.register(|tenant| {
        tenant.enabled = false;
        tenant.registration.enabled = false;
    });
    let reason = "disabled in tenants/registry.json";
    assert_eq!(words(&scene), synced(Health::Stopped, reason));

    scene.register(|tenant| tenant.enabled = false);
    let elsewhere = Finding::note(Origin::default(), "placed-elsewhere", "not here");
    scene.remember(|state| state.findings.push(elsewhere));
    assert_eq!(words(&scene), synced(Health::Stopped, "not here"));
}

#[test]
fn what_the_last_passes_met() {
    let mut seen = String::new();
    let scene = Scene::running();
    let mut note = |what: &str, change: &dyn Fn(&mut crate::reconcile::TenantState)| {
        let scene = Scene::running();
        scene.remember(change);
        let (sync, health, reason) = words(&scene);
        seen += format!("{what}: {sync:?} {health:?} {reason}").trim_end();
        seen.push('\n');
    };
    let refused = Refusal {
        commit: "d".repeat(40),
        since: 1,
        reason: "its documents have 2 findings".to_owned(),
        findings: Vec::new(),
    };
    let failure = FetchFailure {
        retry_after: Some(1_000_300),
        since: 1,
        count: 3,
        error: "no route to host".to_owned(),
    };
    let failed = |commit: &str| HistoryEvent::Failed {
        commit: commit.to_owned(),
        error: "disk full".to_owned(),
    };
    note("refused", &|state| state.refused = Some(refused.clone()));
    note("fetch", &|state| {
        state.fetch_failure = Some(failure.clone())
    });
    note("suspended", &|state| {
        let reason = "moving the disk".to_owned();
        state.suspended = Some(Suspension { since: 1, reason });
        state.refused = Some(refused.clone());
    });
    note("rolled back", &|state| {
        state.quarantined = Some("e".repeat(40))
    });
    note("quarantined and current", &|state| {
        state.quarantined = Some(COMMIT.to_owned())
    });
    note("failed", &|state| state.record(1, failed(&"f".repeat(40))));
    note("failed and current", &|state| {
        state.record(1, failed(COMMIT))
    });
    note("failed and repaired", &|state| {
        state.record(1, failed(&"f".repeat(40)));
        state.record(2, HistoryEvent::Repaired { generation: 1 });
        state.record(3, HistoryEvent::Resumed);
    });
    note("left out", &|state| {
        let message = "vm not available on this host: workload `main` is left out";
        let finding = Finding::warning(Origin::default(), "vm-not-available", message);
        state.findings.push(finding);
    });
    fs::write(scene.root().journal(&name("shop")), "{}").unwrap();
    let (sync, health, reason) = words(&scene);
    seen += format!("journal: {sync:?} {health:?} {reason}").trim_end();
    seen.push('\n');
    let scene = Scene::empty();
    scene.remember(|state| state.fetch_failure = Some(failure));
    seen += &format!("never: {:?}\n", words(&scene));
    scene.remember(|state| state.refused = Some(refused));
    seen += &format!("never: {:?}\n", words(&scene));
    insta::assert_snapshot!(seen, @r#"
    refused: OutOfSync Healthy commit dddddddddddd is refused: its documents have 2 findings; see `bbctl plan shop`
    fetch: Synced Healthy its repository cannot be read (3 times in a row): no route to host
    suspended: Suspended Healthy suspended: moving the disk; `bbctl resume shop` ends it
    rolled back: RolledBack Healthy rolled back to generation 1: commit eeeeeeeeeeee stays out until another one arrives
    quarantined and current: Synced Healthy
    failed: OutOfSync Healthy commit ffffffffffff failed: disk full; `bbctl sync shop` tries again
    failed and current: Synced Healthy
    failed and repaired: Synced Healthy
    left out: Synced Degraded vm not available on this host: workload `main` is left out
    journal: OutOfSync Healthy a change is under way or was interrupted: `bbctl sync shop` finishes it
    never: (Unknown, Unknown, "its repository cannot be read (3 times in a row): no route to host")
    never: (OutOfSync, Unknown, "commit dddddddddddd is refused: its documents have 2 findings; see `bbctl plan shop`")
    "#);
}

#[test]
fn what_is_down_is_said_before_what_is_refused() {
    let scene = Scene::running();
    scene.set(DB, "failed", "failed");
    scene.remember(|state| {
        state.refused = Some(Refusal {
            commit: "d".repeat(40),
            since: 1,
            reason: "x".to_owned(),
            findings: Vec::new(),
        });
    });
    let reason = "db failed: see `bbctl logs shop/db`".to_owned();
    assert_eq!(
        words(&scene),
        (SyncState::OutOfSync, Health::Degraded, reason)
    );
}

#[test]
fn a_damaged_tenant_hides_no_other() {
    let scene = Scene::running();
    for path in ["state.json", "current/generation.json"] {
        let scene = Scene::running();
        let path = scene.root().tenant(&name("shop")).join(path);
        fs::write(&path, "{").unwrap();
        let (sync, health, reason) = words(&scene);
        assert_eq!((sync, health), (SyncState::Unknown, Health::Unknown));
        assert!(reason.contains("not JSON"), "{reason}");
        let host = status(&scene.host, None).unwrap();
        let blog = host
            .tenants
            .iter()
            .find(|tenant| tenant.id == name("my-blog"))
            .unwrap();
        assert_eq!(
            (blog.sync, blog.health),
            (SyncState::Synced, Health::Healthy)
        );
    }
    fs::write(scene.root().registry(), "{").unwrap();
    assert!(status(&scene.host, None).is_err());
}

#[test]
fn the_system_repository() {
    let scene = Scene::running();
    // Nothing but the registry in force is there, which says what it was made from.
    let registry = effective_registry(scene.root()).unwrap().unwrap();
    let known = SystemStatus {
        commit: Some(registry.system),
        ..SystemStatus::default()
    };
    assert_eq!(status(&scene.host, None).unwrap().system, known);
    let state = scene.root().state();
    let host = r#"{"format":1,"repository":"file:///x","ref":"main"}"#;
    fs::write(state.join("host.json"), host).unwrap();
    fs::write(
        state.join("system.json"),
        r#"{"format":1,"accepted":"abc"}"#,
    )
    .unwrap();
    let system = status(&scene.host, None).unwrap().system;
    assert_eq!(system.repository, "file:///x");
    assert_eq!(system.commit.as_deref(), Some("abc"));
}

/// Whoever is called at night finds every state.
#[test]
fn the_page_for_the_night_has_every_state() {
    use {Health as H, SyncState as S};
    let page = include_str!("../../../../../docs/operations.md");
    let (_, page) = page.split_once("## SYNC").unwrap();
    let (sync, health) = page.split_once("## HEALTH").unwrap();
    // One that is added is missing here, and then there.
    let all = |state: S| match state {
        S::Synced | S::OutOfSync | S::RolledBack | S::Trial | S::Suspended | S::Unknown => state,
    };
    for state in [
        S::Synced,
        S::OutOfSync,
        S::RolledBack,
        S::Trial,
        S::Suspended,
        S::Unknown,
    ] {
        let row = format!("| `{:?}`", all(state));
        assert!(sync.contains(&row), "no {row}");
    }
    let all = |state: H| match state {
        H::Healthy | H::Progressing | H::Degraded | H::Stopped | H::Unknown => state,
    };
    for state in [
        H::Healthy,
        H::Progressing,
        H::Degraded,
        H::Stopped,
        H::Unknown,
    ] {
        let row = format!("| `{:?}`", all(state));
        assert!(health.contains(&row), "no {row}");
    }
}
