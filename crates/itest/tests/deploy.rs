//! From a push to running containers, and what a further push touches.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, generation, invocation, status, upper, wait_healthy};

/// Writes its colour down and stays.
const PAINT: &str = "echo $COLOR > /srv/color; exec busybox httpd -f -p 80 -h /srv";

/// Two containers: `web`, a command with a health check, and `db`, a booted one.
fn pair() -> Repository {
    let pair = Repository::tenant("pair");
    let web = command(
        PAINT,
        "env: { COLOR: red }\nhealth: { tcp: 80, interval: 1s }\n",
    );
    pair.write("containers/web/config.yaml", &web);
    pair.write(
        "containers/db/config.yaml",
        &booted("resources: { memory: 256M }\n"),
    );
    pair
}

fn deployed(name: &str) -> (TestHost, Repository) {
    let host = TestHost::new(name);
    host.init();
    host.push_ok("system", Repository::system(&["pair"]).path());
    let pair = pair();
    let output = host.push_ok("pair", pair.path());
    assert!(output.contains("pair: healthy"), "{output}");
    wait_healthy(&host, "pair");
    (host, pair)
}

#[test]
fn a_change_of_one_container_restarts_only_that_one() {
    let (host, pair) = deployed("change");
    let (web, db) = (invocation(&host, "pair-web"), invocation(&host, "pair-db"));
    assert_eq!(host.read_file(&upper("pair", "web", "srv/color")), "red\n");

    let blue = command(
        PAINT,
        "env: { COLOR: blue }\nhealth: { tcp: 80, interval: 1s }\n",
    );
    pair.write("containers/web/config.yaml", &blue);
    host.push_ok("pair", pair.path());
    wait_healthy(&host, "pair");

    assert_eq!(generation(&host, "pair"), 2);
    assert_ne!(invocation(&host, "pair-web"), web);
    assert_eq!(invocation(&host, "pair-db"), db);
    assert_eq!(host.read_file(&upper("pair", "web", "srv/color")), "blue\n");

    // Nothing changed: nothing is touched.
    let web = invocation(&host, "pair-web");
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(generation(&host, "pair"), 2);
    assert_eq!(invocation(&host, "pair-web"), web);

    // And back to what it was, by hand.
    host.exec_ok(["bbctl", "rollback", "pair"]);
    wait_healthy(&host, "pair");
    assert_eq!(generation(&host, "pair"), 1);
    assert_eq!(invocation(&host, "pair-db"), db);
    assert_eq!(host.read_file(&upper("pair", "web", "srv/color")), "red\n");
    assert_eq!(status(&host, "pair")["sync"], "RolledBack");
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(
        generation(&host, "pair"),
        1,
        "a quarantined commit stays out"
    );
}

#[test]
fn an_invalid_push_is_refused_and_changes_nothing() {
    let (host, pair) = deployed("refuse");
    let (web, db) = (invocation(&host, "pair-web"), invocation(&host, "pair-db"));
    let head = "git -C /var/lib/bitbuilder/git/pair.git rev-parse main";
    let before = host.sh(head);

    pair.write(
        "containers/web/config.yaml",
        "image: { template: tenant-container }\nboto: true\n",
    );
    pair.write(
        "containers/db/config.yaml",
        "image: { template: tenant-container }\nboot: true\nrestart: sometimes\n",
    );
    let pushed = host.push("pair", pair.path());

    assert!(!pushed.accepted, "{}", pushed.output);
    for expected in [
        "containers/web/config.yaml:2:1",
        "`boot`",
        "containers/db/config.yaml:3:10",
    ] {
        assert!(
            pushed.output.contains(expected),
            "{expected} in {}",
            pushed.output
        );
    }
    assert_eq!(host.sh(head), before);
    assert_eq!(generation(&host, "pair"), 1);
    assert_eq!(invocation(&host, "pair-web"), web);
    assert_eq!(invocation(&host, "pair-db"), db);
    assert_eq!(status(&host, "pair")["health"], "Healthy");
}

