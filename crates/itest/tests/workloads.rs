//! What containers are given and what they are kept from.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, invocation, status, upper, wait_healthy};

fn host_with(name: &str, id: &str) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    host.push_ok("system", Repository::system(&[id]).path());
    host
}

#[test]
fn volumes_credentials_layers_and_order() {
    let host = host_with("given", "box");
    let secret =
        host.sh("printf 's3cret' | systemd-creds encrypt --with-key=host --name=token - -");
    let tenant = Repository::tenant("box");
    // `first` becomes healthy only after a while; `second` must not start before.
    tenant.write(
        "containers/first/config.yaml",
        &command(
            "cat $CREDENTIALS_DIRECTORY/token > /data/seen; cat /etc/motto >> /data/seen; sleep 2; \
             echo up > /data/up; exec busybox httpd -f -p 80 -h /data",
            "volumes: [ { name: data, mount: /data } ]\n\
             credentials: { token: { encrypted: token.cred } }\n\
             health: { http: { port: 80, path: /up }, interval: 1s, retries: 20 }\n",
        ),
    );
    tenant.write("containers/first/token.cred", &secret);
    tenant.write("containers/first/rootfs-overlay/etc/motto", "layered\n");
    tenant.write(
        "containers/second/config.yaml",
        &command(
            "busybox wget -q -T 3 -O /srv/first http://first/up; exec sleep infinity",
            "dependsOn: [first]\n",
        ),
    );
    host.push_ok("box", tenant.path());
    wait_healthy(&host, "box");
    let volume = "/var/lib/tenants/box/volumes/data";
    assert_eq!(host.read_file(&format!("{volume}/seen")), "s3cretlayered\n");
    assert_eq!(host.read_file(&upper("box", "second", "srv/first")), "up\n");
    // The secret is nowhere but in the credential and in what the container made of it.
    let found = host.sh("grep -rl s3cret /var/lib/bitbuilder /var/lib/tenants/box/generations /run/bitbuilder || true");
    assert_eq!(found, "");

    // The layer changes, the volume stays.
    host.write_file(&format!("{volume}/kept"), "kept");
    tenant.write("containers/first/rootfs-overlay/etc/motto", "again\n");
    host.push_ok("box", tenant.path());
    wait_healthy(&host, "box");
    assert_eq!(host.read_file(&format!("{volume}/seen")), "s3cretagain\n");
    assert_eq!(host.read_file(&format!("{volume}/kept")), "kept");
}

#[test]
fn what_ends_is_started_again_as_its_policy_says() {
    let host = host_with("restart", "box");
    let tenant = Repository::tenant("box");
    tenant.write(
        "containers/server/config.yaml",
        &command("exec sleep infinity", "restart: always\n"),
    );
    tenant.write(
        "containers/once/config.yaml",
        &command("echo x >> /srv/runs", "restart: no\n"),
    );
    host.push("box", tenant.path());
    host.wait_active("systemd-nspawn@box-server.service");
    let before = invocation(&host, "box-server");
    host.sh(
        "kill -9 $(systemctl show --property=MainPID --value systemd-nspawn@box-server.service)",
    );
    host.wait_for("a new start", || invocation(&host, "box-server") != before);
    host.wait_active("systemd-nspawn@box-server.service");
    host.wait_for("the end of the command", || {
        let unit = "systemd-nspawn@box-once.service";
        host.exec_ok([
            "systemctl",
            "show",
            "--property=ActiveState",
            "--value",
            unit,
        ]) == "inactive\n"
    });
    // What is done stays done, whatever passes come.
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(host.read_file(&upper("box", "once", "srv/runs")), "x\n");
}

