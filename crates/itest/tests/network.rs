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
    let system = Repository::system(&["open", "shut", "many"]);
    host.push_ok("system", system.path());
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
    several(&host);
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

/// Machines of several networks, with DHCP and without, by IPv4 and IPv6: they meet in each of them, go out by the first one
/// only, and have the same addresses after a reboot.
fn several(host: &TestHost) {
    let many = Repository::tenant("many");
    let networks = |names: [&str; 3]| {
        let names = names
            .map(|name| format!("{{ network: {name} }}"))
            .join(", ");
        format!("networks: [{names}]\n")
    };
    let web = format!("env: {{ NAME: many }}\n{CHECKED}");
    let all = networks(["default", "back", "fixed"]);
    many.write("containers/web/config.yaml", &command(SERVE, &(web + &all)));
    many.write("containers/look/config.yaml", &booted(&all));
    let fixed = networks(["fixed", "default", "back"]);
    many.write("containers/still/config.yaml", &booted(&fixed));
    many.write(
        "network/topology.yaml",
        "networks:\n  default: { nat: true }\n  back: {}\n  fixed: { dhcp: false }\n",
    );
    host.push_ok("many", many.path());
    wait_healthy(host, "many");
    meet(host);
    let before = global(host);
    host.stop();
    host.boot();
    wait_healthy(host, "many");
    meet(host);
    assert_eq!(global(host), before);
}

fn meet(host: &TestHost) {
    for machine in ["many-look", "many-still"] {
        for network in ["default", "back", "fixed"] {
            let there = format!("web.{network}");
            let ping = format!("ping -6 -c 1 -W 2 {there} && busybox ping -c 1 -W 2 {there}");
            host.wait_for(&format!("{machine} and {there}"), || {
                inside(host, machine, &ping).status.success()
            });
            let fetch = format!("busybox wget -q -T 3 -O - http://{there}/");
            assert_eq!(works(host, machine, &fetch), "many\n");
        }
        // The name of an address, of either kind.
        let back = "for kind in ahostsv4 ahostsv6; do
            address=$(getent $kind web | head -n 1 | cut -d ' ' -f 1); getent hosts $address
        done";
        let names = works(host, machine, back);
        let named = names.lines().filter(|line| line.contains("web"));
        assert_eq!(named.count(), 2, "{names}");
        for family in ["-4", "-6"] {
            let ways = works(host, machine, &format!("ip {family} route show default"));
            let first = ways.lines().all(|way| way.contains("dev host0"));
            assert!(first && !ways.is_empty(), "{machine}: {ways}");
        }
    }
    // Where nobody gives addresses they are written down.
    let written = works(
        host,
        "many-still",
        "ip -6 -o address show dev host0 scope global",
    );
    assert!(
        !written.contains("dynamic") && written.contains("/64"),
        "{written}"
    );
}

/// The addresses of the machines of `many`, in order.
fn global(host: &TestHost) -> Vec<String> {
    let show = "ip -o address show scope global | sed 's/.* \\(inet6\\? [^ ]*\\) .*/\\1/' | sort";
    let machines = ["many-look", "many-still"].map(|machine| works(host, machine, show));
    let web = host.sh(&format!("ip netns exec machine-many-web sh -c \"{show}\""));
    machines.into_iter().chain([web]).collect()
}
