//! A tenant's bridge on a container host: beside a bare bridge without rules, and beside itself when the host has 1,000
//! tenants; and how long a changed rule takes.

use super::REPOSITORY;
use anyhow::{Context, Result, ensure};
use bitbuilder_itest::TestHost;
use serde_json::Value;
use std::path::Path;

/// The tenant whose network is measured. A name as long as those of the others, so that one's rules are another's with
/// the name replaced.
const TENANT: &str = "bench";
const RULES: &str = "/var/lib/tenants/bench/current/nftables/ruleset.json";
const MANY: usize = 1_000;
const ROUNDS: usize = 7;
const PORT: u16 = 7000;

/// Two containers of one tenant, and rules that people write.
const DOCUMENTS: [(&str, &str); 5] = [
    (
        "metadata.json",
        r#"{ "tenant": { "id": "bench", "type": "container", "enabled": true } }"#,
    ),
    ("containers/a/config.yaml", CONTAINER),
    ("containers/b/config.yaml", CONTAINER),
    (
        "network/topology.yaml",
        "networks:\n  default: { nat: true }\n",
    ),
    (
        "network/firewall/rules.yaml",
        "rules:\n  - { from: a, to: b, protocol: tcp, ports: [81], action: drop }\n",
    ),
];
const CONTAINER: &str =
    "image: { template: tenant-container }\ncommand: [/usr/bin/busybox, sleep, infinity]\n";

/// Two namespaces on a bridge, all in a namespace that has no rules.
const BARE: &str = r"
for name in bare one two; do ip netns add $name; done
ip -n bare link add name bridge0 type bridge
ip -n bare link set bridge0 up
for name in one two; do
  ip -n bare link add name v-$name type veth peer name eth0 netns $name
  ip -n bare link set v-$name master bridge0 up
  ip -n $name link set eth0 up
done
ip -n one address add 198.18.1.1/24 dev eth0
ip -n two address add 198.18.1.2/24 dev eth0
";

/// Brings another port into the rules, and loads the rules bare; times in nanoseconds.
const CHANGE: &str = r#"
cd /root/bench
took() {
  start=$(date +%s%N)
  "$@" >&2
  echo $(($(date +%s%N) - start))
}
sed -i "s/ports: [^]]*]/ports: [$1]/" network/firewall/rules.yaml
git commit -qam "port $1"
took git push -q tenant main
took git push -q bare main
took nft -j -f /var/lib/tenants/bench/current/nftables/ruleset.json
"#;
/// What a path gives.
#[derive(Clone, Copy)]
struct Speed {
    /// MiB a second.
    stream: f64,
    /// Microseconds of a round trip.
    trip: f64,
}

/// Rows of the table; `measure` is the program that talks.
pub(super) fn rows(measure: &Path) -> Result<Vec<String>> {
    eprintln!("measuring: a tenant's bridge");
    let host = deployed(measure)?;
    host.sh(BARE);
    let ends = [Ends::of_tenant(&host)?, Ends::bare()];
    for one in &ends {
        one.listen(&host);
    }
    let alone = speeds(&host, &ends)?;
    let [change, push, load] = changes(&host)?;
    others(&host)?;
    let among = speeds(&host, &ends)?;
    let [_, _, loaded] = changes(&host)?;

    let row =
        |what: &str, ours: String, beside: String, ratio: f64, target: Option<(&str, bool)>| {
            let target =
                target.map(|(text, holds)| format!("{text}: {}", if holds { "yes" } else { "NO" }));
            format!(
                "| {what} | {ours} | {beside} | {ratio:.2} | {} |",
                target.unwrap_or_default()
            )
        };
    let [ours, bare] = alone;
    let [many, bare_then] = among;
    let stream = ours.stream / bare.stream;
    let trip = ours.trip / bare.trip;
    // Beside the bare bridge of the same minute: a machine is not equally fast all day.
    let stream_many = (many.stream / bare_then.stream) / stream;
    let trip_many = (many.trip / bare_then.trip) / trip;
    Ok(vec![
        row(
            "TCP between two machines of a tenant",
            format!("{:.0} MiB/s", ours.stream),
            format!("a bare bridge without rules: {:.0} MiB/s", bare.stream),
            stream,
            Some(("at least 0.90", stream >= 0.9)),
        ),
        row(
            "a round trip between them",
            format!("{:.1} µs", ours.trip),
            format!("a bare bridge without rules: {:.1} µs", bare.trip),
            trip,
            Some(("at most 1.11", trip <= 1.0 / 0.9)),
        ),
        row(
            "the same TCP, on a host with 1,000 tenants",
            format!("{:.0} MiB/s", many.stream),
            "with one tenant, each beside the bare bridge".to_owned(),
            stream_many,
            Some(("at least 0.90", stream_many >= 0.9)),
        ),
        row(
            "the same round trip, on a host with 1,000 tenants",
            format!("{:.1} µs", many.trip),
            "with one tenant, each beside the bare bridge".to_owned(),
            trip_many,
            Some(("at most 1.10", trip_many <= 1.1)),
        ),
        row(
            "`git push` until a changed firewall rule is in the kernel",
            format!("{change:.0} ms"),
            format!("bare `git push` ({push:.0} ms) and `nft` ({load:.0} ms)"),
            change / (push + load),
            None,
        ),
        row(
            "`nft` loads a tenant's rules, on a host with 1,000 tenants",
            format!("{loaded:.0} ms"),
            format!("with one tenant: {load:.0} ms"),
            loaded / load,
            None,
        ),
    ])
}

