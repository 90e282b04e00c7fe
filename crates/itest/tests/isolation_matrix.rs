//! Every attack of a table against a neighbour, another tenant, the host and the outside: frames as a hostile root can send
//! them. What is allowed goes the same ways at the same time and arrives, so that nothing is silent for another reason.
//! `docs/networking.md` holds the table (`BLESS=1` writes it).

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::{TestHost, VmHost, repository};
use common::{Repository, booted, command, wait_healthy};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

const ATTACKS: &str = include_str!("isolation_matrix/attacks.py");
const PLACES: [&str; 4] = ["near", "beta", "host", "outside"];
/// Where the table is: of every kernel, and of one with everything beyond that.
const MATRIX: [&str; 2] = ["<!-- matrix -->\n", "<!-- end of matrix -->\n"];
const MORE: [&str; 2] = ["<!-- more -->\n", "<!-- end of more -->\n"];
const TRUNK: &str = "pools: { trunks: [trunk0], vlan: 1000-1999, vni: 70000-70099 }\n";

/// What tenants have: `evil` and `near` are of alpha; `web` of beta publishes port 8080. With `everything` each is in a VLAN
/// of its own too, and `web` in a segment.
fn deploy(host: &TestHost, everything: bool) {
    host.init();
    let of = move |text: &'static str| if everything { text } else { "" };
    let system = Repository::new();
    let entry = |id: &str| {
        json!({
            "id": id,
            "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "allow": {
                "publish": ["tcp/8000-8099", "udp/8000-8099"],
                "networks": ["isolated-bridge", "vlan", "vxlan"],
            },
        })
    };
    let registry = json!({ "tenants": [entry("alpha"), entry("beta")] });
    system.write("tenants/registry.json", &registry.to_string());
    system.write(".gitops/config.yaml", TRUNK);
    host.push_ok("system", system.path());
    let attached = |networks: &[&str]| {
        let networks: Vec<Value> = networks
            .iter()
            .filter(|network| !network.is_empty())
            .map(|network| json!({ "network": network }))
            .collect();
        format!("networks: {}\n", json!(networks))
    };
    let alpha = Repository::tenant("alpha");
    for machine in ["evil", "near"] {
        let config = booted(&attached(&["default", of("lan")]));
        alpha.write(&format!("containers/{machine}/config.yaml"), &config);
    }
    let topology = |id: u16, more: &str| {
        let lan = format!("  lan: {{ mode: vlan, id: {id}, parent: trunk0 }}\n");
        let more = if everything {
            lan + more
        } else {
            String::new()
        };
        format!("networks:\n  default: {{ ipv6: auto }}\n{more}")
    };
    alpha.write("network/topology.yaml", &topology(1100, ""));
    let beta = Repository::tenant("beta");
    let networks = attached(&["default", of("lan"), of("wide")]);
    let health = "health: { tcp: 80, interval: 1s }\n";
    let serve = command(
        "exec busybox httpd -f -p 80",
        &format!("{health}{networks}"),
    );
    beta.write("containers/web/config.yaml", &serve);
    let wide =
        "  wide: { mode: vxlan, vni: 70001, subnet: 10.64.200.0/24, remotes: [198.18.0.1] }\n";
    let publish = "publish:\n  - { port: 8080, to: web, toPort: 80 }\n  \
         - { port: 8080, protocol: udp, to: web, toPort: 80 }\n";
    beta.write("network/topology.yaml", &(topology(1101, wide) + publish));
    for (id, tenant) in [("alpha", &alpha), ("beta", &beta)] {
        host.push_ok(id, tenant.path());
        wait_healthy(host, id);
    }
}

