//! What makes a pass: boot, timer, a repository on this host that changes; and remotes that are slow or silent.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, status, wait_healthy};
use serde_json::json;

/// A remote that takes connections and never says a word: connections stay in the socket's queue. It comes back at a boot.
const SILENT: &str = "\
printf '[Socket]\\nListenStream=127.0.0.1:8443\\n' >/etc/systemd/system/silent.socket
printf '[Service]\\nExecStart=sleep infinity\\n' >/etc/systemd/system/silent.service
mkdir -p /etc/systemd/system/sockets.target.wants
ln -sf ../silent.socket /etc/systemd/system/sockets.target.wants/
systemctl daemon-reload; systemctl start silent.socket";
const SILENT_URL: &str = "https://127.0.0.1:8443/silent.git";

/// No regular pass any more, and none that still runs.
const STILL: &str = "systemctl stop bitbuilder-sync.timer bitbuilder-sync.service";

/// Commits whatever changed in the checkout that the shell is in.
const COMMIT: &str = "git add -A; git -c user.name=t -c user.email=t@example.org commit -qm change";

/// A system repository with `tenants` (id and URL) and a policy.
fn system(tenants: &[(&str, &str)], policy: &str) -> Repository {
    let repository = Repository::new();
    let tenants: Vec<_> = tenants
        .iter()
        .map(|(id, url)| json!({ "id": id, "repository": url }))
        .collect();
    let registry = json!({ "tenants": tenants });
    repository.write("tenants/registry.json", &registry.to_string());
    repository.write(".gitops/config.yaml", policy);
    repository
}

fn embedded(id: &str) -> String {
    format!("file:///var/lib/bitbuilder/git/{id}.git")
}

/// A commit of `files` in the embedded repository of `id` that no hook has seen; its id.
fn slip_in(host: &TestHost, id: &str, files: Option<&Repository>) -> String {
    let git = format!("/var/lib/bitbuilder/git/{id}.git");
    let checkout = format!("/root/slip-{id}");
    host.sh(&format!(
        "rm -rf {checkout}; git clone -q {git} {checkout}; date +%N >{checkout}/README.md"
    ));
    if let Some(files) = files {
        host.put(files.path(), &checkout);
    }
    let commit = host.sh(&format!(
        "cd {checkout}; {COMMIT}; git -C {git} fetch -q {checkout} main:main; git rev-parse HEAD"
    ));
    commit.trim().to_owned()
}

fn wait_commit(host: &TestHost, id: &str, commit: &str) {
    host.wait_for(&format!("{id} is at {commit}"), || {
        status(host, id)["commit"] == commit
    });
}

#[test]
fn the_timer_fires_in_the_interval_of_the_policy() {
    let host = TestHost::new("timer");
    host.init();
    let policy = "sync: { interval: 10s, jitter: 1s }\n";
    host.push_ok(
        "system",
        system(&[("shop", &embedded("shop"))], policy).path(),
    );
    host.push_ok("shop", Repository::serving("shop").path());
    wait_healthy(&host, "shop");
    let follows = || {
        let show = "systemctl show bitbuilder-sync.timer -p TimersMonotonic -p RandomizedDelayUSec";
        let times = host.sh(show);
        for expected in ["OnUnitInactiveUSec=10s", "RandomizedDelayUSec=1s"] {
            assert!(times.contains(expected), "{times}");
        }
    };
    follows();
    for _ in 0..2 {
        let commit = slip_in(&host, "shop", None);
        wait_commit(&host, "shop", &commit);
    }
    // Before any pass of the next boot the generator has linked it.
    host.crash();
    host.boot();
    follows();
    let exposure =
        host.sh("systemd-analyze security --no-pager bitbuilder-path@x.service | tail -1");
    assert!(
        exposure.contains("OK") || exposure.contains("SAFE"),
        "{exposure}"
    );
}

#[test]
fn a_boot_fetches_and_waits_for_no_remote() {
    let host = TestHost::new("boot-fetch");
    host.init();
    host.sh(SILENT);
    let policy = "sync: { interval: 1h, jitter: 0s, timeout: 30s }\n";
    host.push_ok(
        "system",
        system(&[("shop", &embedded("shop"))], policy).path(),
    );
    host.push_ok("shop", Repository::serving("shop").path());
    wait_healthy(&host, "shop");
    host.sh(STILL);
    let both = [("shop", &*embedded("shop")), ("silent", SILENT_URL)];
    slip_in(&host, "system", Some(&system(&both, policy)));
    let commit = slip_in(&host, "shop", None);
    host.crash();
    // Every job of the boot is done, and the fetch of the silent one still goes on when the other has its commit.
    host.boot();
    wait_commit(&host, "shop", &commit);
    host.sh("systemctl is-active multi-user.target; systemctl is-active bitbuilder-sync.service");
    let history = host.exec_ok(["bbctl", "history", "shop"]);
    assert!(
        history.contains("deployed") && !history.contains("repaired"),
        "{history}"
    );
    // Who could not be reached is asked again when the network is there.
    host.wait_sh("journalctl -b -u bitbuilder-online.service | grep -q Started");
    host.wait_sh("bbctl status silent | grep -q '2 times since'");
}