#[test]
fn confinement_and_limits() {
    let host = host_with("confined", "box");
    let tenant = Repository::tenant("box");
    tenant.write(
        "containers/os/config.yaml",
        &booted("resources: { cpu: 0.5, memory: 256M, tasks: 100 }\n"),
    );
    let report = "for key in CapBnd NoNewPrivs Seccomp; do grep ^$key: /proc/self/status; done > /srv/report; \
                  cat /proc/self/uid_map >> /srv/report; exec sleep infinity";
    tenant.write("containers/app/config.yaml", &command(report, ""));
    tenant.write(
        "containers/fixed/config.yaml",
        &command(
            "touch /srv/x 2>/dev/null && exit 9; exec sleep infinity",
            "readOnly: true\n",
        ),
    );
    host.push_ok("box", tenant.path());
    wait_healthy(&host, "box");

    let report = host.read_file(&upper("box", "app", "srv/report"));
    let value = |key: &str| {
        let line = report.lines().find(|line| line.starts_with(key));
        line.and_then(|line| line.split_whitespace().nth(1))
            .unwrap()
            .to_owned()
    };
    let capabilities = u64::from_str_radix(&value("CapBnd:"), 16).unwrap();
    for (name, bit) in [
        ("SYS_ADMIN", 21),
        ("SYS_MODULE", 16),
        ("SYS_PTRACE", 19),
        ("SYS_TIME", 25),
        ("NET_ADMIN", 12),
        ("MKNOD", 27),
    ] {
        assert_eq!(
            capabilities & (1 << bit),
            0,
            "CAP_{name} in {capabilities:x}"
        );
    }
    assert_eq!(value("NoNewPrivs:"), "1");
    assert_eq!(value("Seccomp:"), "2");
    let map: Vec<u64> = report
        .lines()
        .last()
        .unwrap()
        .split_whitespace()
        .map(|n| n.parse().unwrap())
        .collect();
    assert!(
        map[0] == 0 && map[1] >= 0x1000_0000 && map[2] == 65_536,
        "{map:?}"
    );

    // Limits are the unit's, and change while it runs.
    let unit = "systemd-nspawn@box-os.service";
    let show = |property: &str| {
        let property = format!("--property={property}");
        host.exec_ok(["systemctl", "show", "--value", &property, unit])
    };
    assert_eq!(show("MemoryMax").trim(), (256 << 20).to_string());
    assert_eq!(show("CPUQuotaPerSecUSec").trim(), "500ms");
    assert_eq!(show("TasksMax").trim(), "100");
    let before = invocation(&host, "box-os");
    tenant.write(
        "containers/os/config.yaml",
        &booted("resources: { cpu: 1, memory: 512M, tasks: 200 }\n"),
    );
    let output = host.push_ok("box", tenant.path());
    assert!(!output.contains("restart"), "{output}");
    wait_healthy(&host, "box");
    assert_eq!(show("MemoryMax").trim(), (512 << 20).to_string());
    assert_eq!(invocation(&host, "box-os"), before);

    // Everything that was made is what systemd itself calls right, and says where it is from.
    let units = host.exec_ok([
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        "--full",
        "tenant@box*",
        "tenant-network@box*",
        "tenant-box.slice",
        "systemd-nspawn@box-*",
        "var-lib-tenants-box-*.mount",
    ]);
    let names: Vec<&str> = units
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(names.len() >= 8, "{units}");
    // By path what is generated: `verify` does not look there by name.
    let paths = names.iter().map(|name| {
        if name.ends_with(".mount") || name.ends_with(".slice") {
            format!("/run/systemd/generator/{name}")
        } else {
            (*name).to_owned()
        }
    });
    let verify = ["systemd-analyze", "verify", "--man=no"].map(str::to_owned);
    let verify = host.exec(verify.into_iter().chain(paths));
    assert!(verify.status.success(), "{verify:?}");
    for unit in ["tenant-box.slice", "systemd-nspawn@box-os.service"] {
        let text = host.exec_ok(["systemctl", "cat", unit]);
        assert!(text.contains("X-BitBuilder-Tenant=box"), "{text}");
    }
    let explained = host.exec_ok([
        "bbctl",
        "explain",
        "systemd-nspawn@box-os.service",
        "--json",
    ]);
    assert!(
        explained.contains("containers/os/config.yaml"),
        "{explained}"
    );
    let pid = show("MainPID");
    let explained = host.exec_ok(["bbctl", "explain", pid.trim(), "--json"]);
    assert!(
        explained.contains("containers/os/config.yaml"),
        "{explained}"
    );
}

#[test]
fn a_workload_that_fails_its_check_is_shown_degraded() {
    let host = host_with("degraded", "box");
    let tenant = Repository::tenant("box");
    tenant.write(
        "containers/app/config.yaml",
        &command(
            "exec sleep infinity",
            "health: { command: [/bin/false], interval: 1s, retries: 2, startPeriod: 0s }\n",
        ),
    );
    host.push("box", tenant.path());
    host.wait_for("a verdict", || status(&host, "box")["health"] == "Degraded");
    tenant.write(
        "containers/app/config.yaml",
        &command(
            "exec sleep infinity",
            "health: { command: [/bin/true], interval: 1s, retries: 2 }\n",
        ),
    );
    let before = invocation(&host, "box-app");
    host.push_ok("box", tenant.path());
    wait_healthy(&host, "box");
    assert_eq!(
        invocation(&host, "box-app"),
        before,
        "a check changes without a restart"
    );
}
