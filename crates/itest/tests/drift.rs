//! What differs on a real host without a new commit: it is seen, said, and put right with as little as possible.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, invocation, wait_healthy};
use serde_json::Value;

const WEB: &str = "systemd-nspawn@pair-web.service";
const DB: &str = "systemd-nspawn@pair-db.service";

/// Rules of every form that documents can ask for: nft says some of them in other words than they were given.
const FIREWALL: &str = "rules:
  - { from: web, to: db, protocol: tcp, ports: [5432, 80, 81, 8000-8010, 8005-8020], action: accept, log: true }
  - { from: any, to: db, protocol: udp, ports: [53], action: drop }
  - { from: 10.1.2.0/24, to: web, action: reject }
  - { from: 10.9.9.9/32, to: web, protocol: tcp, action: drop, log: true }
  - { from: fd12:3456::/32, to: db, action: drop }
  - { from: host, to: web, action: accept }
  - { from: web, to: outside, protocol: tcp, ports: [25], action: reject }
  - { from: default, to: back, action: accept }
  - { from: db, to: host, protocol: udp, action: reject }
";

fn deployed(name: &str) -> TestHost {
    deployed_with(name, &[])
}

/// The same with more files.
fn deployed_with(name: &str, more: &[(&str, &str)]) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    let system = Repository::system(&["pair"]);
    // A health check that fails for want of a link is nobody's reason to try again what was deployed.
    system.write(".gitops/config.yaml", "health: { window: 1s }\n");
    host.push_ok("system", system.path());
    let pair = Repository::tenant("pair");
    let serve = "exec busybox httpd -f -p 80 -h /srv";
    let web = "health: { tcp: 80, interval: 1s }\nresources: { cpu: 0.5, memory: 128M, tasks: 64 }\n\
               networks: [ { network: default }, { network: back } ]\n";
    pair.write("containers/web/config.yaml", &command(serve, web));
    pair.write(
        "containers/db/config.yaml",
        &booted("resources: { memory: 256M }\n"),
    );
    pair.write(
        "network/topology.yaml",
        "networks:\n  default: { mode: isolated-bridge, nat: true, ipv6: auto }\n  back: { mode: isolated-bridge }\n\
         publish:\n  - { port: 8080, protocol: tcp, to: web, toPort: 80 }\n",
    );
    pair.write("network/firewall/10-all.yaml", FIREWALL);
    for (path, content) in more {
        pair.write(path, content);
    }
    host.push_ok("pair", pair.path());
    wait_healthy(&host, "pair");
    host.wait_for("its window is over", || {
        common::status(&host, "pair")["window"].is_null()
    });
    // Passes happen when the test asks for them.
    host.exec_ok(["systemctl", "stop", "bitbuilder-sync.timer"]);
    host
}

/// What `bbctl drift` says.
#[track_caller]
fn items(host: &TestHost) -> Vec<Value> {
    let text = host.exec_ok(["bbctl", "drift", "--json"]);
    let found: Value = serde_json::from_str(&text).unwrap();
    let tenant = &found["tenants"][0];
    assert_eq!(tenant["error"], Value::Null, "{text}");
    tenant["items"].as_array().unwrap().clone()
}

#[track_caller]
fn assert_none(host: &TestHost) {
    let items = items(host);
    assert!(items.is_empty(), "{items:#?}");
    let status = host.exec(["bbctl", "drift", "--exit-code"]).status;
    assert_eq!(status.code(), Some(0));
}

/// Something that is done to the host, and what is seen of it.
struct Deed {
    script: &'static str,
    /// What, how, and the end of the subject.
    seen: &'static [(&'static str, &'static str, &'static str)],
    /// Machines that a repair restarts.
    restarts: &'static [&'static str],
}