#[test]
fn a_commit_to_a_repository_on_this_host_is_deployed_at_once() {
    let host = TestHost::new("path");
    let files = system(
        &[("shop", "file:///srv/git/shop.git")],
        "sync: { interval: 1h }\n",
    );
    host.put(files.path(), "/srv/system");
    host.put(Repository::serving("shop").path(), "/root/shop");
    host.sh(&format!(
        "cd /srv/system; git init -q -b main; {COMMIT}; \
         git init -q --bare -b main /srv/git/shop.git; cd /root/shop; git init -q -b main; {COMMIT}; \
         git push -q /srv/git/shop.git main; bbctl host init --system-repo file:///srv/system; bbctl sync"
    ));
    wait_healthy(&host, "shop");
    host.sh(STILL);
    let change = || {
        host.sh(&format!(
            "cd /root/shop; date +%N >README.md; {COMMIT}; git push -q /srv/git/shop.git main; git rev-parse HEAD"
        ))
    };
    // Several in a row: none is lost, whatever the first is at.
    for _ in 0..3 {
        change();
        let commit = change();
        wait_commit(&host, "shop", commit.trim());
    }
    // The system repository, too: a tenant more, and a path more to watch.
    host.put(Repository::serving("blog").path(), "/srv/git/blog");
    let more = system(
        &[
            ("shop", "file:///srv/git/shop.git"),
            ("blog", "file:///srv/git/blog"),
        ],
        "sync: { interval: 1h }\n",
    );
    host.sh(&format!("cd /srv/git/blog; git init -q -b main; {COMMIT}"));
    host.put(more.path(), "/srv/system");
    host.sh(&format!("cd /srv/system; {COMMIT}"));
    host.wait_for("the tenant is there", || {
        host.exec_ok(["bbctl", "status"]).contains("blog")
    });
    wait_healthy(&host, "blog");
    host.wait_active("bitbuilder-path@blog.path");
    let commit = host.sh(&format!(
        "cd /srv/git/blog; date +%N >README.md; {COMMIT}; git rev-parse HEAD"
    ));
    wait_commit(&host, "blog", commit.trim());
    // Watched from the boot on, and no longer than the tenant is registered.
    host.crash();
    host.boot();
    host.wait_active("bitbuilder-path@blog.path");
    host.put(files.path(), "/srv/system");
    host.sh(&format!("cd /srv/system; {COMMIT}"));
    host.wait_for("the path is not watched any more", || {
        let watched = host.exec(["systemctl", "is-active", "bitbuilder-path@blog.path"]);
        !watched.status.success()
    });
}

#[test]
fn a_silent_remote_delays_nobody_and_is_seen_in_the_status() {
    let host = TestHost::new("silent");
    host.init();
    host.sh(SILENT);
    let registry = [("shop", &*embedded("shop")), ("silent", SILENT_URL)];
    let policy = "sync: { interval: 10s, jitter: 0s, timeout: 15s }\n";
    host.sh(STILL);
    host.push("system", system(&registry, policy).path());
    host.sh("systemd-run --quiet --unit=slow bbctl sync");
    // While one pass waits for the silent one, another goes from push to healthy.
    let output = host.push_ok("shop", Repository::serving("shop").path());
    assert!(output.contains("shop: healthy"), "{output}");
    host.sh("systemctl is-active slow");
    host.wait_for("the slow pass is over", || {
        !host
            .exec(["systemctl", "is-active", "slow"])
            .status
            .success()
    });
    let failure = status(&host, "silent")["fetch_failure"].clone();
    let (since, count) = (
        failure["since"].as_u64().unwrap(),
        failure["count"].as_u64().unwrap(),
    );
    assert_eq!(count, 2);
    assert!(
        failure["retry_after"].as_u64().unwrap() > since,
        "{failure}"
    );
    let text = host.exec_ok(["bbctl", "status", "silent"]);
    for expected in [
        "2 times since ",
        ", next try after ",
        "did not finish within 15 s",
    ] {
        assert!(text.contains(expected), "{expected} in {text}");
    }
}
