//! `bbctl network trace` says what the kernel does: each packet of a table is asked about, sent, looked for where it should
//! arrive, and the counter of the rule that decides has to move.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, booted, command, inside, wait_healthy};
use serde_json::Value;

const SERVE: &str =
    "echo here > /srv/index.html; busybox httpd -p 81 -h /srv; exec busybox httpd -f -p 80 -h /srv";
const TOPOLOGY: &str = "networks:
  default: { nat: true }
  back: {}
publish:
  - { port: 8080, to: web, toPort: 80 }
";
const RULES: &str = "rules:
  - { from: look, to: web, protocol: tcp, ports: [81], action: drop, log: true }
  - { from: look, to: far, protocol: tcp, ports: [80], action: accept }
  - { from: look, to: far, action: reject }
  - { from: look, to: 198.18.0.0/15, protocol: tcp, ports: [7], action: reject }
  - { from: outside, to: web, protocol: tcp, ports: [81], action: accept }
";
const FILE: &str = "network/firewall/10-own.yaml";

fn prepared() -> TestHost {
    let host = TestHost::new("trace");
    host.init();
    host.push_ok("system", Repository::system(&["alpha", "beta"]).path());
    let alpha = Repository::tenant("alpha");
    let serve = |networks: &str| {
        command(
            SERVE,
            &format!("networks: [{networks}]\nhealth: {{ tcp: 80, interval: 1s }}\n"),
        )
    };
    alpha.write("containers/web/config.yaml", &serve("{ network: default }"));
    alpha.write("containers/far/config.yaml", &serve("{ network: back }"));
    alpha.write("containers/look/config.yaml", &booted(""));
    alpha.write("network/topology.yaml", TOPOLOGY);
    alpha.write(FILE, RULES);
    let beta = Repository::tenant("beta");
    beta.write("containers/web/config.yaml", &serve("{ network: default }"));
    beta.write("network/topology.yaml", "networks:\n  default: {}\n");
    for (id, tenant) in [("alpha", alpha), ("beta", beta)] {
        host.push_ok(id, tenant.path());
        wait_healthy(&host, id);
    }
    host
}

/// Rule that decides: a line of [`RULES`], or one that is built in.
enum Decides {
    Line(u32),
    BuiltIn(&'static str),
}
use Decides::{BuiltIn, Line};

/// What is sent from `look`, or from outside; where to; whether it arrives; why.
const PACKETS: [(&str, &str, u16, &str, Decides); 10] = [
    ("look", "web", 80, "accept", BuiltIn("IPv4")),
    ("look", "web", 81, "drop", Line(2)),
    ("look", "far", 80, "accept", Line(3)),
    ("look", "far", 81, "reject", Line(4)),
    ("look", "198.18.0.1", 7, "reject", Line(5)),
    ("look", "beta/web", 80, "drop", BuiltIn("another tenant")),
    (
        "look",
        "host",
        22,
        "drop",
        BuiltIn("the host is not the tenant's"),
    ),
    (
        "look",
        "host",
        8080,
        "drop",
        BuiltIn("the host is not the tenant's"),
    ),
    (
        "outside",
        "host",
        8080,
        "accept",
        BuiltIn("published ports"),
    ),
    (
        "outside",
        "web",
        81,
        "drop",
        BuiltIn("nothing comes in but by published ports"),
    ),
];

#[test]
fn a_trace_says_what_the_kernel_does() {
    let host = prepared();
    for (from, to, port, verdict, decides) in &PACKETS {
        let shown = format!("{from} -> {to}:{port}");
        let port = port.to_string();
        let asked = host.exec_ok([
            "bbctl", "network", "trace", "alpha", "--from", from, "--to", to, "--port", &port,
            "--json",
        ]);
        let trace: Value = serde_json::from_str(&asked).unwrap();
        assert_eq!(trace["verdict"], *verdict, "{shown}: {trace}");
        let rule = trace["decided"]["rule"].as_str().unwrap_or_default();
        let expected = match decides {
            Line(line) => format!("{FILE}:{line}"),
            BuiltIn(reason) => (*reason).to_owned(),
        };
        assert_eq!(rule, expected, "{shown}: {trace}");

        let counts = matches!(decides, Line(_)) || *verdict != "accept";
        let before = packets(&host, rule);
        let target = match (*from, *to) {
            ("outside", "host") => host.address().to_string(),
            _ => match &trace["to"]["address"] {
                Value::String(address) => address.clone(),
                other => panic!("{shown}: {other}"),
            },
        };
        let arrived = send(&host, from, &target, &port);
        assert_eq!(arrived, *verdict == "accept", "{shown}: {trace}");
        let after = packets(&host, rule);
        assert_eq!(
            after > before,
            counts,
            "{shown}: {before} -> {after} packets"
        );
    }
    shown(&host);
}

/// Whether a connection is made.
fn send(host: &TestHost, from: &str, to: &str, port: &str) -> bool {
    let connect = format!("busybox nc -w 3 {to} {port} </dev/null");
    let output = match from {
        "outside" => host.outside(&format!(
            "ip route replace {to}/32 via {} 2>/dev/null; {connect}",
            host.address()
        )),
        machine => inside(host, &format!("alpha-{machine}"), &connect),
    };
    output.status.success()
}

/// Packets that the kernel counted at rules of this comment, of all tenants.
fn packets(host: &TestHost, rule: &str) -> u64 {
    let listing: Value =
        serde_json::from_str(&host.exec_ok(["nft", "-j", "list", "ruleset"])).unwrap();
    let objects = listing["nftables"].as_array().unwrap();
    let own = objects.iter().map(|object| &object["rule"]);
    let own = own.filter(|one| one["comment"] == rule);
    own.flat_map(|one| one["expr"].as_array().unwrap())
        .filter_map(|expression| expression["counter"]["packets"].as_u64())
        .sum()
}

/// What `show` says of the rules is what was counted.
fn shown(host: &TestHost) {
    let shown = host.exec_ok(["bbctl", "network", "show", "alpha", "--json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    let alpha = &shown["tenants"][0];
    let rules = alpha["rules"].as_array().unwrap();
    assert_eq!(rules.len(), 5, "{shown}");
    for rule in rules {
        let place = rule["origin"].as_str().unwrap();
        assert_eq!(
            rule["packets"].as_u64(),
            Some(packets(host, place)),
            "{rule}"
        );
    }
    assert_eq!(rules[0]["text"], "look -> web tcp 81 drop log");
    assert!(rules[0]["packets"].as_u64() > Some(0), "{shown}");
    let published = &alpha["published"][0];
    assert_eq!(published["origin"], "network/topology.yaml:5");
    assert!(published["connections"].as_u64() > Some(0), "{shown}");
    let workloads = alpha["networks"].as_array().unwrap().iter();
    let count: usize = workloads
        .map(|one| one["interfaces"].as_array().unwrap().len())
        .sum();
    assert_eq!(count, 3, "{shown}");
    let text = host.exec_ok(["bbctl", "network", "show"]);
    assert!(
        text.contains("br-beta") && text.contains(&format!("{FILE}:2")),
        "{text}"
    );
}