/// Does it, sees exactly that, has a pass say it once, and puts it right.
fn check(host: &TestHost, deed: &Deed) {
    let Deed { script, .. } = deed;
    let before = ["pair-web", "pair-db"].map(|machine| invocation(host, machine));
    let said = || host.sh("bbctl events pair | grep -c drifted || true");
    let earlier: u32 = said().trim().parse().unwrap();
    host.sh(script);
    let items = items(host);
    let found: Vec<String> = items
        .iter()
        .map(|item| {
            let text = |key: &str| item[key].as_str().unwrap();
            format!("{} {} {}", text("how"), text("what"), text("subject"))
        })
        .collect();
    assert_eq!(found.len(), deed.seen.len(), "{script}: {items:#?}");
    for (what, how, end) in deed.seen {
        let is = |item: &Value| {
            item["what"] == *what
                && item["how"] == *how
                && item["subject"].as_str().unwrap().ends_with(end)
        };
        assert!(
            items.iter().any(is),
            "{script}: {what} {how} {end} in {found:#?}"
        );
    }
    assert!(
        items
            .iter()
            .all(|item| item["command"] == "bbctl sync pair --repair")
    );
    for _ in 0..2 {
        host.exec_ok(["bbctl", "sync"]);
    }
    let later: u32 = said().trim().parse().unwrap();
    assert_eq!(later, earlier + 1, "{script}: said once");
    let status = common::status(host, "pair");
    assert_eq!(status["sync"], "OutOfSync", "{script}: {status}");

    host.exec_ok(["bbctl", "sync", "pair", "--repair"]);
    assert_none(host);
    for (machine, before) in ["pair-web", "pair-db"].iter().zip(before) {
        let restarted = invocation(host, machine) != before;
        assert_eq!(
            restarted,
            deed.restarts.contains(machine),
            "{script}: {machine}"
        );
    }
    wait_healthy(host, "pair");
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(common::status(host, "pair")["sync"], "Synced", "{script}");
}

#[test]
fn a_host_as_it_was_made_has_no_drift() {
    // It does its work and ends: what it is about, it has done.
    let job = ("containers/job/config.yaml", &*command("echo 1 >/done", ""));
    let host = deployed_with("drift-none", &[job]);
    let ended = || {
        let done = host.exists(&common::upper("pair", "job", "done"));
        let state = host.sh_try("systemctl is-active systemd-nspawn@pair-job");
        done && state.stdout == b"inactive\n"
    };
    host.wait_for("the job is done", ended);
    assert_none(&host);
    host.exec_ok(["bbctl", "sync"]);
    host.exec_ok(["bbctl", "sync"]);
    host.crash();
    host.boot();
    wait_healthy(&host, "pair");
    host.wait_for("the job is done again", ended);
    assert_none(&host);
    host.exec_ok(["bbctl", "sync"]);
    let events = host.exec_ok(["bbctl", "events"]);
    assert!(!events.contains("drifted"), "{events}");
}