fn deployed(measure: &Path) -> Result<TestHost> {
    let host = TestHost::new("bench-network");
    host.put(measure, "/root/measure");
    host.exec_ok(["chmod", "755", "/root/measure"]);
    host.init();
    host.exec_ok(["bbctl", "tenant", "add", TENANT, "--embedded"]);
    for (path, text) in DOCUMENTS {
        host.write_file(&format!("/root/bench/{path}"), text);
    }
    host.sh(REPOSITORY);
    Ok(host)
}

/// Loads the rules of all other tenants: those of this one, under other names.
fn others(host: &TestHost) -> Result<()> {
    eprintln!("loading the rules of {MANY} tenants");
    host.sh(&format!(
        "for number in $(seq 1001 {}); do sed s/{TENANT}/b$number/g {RULES} | nft -j -f -; done",
        1_000 + MANY - 1
    ));
    let map = host.exec_ok(["nft", "list", "map", "inet", "bitbuilder", "from"]);
    let found = map.matches("goto").count();
    ensure!(found == MANY, "rules of {found} tenants are there");
    Ok(())
}

/// Two ends of a path: what runs a command at each, and the address of the second one.
struct Ends {
    from: String,
    to: String,
    address: String,
}

impl Ends {
    fn of_tenant(host: &TestHost) -> Result<Self> {
        let enter = |name: &str| {
            let leader = host.exec_ok(["machinectl", "show", "--value", "--property=Leader", name]);
            format!("nsenter --net --target {}", leader.trim())
        };
        let shown = host.exec_ok(["bbctl", "network", "show", TENANT, "--json"]);
        let shown: Value = serde_json::from_str(&shown)?;
        let interfaces = shown["tenants"][0]["networks"][0]["interfaces"].as_array();
        let to = interfaces
            .into_iter()
            .flatten()
            .find(|one| one["workload"] == "b");
        let address = to.and_then(|one| one["address"].as_str());
        Ok(Self {
            from: enter("bench-a"),
            to: enter("bench-b"),
            address: address.context("container b has no address")?.to_owned(),
        })
    }

    fn bare() -> Self {
        Self {
            from: "ip netns exec one".to_owned(),
            to: "ip netns exec two".to_owned(),
            address: "198.18.1.2".to_owned(),
        }
    }

    fn listen(&self, host: &TestHost) {
        let Self { to, address, .. } = self;
        host.sh(&format!(
            "systemd-run --quiet -- {to} /root/measure listen {address}:{PORT}"
        ));
    }

    fn talk(&self, host: &TestHost) -> Result<Speed> {
        let Self { from, address, .. } = self;
        let said = host.sh(&format!("{from} /root/measure talk {address}:{PORT}"));
        let value: Value = serde_json::from_str(&said)?;
        let number = |key: &str| value[key].as_f64().context("no number");
        Ok(Speed {
            stream: number("mebibytesPerSecond")?,
            trip: number("microseconds")?,
        })
    }
}

/// Medians of both paths, measured in turn.
fn speeds(host: &TestHost, ends: &[Ends; 2]) -> Result<[Speed; 2]> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (ends, speeds) in ends.iter().zip(&mut all) {
            speeds.push(ends.talk(host)?);
        }
    }
    Ok(all.map(|speeds| Speed {
        stream: median(speeds.iter().map(|speed| speed.stream)),
        trip: median(speeds.iter().map(|speed| speed.trip)),
    }))
}

/// Medians in milliseconds: a changed rule, a bare push, a bare load.
fn changes(host: &TestHost) -> Result<[f64; 3]> {
    let mut times = [Vec::new(), Vec::new(), Vec::new()];
    for round in 1..=ROUNDS {
        let port = (1_000 + round).to_string();
        let printed = host.exec_ok(["bash", "-euc", CHANGE, "bash", &port]);
        for (line, times) in printed.lines().zip(&mut times) {
            times.push(line.trim().parse::<f64>()? / 1e6);
        }
    }
    Ok(times.map(|times| median(times.into_iter())))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
