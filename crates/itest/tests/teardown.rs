//! The end of a tenant on a real host: what is left of it, byte for byte.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, status, upper, wait_healthy};
use std::collections::BTreeMap;

/// What a host is made of, apart from what has nothing to do with tenants or is of another kind each time: `place what`.
///
/// Left out are what the host must remember (the system repository and its mirror, the events, the audit trail), the
/// journal, and what systemd counts or writes for every start of any unit.
const SURVEY: &str = r#"
set -u
files() {
  find /etc /var /run /root -xdev \
    \( -path /var/lib/bitbuilder/system -o -path /var/lib/bitbuilder/git/system.git -o -path /var/log/journal \
       -o -path /run/log -o -path /run/systemd/journal -o -path /run/systemd/units -o -path /run/systemd/propagate \
       -o -path /run/credentials -o -path /run/systemd/transient -o -path /root/push -o -path /var/tmp -o -path /run/udev \
       -o -path /run/systemd/netif -o -path '/var/lib/tenants/other/containers/*/upper/var/log' -o -path /var/cache -o -path /run/dbus -o -path /run/systemd/sessions -o -path /run/netns \
       -o -path '/run/systemd/generator*' -o -path /var/lib/systemd/timers \
       -o -path "/var/lib/bitbuilder/audit*" -o -name events.jsonl -o -name system.json -o -name accepted.json -o -name tenants.json -o -name "*.index" -o -name lock -o -name rest.json \
       -o -name drift.json -o -path /run/bitbuilder/booted -o -path /run/bitbuilder/counted -o -path /run/bitbuilder/networkd.reload -o -path /run/bitbuilder/rules.lock -o -name '*.seqnum' -o -name random-seed -o -name timesync -o -name clock \) -prune -o "$@"
}
files -printf '%y %m %U %p %l\n'
files -type f -exec sha256sum {} +
find /run/systemd/generator* -printf 'generated %y %P %l\n'
find /run/systemd/netif -name '*br-*' -printf 'netif %P\n'
ls /sys/class/net | sed 's/^/link /'
nft -s -j list ruleset | tr '{' '\n' | sed 's/"handle": [0-9]*//; s/^/nft /'
grep -E '/var/lib/(tenants|bitbuilder)|/run/(netns/|systemd/nspawn)' /proc/self/mountinfo | cut -d' ' -f4- | sed 's/^/mount /'
systemctl list-units --all --plain --no-legend --full | awk '{ print "unit", $1, $2, $3 }' | grep -E 'tenant|nspawn|bitbuilder' | grep -v bitbuilder-sync
systemctl list-timers --all --plain --no-legend | awk '{ print "timer", $(NF-1) }' | grep -v systemd
find /sys/fs/cgroup -type d -path '*tenant*' -printf 'cgroup %P\n'
getent passwd | sed 's/^/user /'
machinectl list --no-legend | sed 's/^/machine /'
ip netns list | sed 's/^/netns /'
ls /run/log/journal /var/log/journal 2>/dev/null | sed 's/^/journal /' | sort -u
"#;

/// Lines of the survey, each with how often it is there.
fn survey(host: &TestHost) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for line in host.sh(SURVEY).lines() {
        *lines.entry(line.trim_end().to_owned()).or_default() += 1;
    }
    lines
}

/// Lines that are only in one of them.
fn differences(before: &BTreeMap<String, usize>, after: &BTreeMap<String, usize>) -> Vec<String> {
    let gone = before
        .iter()
        .filter(|(line, count)| after.get(*line) != Some(*count));
    let new = after
        .iter()
        .filter(|(line, count)| before.get(*line) != Some(*count));
    let gone = gone.map(|(line, _)| format!("- {line}"));
    gone.chain(new.map(|(line, _)| format!("+ {line}")))
        .collect()
}

/// A system repository with short windows: what watches a deployment is gone when it is over.
fn system(ids: &[&str]) -> Repository {
    let system = Repository::system(ids);
    system.write(".gitops/config.yaml", "health: { window: 1s, tries: 1 }\n");
    system
}

/// A tenant that has everything that a container host runs.
fn shop() -> Repository {
    let shop = Repository::tenant("shop");
    let web = command(
        "echo hello >/srv/index.html; echo 1 >/data/orders; exec busybox httpd -f -p 80 -h /srv",
        "health: { tcp: 80, interval: 1s }\nvolumes: [ { name: orders, mount: /data } ]\n\
         networks: [ { network: default }, { network: back } ]\nresources: { memory: 128M }\n",
    );
    shop.write("containers/web/config.yaml", &web);
    shop.write("containers/web/rootfs-overlay/etc/motd", "hello\n");
    shop.write(
        "containers/db/config.yaml",
        &booted("health: { command: [/bin/true], interval: 1s }\n"),
    );
    // Its start fails: a failed unit is something, too.
    shop.write(
        "containers/sad/config.yaml",
        &command("exit 3", "restart: no\n"),
    );
    shop.write(
        "network/topology.yaml",
        "networks:\n  default: { mode: isolated-bridge, nat: true, ipv6: auto }\n  back: { mode: isolated-bridge }\n\
         publish:\n  - { port: 8080, protocol: tcp, to: web, toPort: 80 }\n",
    );
    shop
}

/// Deploys it and waits until both that can run do.
fn deploy(host: &TestHost, shop: &Repository) {
    host.push("shop", shop.path());
    host.wait_for("web and db are healthy", || {
        let workloads = status(host, "shop")["workloads"].clone();
        let healthy = |name: &str| {
            let all = workloads.as_array().unwrap();
            all.iter()
                .any(|one| one["name"] == name && one["health"] == "Healthy")
        };
        healthy("web") && healthy("db")
    });
    host.wait_for("the order is written", || {
        host.exists("/var/lib/tenants/shop/volumes/orders/orders")
    });
}