#[test]
fn units_files_and_limits_are_put_right() {
    let host = deployed("drift-units");
    let deeds = [
        Deed {
            script: "systemctl stop systemd-nspawn@pair-web",
            seen: &[("unit", "stopped", WEB)],
            restarts: &["pair-web"],
        },
        Deed {
            script: "systemctl mask systemd-nspawn@pair-db 2>/dev/null; systemctl mask --runtime tenant@pair 2>/dev/null",
            seen: &[
                ("unit", "masked", DB),
                ("unit", "masked", "tenant@pair.service"),
            ],
            restarts: &[],
        },
        Deed {
            script: "systemctl set-property systemd-nspawn@pair-web TasksMax=99; \
                     systemctl set-property --runtime tenant-pair.slice MemoryMax=1G",
            seen: &[
                ("unit", "overridden", WEB),
                ("unit", "changed", WEB),
                ("unit", "overridden", "tenant-pair.slice"),
                ("unit", "changed", "tenant-pair.slice"),
            ],
            restarts: &[],
        },
        Deed {
            script: "d=/etc/systemd/system/systemd-nspawn@pair-web.service.d; mkdir -p $d; \
                     printf '[Service]\\nEnvironment=A=1\\n' >$d/override.conf; systemctl daemon-reload",
            seen: &[("unit", "overridden", WEB)],
            restarts: &[],
        },
        Deed {
            script: "d=/etc/systemd/system/systemd-nspawn@pair-web.service.d; mkdir -p $d; \
                     printf '[Service]\\nEnvironment=A=1\\n' >$d/override.conf; touch -d '1 minute ago' $d/override.conf; \
                     systemctl daemon-reload; systemctl restart systemd-nspawn@pair-web",
            seen: &[("unit", "overridden", WEB)],
            restarts: &["pair-web"],
        },
        Deed {
            script: "c=/var/lib/tenants/pair/current; echo '# x' >>$c/system/tenant-pair.slice; rm $c/hosts/db; \
                     chmod 600 $c/boot; echo x >$c/more",
            seen: &[
                ("file", "changed", "/system/tenant-pair.slice"),
                ("file", "missing", "/hosts/db"),
                ("file", "changed", "/boot"),
                ("file", "foreign", "/more"),
            ],
            restarts: &[],
        },
        Deed {
            script: "rm /run/systemd/generator/tenant@pair.service.wants/systemd-nspawn@pair-web.service",
            seen: &[(
                "file",
                "missing",
                "tenant@pair.service.wants/systemd-nspawn@pair-web.service",
            )],
            restarts: &[],
        },
        Deed {
            script: "systemd-run --quiet --slice=tenant-pair.slice --unit=stranger sleep 1000",
            seen: &[("unit", "foreign", "stranger.service")],
            restarts: &[],
        },
        Deed {
            script: "systemctl stop tenant@pair",
            seen: &[("unit", "stopped", "tenant@pair.service")],
            restarts: &["pair-web", "pair-db"],
        },
    ];
    for deed in &deeds {
        check(&host, deed);
    }

    // A reload is an explicit wish.
    host.exec_ok(["systemctl", "stop", WEB]);
    host.exec_ok(["bbctl", "sync"]);
    host.exec_ok(["systemctl", "reload", "tenant@pair"]);
    host.wait_active(WEB);
    wait_healthy(&host, "pair");
    assert_none(&host);

    // A process of somebody else is for a person to end.
    let pid =
        host.sh("systemd-run --quiet --unit=other sleep 1000; systemctl show -P MainPID other");
    host.sh(&format!(
        "echo {} >/sys/fs/cgroup/tenant.slice/tenant-pair.slice/{WEB}/payload/cgroup.procs",
        pid.trim()
    ));
    let found = items(&host);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["what"], "process");
    assert_eq!(found[0]["command"], format!("kill {}", pid.trim()));
    host.sh(found[0]["command"].as_str().unwrap());
    host.wait_for("the process is gone", || items(&host).is_empty());
}

