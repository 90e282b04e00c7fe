//! What tenants' networks let through: addresses, names, the way out where it is asked for, published ports.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, inside, wait_healthy, works};

const SERVE: &str = "echo $NAME > /srv/index.html; exec busybox httpd -f -p 80 -h /srv";
const CHECKED: &str = "health: { tcp: 80, interval: 1s }\n";

/// `open` has a way out, `shut` has none; each has a web server and a machine to look from.
fn prepared() -> TestHost {
    let host = TestHost::new("network");
    host.init();
    host.push_ok("system", Repository::system(&["open", "shut"]).path());
    for (id, nat, port) in [("open", "true", 8080), ("shut", "false", 8081)] {
        let tenant = Repository::tenant(id);
        let env = format!("env: {{ NAME: {id} }}\n{CHECKED}");
        tenant.write("containers/web/config.yaml", &command(SERVE, &env));
        tenant.write("containers/look/config.yaml", &booted(""));
        tenant.write(
            "network/topology.yaml",
            &format!(
                "networks:\n  default: {{ mode: isolated-bridge, nat: {nat} }}\n\
                 publish:\n  - {{ port: {port}, protocol: tcp, to: web, toPort: 80 }}\n"
            ),
        );
        host.push_ok(id, tenant.path());
        wait_healthy(&host, id);
    }
    host
}

#[test]
fn networks_do_what_their_documents_say() {
    let host = prepared();
    addresses(&host);
    names(&host);
    published(&host);
    way_out(&host);
    host.exec_ok(["bbctl", "explain", "br-open"]);
}

/// A booted container has the address by DHCP that the host allocated, and the host names it.
fn addresses(host: &TestHost) {
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: serde_json::Value = serde_json::from_str(&allocations).unwrap();
    let interface = &allocations["tenants"]["open"]["machines"]["look"]["interfaces"]["default"];
    let address = interface["address"].as_str().unwrap();
    let mac = interface["mac"].as_str().unwrap();
    host.wait_for("an address by DHCP", || {
        let seen = works(host, "open-look", "ip -4 -o address show; ip link show");
        seen.contains(&format!("inet {address}/")) && seen.contains(mac)
    });
}

/// Machines of a tenant have names in the tenant and nowhere else.
fn names(host: &TestHost) {
    let fetch = |name: &str| format!("busybox wget -q -T 3 -O - http://{name}/");
    assert_eq!(works(host, "open-look", &fetch("web")), "open\n");
    assert_eq!(works(host, "shut-look", &fetch("web")), "shut\n");
    let hosts = works(host, "open-look", "cat /etc/hosts");
    assert!(!hosts.contains("shut"), "{hosts}");
}

/// What is published is reached from outside, with the address of who asks.
fn published(host: &TestHost) {
    let address = host.address();
    for (port, name) in [(8080, "open\n"), (8081, "shut\n")] {
        let script = format!("busybox wget -q -T 5 -O - http://{address}:{port}/");
        let output = host.outside(&script);
        assert_eq!(String::from_utf8_lossy(&output.stdout), name, "{output:?}");
    }
    let closed = host.outside(&format!("busybox wget -q -T 3 -O - http://{address}:8082/"));
    assert!(!closed.status.success(), "{closed:?}");
    // Nobody comes in beside the published port.
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: serde_json::Value = serde_json::from_str(&allocations).unwrap();
    let web = allocations["tenants"]["open"]["machines"]["web"]["interfaces"]["default"]["address"]
        .as_str()
        .unwrap();
    let beside = host.outside(&format!(
        "ip route add {web}/32 via {address} 2>/dev/null || true; \
         busybox wget -q -T 3 -O - http://{web}/; status=$?; ip route del {web}/32; exit $status"
    ));
    assert!(!beside.status.success(), "{beside:?}");
}

/// With `nat` a tenant reaches the outside as the host; without it nothing leaves.
fn way_out(host: &TestHost) {
    let ping = "busybox ping -c 1 -W 3 198.18.0.1";
    works(host, "open-look", ping);
    assert!(!inside(host, "shut-look", ping).status.success());
}
