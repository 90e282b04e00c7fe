//! What a boot brings up: everything, without a network and without a process of ours that stays.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, generation, invocation, wait_healthy};

#[test]
fn a_crash_and_a_boot_without_network_bring_every_tenant_back() {
    let host = TestHost::new("offline-boot");
    host.init();
    host.push_ok("system", Repository::system(&["one", "two"]).path());
    for id in ["one", "two"] {
        let tenant = Repository::serving(id);
        tenant.write("containers/os/config.yaml", &booted(""));
        host.push_ok(id, tenant.path());
        wait_healthy(&host, id);
    }
    let before = invocation(&host, "one-web");
    // The remotes are gone as well: nothing but the generations is left.
    host.sh("mv /var/lib/bitbuilder/git /var/lib/bitbuilder/git.away; sync");

    host.crash();
    host.start();
    host.set_uplink(false);
    for id in ["one", "two"] {
        host.wait_active(&format!("tenant@{id}.service"));
        wait_healthy(&host, id);
        assert_eq!(generation(&host, id), 1);
    }
    assert_ne!(invocation(&host, "one-web"), before);
    let failed = host.exec_ok(["systemctl", "--failed", "--plain", "--no-legend"]);
    assert_eq!(failed, "", "failed units");

    // Between two health checks nothing of ours runs.
    host.wait_for("no process of ours", || {
        let ours = "/usr/lib/bitbuilder/|bbctl";
        !host.exec(["pgrep", "-f", ours]).status.success()
    });
}