#[test]
fn networks_are_put_right() {
    let host = deployed("drift-network");
    let port = host.sh("ls /sys/class/net/br-pair/brif | head -n 1");
    let port: &'static str = Box::leak(port.trim().to_owned().into_boxed_str());
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let deeds = [
        Deed {
            script: "nft add rule inet bitbuilder pair/input accept; nft flush chain bridge bitbuilder pair/antispoof",
            seen: &[
                ("rules", "changed", "inet bitbuilder pair/*"),
                ("rules", "changed", "bridge bitbuilder pair/*"),
            ],
            restarts: &[],
        },
        Deed {
            script: "nft delete table inet bitbuilder",
            seen: &[
                ("rules", "missing", "inet bitbuilder"),
                ("rules", "missing", "inet bitbuilder pair/*"),
            ],
            restarts: &[],
        },
        Deed {
            script: "nft delete element inet bitbuilder from '{ \"br-pair\" }'",
            seen: &[("rules", "changed", "inet bitbuilder pair/*")],
            restarts: &[],
        },
        Deed {
            script: "nft insert rule inet bitbuilder input accept",
            seen: &[("rules", "changed", "inet bitbuilder")],
            restarts: &[],
        },
        Deed {
            script: "nft add element bridge bitbuilder pair/macs '{ \"x\" . 02:00:00:00:00:01 }'",
            seen: &[("rules", "changed", "bridge bitbuilder pair/*")],
            restarts: &[],
        },
        Deed {
            script: "rm /run/systemd/network/10-bitbuilder-br-pair.network; echo >>/run/systemd/network/10-bitbuilder-br-pair.netdev; \
                     echo 6.6.6.6 db >>/var/lib/tenants/pair/hosts/web",
            seen: &[
                ("file", "missing", "/10-bitbuilder-br-pair.network"),
                ("file", "changed", "/10-bitbuilder-br-pair.netdev"),
                ("file", "changed", "/hosts/web"),
            ],
            restarts: &[],
        },
        Deed {
            script: "ip link set br-pair down",
            seen: &[("link", "down", "br-pair")],
            restarts: &[],
        },
        Deed {
            script: "ip address add 10.99.0.1/24 dev br-pair",
            seen: &[("link", "changed", "br-pair")],
            restarts: &[],
        },
        Deed {
            script: "ip link add x0 type veth peer name x1; ip link set x0 master br-pair up",
            seen: &[("link", "foreign", "x0")],
            restarts: &[],
        },
        Deed {
            script: leak(format!("ip link set {port} nomaster")),
            seen: Box::leak(Box::new([("link", "changed", port)])),
            restarts: &[],
        },
        Deed {
            script: leak(format!("ip link set {port} down")),
            seen: Box::leak(Box::new([("link", "down", port)])),
            restarts: &[],
        },
    ];
    for deed in &deeds {
        check(&host, deed);
    }

    // A bridge that is gone: its ports come back with it.
    let ports = host.sh("ls /sys/class/net/br-pair/brif");
    host.exec_ok(["ip", "link", "delete", "br-pair"]);
    let found = items(&host);
    assert!(
        found.iter().any(|item| item["how"] == "missing"),
        "{found:#?}"
    );
    host.exec_ok(["bbctl", "sync", "pair", "--repair"]);
    host.exec_ok(["bbctl", "sync", "pair", "--repair"]);
    assert_eq!(host.sh("ls /sys/class/net/br-pair/brif"), ports);
    assert_none(&host);

    // An operator's file for networkd is the operator's to remove.
    host.write_file(
        "/etc/systemd/network/10-bitbuilder-br-pair.network.d/50-mine.conf",
        "[Network]\nIPv4Forwarding=no\n",
    );
    let found = items(&host);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0]["command"].as_str().unwrap().starts_with("rm -r "));
}

#[test]
fn the_policy_puts_right_what_a_timer_finds() {
    let host = deployed("drift-policy");
    let system = Repository::system(&["pair"]);
    system.write(".gitops/config.yaml", "drift: { policy: repair }\n");
    host.push_ok("system", system.path());
    host.exec_ok(["bbctl", "sync"]);
    let db = invocation(&host, "pair-db");
    host.exec_ok(["systemctl", "stop", WEB]);
    host.sh("nft flush chain inet bitbuilder pair/input");
    host.exec_ok(["systemctl", "start", "bitbuilder-sync.service"]);
    host.wait_active(WEB);
    wait_healthy(&host, "pair");
    assert_none(&host);
    assert_eq!(invocation(&host, "pair-db"), db);
    let events = host.exec_ok(["bbctl", "events", "pair"]);
    for word in ["drifted", "repaired"] {
        assert!(events.contains(word), "{events}");
    }
}

#[test]
fn who_stopped_it_is_told_where_the_journal_tells() {
    let host = deployed("drift-who");
    host.sh(
        "logger --tag sudo -- 'olga : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/systemctl stop systemd-nspawn@pair-web'; \
         systemctl stop systemd-nspawn@pair-web; journalctl --sync",
    );
    host.sh(
        "mkdir -p /etc/systemd/system/systemd-nspawn@pair-db.service.d; \
         echo '[Service]' >/etc/systemd/system/systemd-nspawn@pair-db.service.d/x.conf; \
         chown 1234 /etc/systemd/system/systemd-nspawn@pair-db.service.d/x.conf",
    );
    let found = items(&host);
    let by = |how: &str| {
        let item = found.iter().find(|item| item["how"] == how).unwrap();
        assert!(item["since"].is_u64(), "{item}");
        item["by"].as_str().unwrap_or_default().to_owned()
    };
    assert!(by("stopped").contains("olga"), "{found:#?}");
    assert!(by("overridden").contains("1234"), "{found:#?}");
}