fn prepared(name: &str) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    // A tenant beside it, which nothing of this may touch.
    host.push_ok("system", system(&["other"]).path());
    let other = Repository::tenant("other");
    other.write("containers/db/config.yaml", &booted(""));
    host.push_ok("other", other.path());
    wait_healthy(&host, "other");
    host.wait_for("its window is over", || {
        status(&host, "other")["window"].is_null()
            && !host.exists("/run/bitbuilder/window/other.json")
    });
    host.exec_ok(["bbctl", "sync"]);
    host
}

/// Waits until a pass has taken the tenant down.
fn wait_removed(host: &TestHost) {
    host.exec_ok(["bbctl", "sync"]);
    host.wait_for("the tenant is taken down", || {
        let events = host.exec_ok(["bbctl", "events", "shop"]);
        events
            .trim_end()
            .lines()
            .last()
            .unwrap()
            .contains("removed")
    });
}

#[test]
fn after_the_purge_the_host_is_as_it_was() {
    let host = prepared("purge");
    let before = survey(&host);
    let other = common::invocation(&host, "other-db");

    host.push_ok("system", system(&["other", "shop"]).path());
    let shop = shop();
    deploy(&host, &shop);
    let with = survey(&host);
    assert!(
        differences(&before, &with).len() > 50,
        "the survey sees a tenant"
    );

    // Registered, so it stays.
    let refused = host.exec(["bbctl", "tenant", "purge", "shop", "--yes"]);
    assert!(!refused.status.success());
    host.push_ok("system", system(&["other"]).path());
    wait_removed(&host);

    // Nothing but the data and the reservation.
    let removed = survey(&host);
    let expected = |line: &str| {
        [
            "/var/lib/tenants/shop",
            "/var/lib/bitbuilder/git/shop.git",
            "/var/lib/bitbuilder/allocations.json",
        ]
        .iter()
        .any(|path| line.contains(path))
    };
    let left: Vec<String> = differences(&before, &removed)
        .into_iter()
        .filter(|line| !expected(line))
        .collect();
    assert!(left.is_empty(), "{left:#?}");
    let kept =
        host.sh("cd /var/lib/tenants/shop; find . -type f ! -path './containers/*/upper/*' | sort");
    assert_eq!(kept, "./state.json\n./volumes/orders/orders\n");
    assert_eq!(
        host.read_file(&upper("shop", "web", "srv/index.html")),
        "hello\n"
    );

    let asked = host.exec(["bbctl", "tenant", "purge", "shop"]);
    assert_eq!(asked.status.code(), Some(2), "nobody can be asked");
    host.exec_ok(["bbctl", "tenant", "purge", "shop", "--yes"]);
    let after = survey(&host);
    let left = differences(&before, &after);
    assert!(left.is_empty(), "{left:#?}");
    assert_eq!(common::invocation(&host, "other-db"), other);
    assert_eq!(status(&host, "other")["health"], "Healthy");
}

#[test]
fn a_tenant_that_comes_back_has_its_addresses_and_its_data() {
    let host = prepared("return");
    host.push_ok("system", system(&["other", "shop"]).path());
    let shop = shop();
    deploy(&host, &shop);
    let facts = |host: &TestHost| {
        let status = status(host, "shop");
        let workloads = status["workloads"].as_array().unwrap().clone();
        let addresses: Vec<_> = workloads
            .iter()
            .map(|one| one["addresses"].clone())
            .collect();
        let owner = host.sh("stat -c %u /var/lib/tenants/shop/volumes/orders");
        (addresses, owner, host.exec_ok(["ls", "/sys/class/net"]))
    };
    let before = facts(&host);
    host.sh("echo 2 >>/var/lib/tenants/shop/volumes/orders/kept");
    host.push_ok("system", system(&["other"]).path());
    wait_removed(&host);
    host.crash();
    host.boot();

    host.push_ok("system", system(&["other", "shop"]).path());
    host.exec(["bbctl", "sync"]);
    host.wait_for("web is healthy", || {
        let workloads = status(&host, "shop")["workloads"].clone();
        let all = workloads.as_array().unwrap();
        all.iter()
            .any(|one| one["name"] == "web" && one["health"] == "Healthy")
    });
    host.wait_for("the links are there", || facts(&host) == before);
    assert_eq!(
        host.read_file("/var/lib/tenants/shop/volumes/orders/kept"),
        "2\n"
    );
    let events = host.exec_ok(["bbctl", "events", "shop"]);
    assert!(events.contains("restored"), "{events}");
}

#[test]
fn a_disabled_tenant_holds_nothing_but_its_files() {
    let host = prepared("disable");
    let before = survey(&host);
    host.push_ok("system", system(&["other", "shop"]).path());
    let shop = shop();
    deploy(&host, &shop);
    let metadata =
        r#"{ "tenant": { "id": "shop", "name": "shop", "type": "container", "enabled": false } }"#;
    shop.write("metadata.json", metadata);
    host.push("shop", shop.path());
    host.wait_for("it is stopped", || {
        status(&host, "shop")["health"] == "Stopped"
    });
    host.wait_for("the pass is over", || {
        !host.exists("/var/lib/tenants/shop/journal.json")
    });
    let left: Vec<String> = differences(&before, &survey(&host))
        .into_iter()
        .filter(|line| {
            let files = [
                "/var/lib/tenants/shop",
                "/var/lib/bitbuilder/",
                // What was asked of its repository, and that it failed, is remembered.
                "/run/bitbuilder/fetch/shop",
                "unit systemd-nspawn@shop-sad.service loaded failed",
            ];
            !files.iter().any(|file| line.contains(file))
        })
        .collect();
    assert!(left.is_empty(), "{left:#?}");
}
