//! The quick start as it stands: a virtual machine that runs, is asked, crashes, and goes without a trace.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, status, wait_healthy};
use std::path::Path;

const TENANT: &str = "tenant-001";
const UNIT: &str = "systemd-vmspawn@tenant-001-main.service";

/// The quick start, unchanged.
fn quick_start() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/quick-start"
    ))
}

fn show(host: &TestHost, property: &str) -> String {
    let property = format!("--property={property}");
    let shown = host.exec_ok(["systemctl", "show", "--value", &property, UNIT]);
    shown.trim().to_owned()
}

#[test]
fn the_quick_start_is_a_machine_that_runs() {
    let host = TestHost::new("quick-start");
    host.init();
    host.push_ok("system", Repository::system(&[TENANT]).path());
    let said = host.push_ok(TENANT, quick_start());
    assert!(
        said.contains("256M of the tenant's 4G are for QEMU"),
        "{said}"
    );
    assert!(said.contains("machine `main` is emulated"), "{said}");
    wait_healthy(&host, TENANT);

    // Its address is the one that the host allocated, on the bridge that the documents name.
    let state = status(&host, TENANT);
    let address = "10.64.0.10";
    assert!(state.to_string().contains(address), "{state}");
    let ports = host.sh("ip -o -d link show master br-tenant001");
    assert!(ports.contains("tun type tap"), "{ports}");
    host.exec_ok(["ping", "-c1", "-W5", address]);

    // QEMU is nobody on the host, in the tenant's slice.
    let base = allocated(&host);
    let pid = host.sh("pgrep -f ^/usr/bin/qemu-system");
    let pid = pid.trim();
    let process = host.read_file(&format!("/proc/{pid}/status"));
    let uid = base + 65_533;
    assert!(
        process.contains(&format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}")),
        "{process}"
    );
    assert!(process.contains("CapEff:\t0000000000000000"), "{process}");
    let group = host.read_file(&format!("/proc/{pid}/cgroup"));
    assert!(group.contains("/tenant-tenant\\x2d001.slice/"), "{group}");

    // What it says on its serial line is in the journal.
    let logs = host.exec_ok(["bbctl", "logs", "tenant-001/main"]);
    assert!(logs.contains("Linux version"), "{logs}");

    // Its terminal has a shell of root; the file system has grown with the disk.
    let line = "\\necho size=$(df --output=size -BG / | tail -1 | tr -dc 0-9)G\\n";
    let ask = format!("printf '{line}' | timeout 10 bbctl console {TENANT} 2>&1");
    host.wait_for("a shell on its terminal", || {
        let seen = host.sh_try(&ask).stdout;
        String::from_utf8_lossy(&seen).contains("size=47G")
    });

    // There is no KVM in a container host; the probe itself works.
    let probe = "/usr/lib/bitbuilder/kvm-probe";
    assert_eq!(host.exec_ok([probe, "tcg"]), "a guest runs with tcg\n");
    assert!(
        host.exec_ok([probe])
            .starts_with("no guest runs with kvm: ")
    );
    assert_eq!(host.read_file("/run/bitbuilder/kvm"), "no\n");

    // A machine that was killed comes back with the host.
    let before = show(&host, "InvocationID");
    host.crash();
    host.start();
    host.wait_active(UNIT);
    assert_ne!(show(&host, "InvocationID"), before);
    wait_healthy(&host, TENANT);

    // Gone, and not killed: no process, no tap, no bridge; the disk stays for its time.
    host.push_ok("system", Repository::system(&[]).path());
    host.wait_for("no QEMU", || {
        !host.exec(["pgrep", "qemu-system"]).status.success()
    });
    let said = host.exec_ok(["journalctl", "--no-pager", "--unit", UNIT, "--lines=40"]);
    assert!(said.contains("reboot: Power down"), "{said}");
    let links = host.sh("ip -o link");
    assert!(!links.contains("tenant"), "{links}");
    let kept = host.sh("ls /var/lib/tenants/tenant-001/machines/main");
    assert_eq!(kept, "disk.raw\ninitrd\nkernel\n");
}

/// First uid of the tenant.
fn allocated(host: &TestHost) -> u32 {
    let text = host.read_file("/var/lib/bitbuilder/allocations.json");
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let base = value["tenants"][TENANT]["uid_base"].as_u64().unwrap();
    u32::try_from(base).unwrap()
}
