//! The harness itself: a host of its own per test, with our package on it.

use bitbuilder_itest::{TestHost, package, repository};
use std::path::Path;

#[test]
fn a_host_has_our_package_and_boots_without_a_failed_unit() {
    let host = TestHost::new("package");
    for entry in package::manifest(&repository(), Path::new("/")).unwrap() {
        assert!(host.exists(&entry.path), "{} is missing", entry.path);
    }
    for name in ["metadata.json", "digest", "rootfs/etc/os-release"] {
        let path = format!("/usr/lib/bitbuilder/templates/tenant-container/{name}");
        assert!(host.exists(&path), "{path} is missing");
    }
    let timer = host.exec_ok(["systemctl", "is-enabled", "bitbuilder-sync.timer"]);
    assert_eq!(timer.trim(), "enabled");
    let units = "tenant@x.service tenant-health@x.timer bitbuilder-sync.timer";
    host.sh(&format!("systemd-analyze verify --man=no {units}"));
    assert_eq!(host.exec(["sh", "-c", "exit 7"]).status.code(), Some(7));
}

#[test]
fn a_crash_keeps_what_was_written_and_the_journal_of_every_boot() {
    let host = TestHost::new("crash");
    host.write_file("/root/deep/note", "kept");
    host.sh("sync; echo before the crash | systemd-cat -t harness; journalctl --sync");
    host.crash();
    assert!(
        host.journal(&["-t", "harness"])
            .contains("before the crash")
    );
    host.boot();
    assert_eq!(host.read_file("/root/deep/note"), "kept");
    assert!(
        !host
            .journal(&["-b", "-t", "harness"])
            .contains("before the crash")
    );
}

#[test]
fn a_host_without_its_uplink_boots_too() {
    let host = TestHost::stopped("offline");
    host.start();
    host.set_uplink(false);
    host.wait_active("multi-user.target");
    host.wait_sh("networkctl status up0 | grep -q no-carrier");
    host.set_uplink(true);
    host.wait_for("the host answers", || {
        let ping = format!("ping -c 1 -W 1 {}", host.address());
        host.outside(&ping).status.success()
    });
    host.sh("ping -c 1 -W 5 198.18.0.1");
}