#[test]
fn a_tenant_that_leaves_the_registry_is_taken_down_and_its_data_kept() {
    let (host, _pair) = deployed("leave");
    host.push_ok("system", Repository::system(&[]).path());
    host.wait_for("the containers are gone", || {
        !host
            .exec(["machinectl", "show", "pair-web"])
            .status
            .success()
            && !host
                .exec(["machinectl", "show", "pair-db"])
                .status
                .success()
    });
    host.wait_for("the bridge is gone", || {
        !host.exists("/sys/class/net/br-pair")
    });
    assert!(!host.exists("/var/lib/tenants/pair/current"));
    assert!(!host.exists("/var/lib/tenants/pair/generations"));
    assert!(host.exists("/var/lib/tenants/pair/containers/web/upper"));
    let rules = host.exec_ok(["nft", "list", "ruleset"]);
    assert!(!rules.contains("pair"), "{rules}");

    // It comes back as it was.
    host.push_ok("system", Repository::system(&["pair"]).path());
    wait_healthy(&host, "pair");
}

#[test]
fn the_commands_of_systemd_and_git_work_on_tenants() {
    let (host, pair) = deployed("commands");
    host.exec_ok(["systemctl", "status", "tenant@pair", "tenant-network@pair"]);

    let web = invocation(&host, "pair-web");
    host.exec_ok(["systemctl", "restart", "tenant@pair"]);
    wait_healthy(&host, "pair");
    assert_ne!(invocation(&host, "pair-web"), web);
    host.exec_ok(["systemctl", "restart", "tenant-network@pair"]);
    host.exec_ok(["systemctl", "reload", "tenant-network@pair"]);
    wait_healthy(&host, "pair");

    // A fetch by hand and a reload deploy what was fetched. The repository takes the commit without a hook here.
    let green = command(PAINT, "env: { COLOR: green }\n");
    pair.write("containers/web/config.yaml", &green);
    host.put(pair.path(), "/root/by-hand");
    host.sh("cd /root/by-hand; git init -q -b main; \
         git fetch -q /var/lib/bitbuilder/git/pair.git main; git reset -q --soft FETCH_HEAD; \
         git add -A; git -c user.name=t -c user.email=t@example.org commit -qm green; \
         git -C /var/lib/bitbuilder/git/pair.git fetch -q /root/by-hand main:main; \
         git -C /var/lib/tenants/pair/config.git fetch -q; \
         systemctl reload tenant@pair");
    host.wait_for("the new colour", || {
        host.read_file(&upper("pair", "web", "srv/color")) == "green\n"
    });
    host.exec_ok(["systemctl", "enable", "--now", "tenant@pair"]);

    // A reload that takes the tenant down finishes all the same.
    let off = host
        .read_file("/root/by-hand/metadata.json")
        .replace("true", "false");
    host.write_file("/root/by-hand/metadata.json", off);
    host.sh(
        "cd /root/by-hand; git -c user.name=t -c user.email=t@example.org commit -qam off; \
         git -C /var/lib/bitbuilder/git/pair.git fetch -q /root/by-hand main:main; \
         git -C /var/lib/tenants/pair/config.git fetch -q",
    );
    host.exec(["systemctl", "reload", "tenant@pair"]);
    host.wait_for("the tenant is stopped", || {
        status(&host, "pair")["health"] == "Stopped"
    });
    host.wait_for("the pass is done", || {
        !host.exists("/var/lib/tenants/pair/journal.json")
    });

    let unknown = host.exec(["systemctl", "start", "tenant@nobody"]);
    assert!(!unknown.status.success());
    let journal = host.journal(&["-b", "-u", "setup-tenant@nobody"]);
    assert!(
        journal.contains("nobody is not in the registry"),
        "{journal}"
    );
}

#[test]
fn the_first_start_of_a_registered_tenant_provisions_it() {
    let host = TestHost::new("first-start");
    host.init();
    let pair = pair();
    // Accepted before the registry knows it, so that no pass has seen it: the start below makes the first one.
    host.push_ok("system", Repository::system(&["pair"]).path());
    host.put(pair.path(), "/root/pair");
    host.sh(
        "systemctl stop bitbuilder-sync.timer; cd /root/pair; git init -q -b main; git add -A; \
         git -c user.name=t -c user.email=t@example.org commit -qm first; \
         git -C /var/lib/bitbuilder/git/pair.git fetch -q /root/pair main:main",
    );
    assert!(!host.exists("/var/lib/tenants/pair/current"));
    host.exec_ok(["systemctl", "enable", "--now", "tenant@pair"]);
    wait_healthy(&host, "pair");
}