/// The host is as weak as an operator can make it: it has a way out by IPv6 too, forwards, and follows routes that packets
/// name.
fn weaken(host: &TestHost) {
    host.sh(
        "ip -6 address add fd99::2/64 dev up0 nodad; ip -6 neigh replace fd99::1 lladdr 02:00:00:00:99:01 dev up0
        sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
        for key in /proc/sys/net/ipv[46]/conf/*/accept_source_route; do echo 1 >$key; done",
    );
}

/// Two VLANs behind a trunk, and links of the host's that unpack whatever GRE and IPIP bring.
fn everything(host: &TestHost) {
    host.sh(
        "ip link add trunk0 type veth peer name far; ip netns add other; ip link set far netns other
        ip link set trunk0 up; ip -n other link set far up
        ip -n other link add link far name v1101 type vlan id 1101; ip -n other link set v1101 up
        modprobe -a ipip ip_gre sit
        for link in tunl0 gre0 sit0; do ip link set $link up; done",
    );
}

/// What the attacker knows: everything.
fn world(host: &TestHost, everything: bool) -> Value {
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: Value = serde_json::from_str(&allocations).unwrap();
    let text = |path: &str| {
        let found = allocations.pointer(path).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("{path} in {allocations}"))
            .to_owned()
    };
    let interface = |tenant: &str, name: &str, network: &str, key: &str| {
        text(&format!(
            "/tenants/{tenant}/machines/{name}/interfaces/{network}/{key}"
        ))
    };
    let machine = |tenant: &str, name: &str, key: &str| interface(tenant, name, "default", key);
    let network =
        |tenant: &str, key: &str| text(&format!("/tenants/{tenant}/networks/default/{key}"));
    let in_subnet = |tenant: &str, last: &str| {
        let subnet = network(tenant, "subnet/address");
        format!("{}.{last}", subnet.rsplit_once('.').unwrap().0)
    };
    let space = |machine: &str| {
        let leader = host.exec_ok([
            "machinectl",
            "show",
            machine,
            "--property=Leader",
            "--value",
        ]);
        format!("/proc/{}/ns/net", leader.trim())
    };
    let bridge = network("alpha", "link");
    let bridge_mac = host.read_file(&format!("/sys/class/net/{bridge}/address"));
    let mut world = json!({
        "evil": machine("alpha", "evil", "address"), "evil_mac": machine("alpha", "evil", "mac"),
        "evil_host_link": machine("alpha", "evil", "link"), "evil_link": "host0", "evil_space": space("alpha-evil"),
        "near": machine("alpha", "near", "address"), "near_mac": machine("alpha", "near", "mac"),
        "near_space": space("alpha-near"),
        "beta": machine("beta", "web", "address"), "beta_mac": machine("beta", "web", "mac"),
        "beta_space": "/run/netns/machine-beta-web",
        "alpha6": network("alpha", "ipv6"), "beta6": network("beta", "ipv6"),
        "bridge": bridge, "bridge_mac": bridge_mac.trim(), "bridges": [bridge],
        "gateway": in_subnet("alpha", "1"), "beta_gateway": in_subnet("beta", "1"),
        "alpha_broadcast": in_subnet("alpha", "255"), "beta_broadcast": in_subnet("beta", "255"),
        "uplink": host.address().to_string(), "up": "up0",
    });
    if everything {
        let lan = |tenant: &str, name: &str, key: &str| interface(tenant, name, "lan", key);
        let more = json!({
            "bridges": [network("alpha", "link"), text("/tenants/alpha/networks/lan/link")],
            "vni": 70001, "remote": "198.18.0.1",
            "wide": interface("beta", "web", "wide", "address"), "wide_mac": interface("beta", "web", "wide", "mac"),
            "lan": {
                "id": 1100, "link": "host1", "host_link": lan("alpha", "evil", "link"),
                "address": lan("alpha", "evil", "address"), "mac": lan("alpha", "evil", "mac"),
                "others": {
                    "id": 1101, "link": "host1", "space": "/run/netns/other",
                    "address": lan("beta", "web", "address"), "mac": lan("beta", "web", "mac"),
                },
            },
        });
        world
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
    }
    world
}

#[test]
fn nothing_of_an_attack_arrives() {
    let host = TestHost::new("matrix");
    deploy(&host, false);
    let seen = attacked(&host, false);
    assert!(seen.len() >= 22, "{} attacks", seen.len());
    documented(MATRIX, &table(&seen));
}

#[test]
fn nor_on_a_kernel_with_everything() {
    let host = VmHost::new("vm-matrix");
    everything(&host);
    deploy(&host, true);
    let seen = attacked(&host, true);
    // What every kernel can is as it is documented of every kernel.
    let page = fs::read_to_string(repository().join("docs/networking.md")).unwrap();
    let rows = table(&seen);
    let known = |row: &&str| between(&page, MATRIX).contains(&format!("{row}\n"));
    let (known, more): (Vec<&str>, Vec<&str>) = rows.lines().partition(known);
    assert_eq!(
        known.len(),
        between(&page, MATRIX).lines().count(),
        "{rows}"
    );
    assert!(more.len() >= 3, "{rows}");
    let head = known[..2].iter().chain(&more);
    documented(
        MORE,
        &head.map(|row| format!("{row}\n")).collect::<String>(),
    );
}

/// What became of each attack, by its name.
fn attacked(host: &TestHost, everything: bool) -> serde_json::Map<String, Value> {
    weaken(host);
    let world = world(host, everything);
    let bridges = world["bridges"].as_array().unwrap().iter();
    let bridges: Vec<String> = bridges.map(Value::to_string).collect();
    // What a machine may ask its host is not counted: neighbours, routers, an address.
    host.write_file(
        "/run/probe.nft",
        format!(
            "table inet probe {{ chain in {{ type filter hook input priority 100;
               iifname != {{ {} }} return
               icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} return
               udp sport 68 udp dport 67 return
               counter
             }}
             }}",
            bridges.join(", ")
        ),
    );
    host.exec_ok(["nft", "-f", "/run/probe.nft"]);
    host.write_file("/run/world.json", world.to_string());
    host.write_file("/run/attacks.py", ATTACKS);
    let seen = host.exec_ok(["python3", "/run/attacks.py", "/run/world.json"]);
    let seen: Value = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"));
    let bridge = world["bridge"].as_str().unwrap();
    probe_counts(host, bridge, world["gateway"].as_str().unwrap());
    match seen {
        Value::Object(seen) => seen,
        other => panic!("{other}"),
    }
}

/// The table of what was seen, where nothing arrived and all of it is known to have been sent.
fn table(seen: &serde_json::Map<String, Value>) -> String {
    let mut wrong = Vec::new();
    let mut table = String::from(
        "| attack | a neighbour | another tenant | the host | the outside |\n|---|---|---|---|---|\n",
    );
    for (attack, cells) in seen {
        let _ = write!(table, "| {attack} |");
        for place in PLACES {
            let cell = &cells[place];
            if cell.is_null() {
                table.push_str(" |");
                continue;
            }
            let good = cell["frames"] == cell["sent"]
                && cell["arrived"] == false
                && cell["elsewhere"] == json!([]);
            if !good {
                wrong.push(format!("{attack} to {place}: {cell}"));
            }
            let count = &cell["frames"];
            let arrived = if cell["arrived"] == true {
                "**some**"
            } else {
                "0"
            };
            let _ = write!(table, " expected 0, seen {arrived} of {count} |");
        }
        table.push('\n');
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    table
}

/// What counts for the host does count: without our table the same packet is there.
fn probe_counts(host: &TestHost, bridge: &str, gateway: &str) {
    let listing = || host.exec_ok(["nft", "list", "table", "inet", "probe"]);
    let before = listing();
    host.sh(&format!(
        "nft insert rule inet bitbuilder alpha/input iifname {bridge} tcp dport 5555 accept"
    ));
    common::works(
        host,
        "alpha-evil",
        &format!("busybox nc -w 1 {gateway} 5555 </dev/null || true"),
    );
    host.wait_for("a packet that passes is counted", || listing() != before);
}

/// What the page holds between two marks.
fn between<'p>(page: &'p str, [begin, end]: [&str; 2]) -> &'p str {
    let (_, rest) = page.split_once(begin).expect("a place for the table");
    rest.split_once(end).expect("an end of the table").0
}

fn documented(marks: [&str; 2], table: &str) {
    let path = repository().join("docs/networking.md");
    let page = fs::read_to_string(&path).unwrap();
    let old = between(&page, marks);
    if std::env::var_os("BLESS").is_some() {
        let [begin, end] = marks;
        let (old, new) = (format!("{begin}{old}{end}"), format!("{begin}{table}{end}"));
        fs::write(&path, page.replace(&old, &new)).unwrap();
    } else {
        assert_eq!(old, table, "docs/networking.md: run this test with BLESS=1");
    }
}
