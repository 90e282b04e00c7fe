//! Every attack of a table against a neighbour, another tenant, the host and the outside: frames as a hostile root can send
//! them. What is allowed goes the same ways at the same time and arrives, so that nothing is silent for another reason.
//! `docs/networking.md` holds the table (`BLESS=1` writes it).

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::{TestHost, repository};
use common::{Repository, booted, command, wait_healthy};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;

const ATTACKS: &str = include_str!("isolation_matrix/attacks.py");
const PLACES: [&str; 4] = ["near", "beta", "host", "outside"];
const BEGIN: &str = "<!-- matrix -->\n";
const END: &str = "<!-- end of matrix -->\n";

/// `evil` and `near` are of alpha; `web` of beta publishes port 8080. The host has a way out by IPv6 too, and counts what
/// comes to it from alpha behind all rules of ours.
fn prepared() -> TestHost {
    let host = TestHost::new("matrix");
    host.init();
    let system = Repository::new();
    let entry = |id: &str| {
        json!({
            "id": id,
            "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
            "allow": { "publish": ["tcp/8000-8099", "udp/8000-8099"] },
        })
    };
    let registry = json!({ "tenants": [entry("alpha"), entry("beta")] });
    system.write("tenants/registry.json", &registry.to_string());
    host.push_ok("system", system.path());
    let alpha = Repository::tenant("alpha");
    alpha.write("containers/evil/config.yaml", &booted(""));
    alpha.write("containers/near/config.yaml", &booted(""));
    alpha.write(
        "network/topology.yaml",
        "networks:\n  default: { ipv6: auto }\n",
    );
    let beta = Repository::tenant("beta");
    let serve = command(
        "exec busybox httpd -f -p 80",
        "health: { tcp: 80, interval: 1s }\n",
    );
    beta.write("containers/web/config.yaml", &serve);
    beta.write(
        "network/topology.yaml",
        "networks:\n  default: { ipv6: auto }\npublish:\n  - { port: 8080, to: web, toPort: 80 }\n  \
         - { port: 8080, protocol: udp, to: web, toPort: 80 }\n",
    );
    for (id, tenant) in [("alpha", &alpha), ("beta", &beta)] {
        host.push_ok(id, tenant.path());
        wait_healthy(&host, id);
    }
    host.sh(
        "ip -6 address add fd99::2/64 dev up0 nodad; ip -6 neigh replace fd99::1 lladdr 02:00:00:00:99:01 dev up0; \
         sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1",
    );
    host
}

/// What the attacker knows: everything.
fn world(host: &TestHost) -> Value {
    let allocations = host.read_file("/var/lib/bitbuilder/allocations.json");
    let allocations: Value = serde_json::from_str(&allocations).unwrap();
    let text = |path: &str| {
        let found = allocations.pointer(path).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("{path} in {allocations}"))
            .to_owned()
    };
    let machine = |tenant: &str, name: &str, key: &str| {
        text(&format!(
            "/tenants/{tenant}/machines/{name}/interfaces/default/{key}"
        ))
    };
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
    json!({
        "evil": machine("alpha", "evil", "address"), "evil_mac": machine("alpha", "evil", "mac"),
        "evil_host_link": machine("alpha", "evil", "link"), "evil_link": "host0", "evil_space": space("alpha-evil"),
        "near": machine("alpha", "near", "address"), "near_mac": machine("alpha", "near", "mac"),
        "near_space": space("alpha-near"),
        "beta": machine("beta", "web", "address"), "beta_mac": machine("beta", "web", "mac"),
        "beta_space": "/run/netns/beta-web",
        "alpha6": network("alpha", "ipv6"), "beta6": network("beta", "ipv6"),
        "bridge": bridge, "bridge_mac": bridge_mac.trim(),
        "gateway": in_subnet("alpha", "1"), "beta_gateway": in_subnet("beta", "1"),
        "alpha_broadcast": in_subnet("alpha", "255"), "beta_broadcast": in_subnet("beta", "255"),
        "uplink": host.address().to_string(), "up": "up0",
    })
}

#[test]
fn nothing_of_an_attack_arrives() {
    let host = prepared();
    let world = world(&host);
    let bridge = world["bridge"].as_str().unwrap();
    // What a machine may ask its host is not counted: neighbours, routers, an address.
    host.write_file(
        "/run/probe.nft",
        format!(
            "table inet probe {{ chain in {{ type filter hook input priority 100;
               iifname != \"{bridge}\" return
               icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit }} return
               udp sport 68 udp dport 67 return
               counter
             }}
             }}"
        ),
    );
    host.exec_ok(["nft", "-f", "/run/probe.nft"]);
    host.write_file("/run/world.json", world.to_string());
    host.write_file("/run/attacks.py", ATTACKS);
    let seen = host.exec_ok(["python3", "/run/attacks.py", "/run/world.json"]);
    let seen: Value = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{error}: {seen}"));
    probe_counts(&host, bridge, world["gateway"].as_str().unwrap());

    let mut wrong = Vec::new();
    let mut table = String::from(
        "| attack | a neighbour | another tenant | the host | the outside |\n|---|---|---|---|---|\n",
    );
    for (attack, cells) in seen.as_object().unwrap() {
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
    let attacks = seen.as_object().unwrap().len();
    assert!(attacks >= 22, "{attacks} attacks");
    documented(&table);
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

fn documented(table: &str) {
    let path = repository().join("docs/networking.md");
    let page = fs::read_to_string(&path).unwrap();
    let (head, rest) = page.split_once(BEGIN).expect("a place for the table");
    let (old, tail) = rest.split_once(END).expect("an end of the table");
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
    } else {
        assert_eq!(old, table, "docs/networking.md: run this test with BLESS=1");
    }
}
