//! Power cuts and kills at any moment leave the old or the new generation, and the next pass finishes the way.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, generation, status, upper, wait_healthy};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Kills of the apply.
const KILLS: u32 = 100;
/// Crashes of the host.
const CRASHES: u32 = 10;

/// Equal numbers in every run: Lehmer's generator.
struct Numbers(u64);

impl Numbers {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0 * 48_271 % 0x7fff_ffff;
        self.0 as f64 / f64::from(0x7fff_ffff_u32)
    }
}

fn colour(round: u32) -> String {
    let script = "echo $COLOR > /srv/color; exec busybox httpd -f -p 80";
    command(script, &format!("env: {{ COLOR: c{round} }}\n"))
}

/// A tenant whose repository has one commit per round, and nothing that deploys them by itself.
fn prepared(name: &str, rounds: u32) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    host.push_ok("system", Repository::system(&["tiny"]).path());
    let tiny = Repository::tenant("tiny");
    tiny.write("containers/web/config.yaml", &colour(0));
    host.push_ok("tiny", tiny.path());
    wait_healthy(&host, "tiny");
    host.exec_ok(["systemctl", "disable", "--now", "bitbuilder-sync.timer"]);
    let mut script = String::from(
        "git clone -q /var/lib/bitbuilder/git/tiny.git /root/tiny; cd /root/tiny; \
         git config user.name t; git config user.email t@example.org\n",
    );
    for round in 1..=rounds {
        script += &format!(
            "sed -i 's/COLOR: .* }}/COLOR: c{round} }}/' containers/web/config.yaml; \
             git commit -qam {round}; git tag r{round}\n"
        );
    }
    host.sh(&script);
    host
}

/// Makes the commit of `round` the newest one.
fn advance(host: &TestHost, round: u32) {
    let fetch = format!(
        "git -C /var/lib/bitbuilder/git/tiny.git fetch -q /root/tiny refs/tags/r{round}:refs/heads/main"
    );
    host.sh(&fetch);
}

/// The round that the current generation is of.
fn deployed(host: &TestHost) -> u32 {
    let unit = "system/systemd-nspawn@tiny-web.service.d/50-bitbuilder.conf";
    let text = host.read_file(&format!("/var/lib/tenants/tiny/current/{unit}"));
    let (_, rest) = text.split_once("COLOR=c").unwrap();
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// The current generation is whole, and is that of `before` or of `round`.
fn assert_old_or_new(host: &TestHost, before: u32, round: u32) {
    let now = deployed(host);
    assert!(
        now == before || now == round,
        "{now} is neither {before} nor {round}"
    );
    let current = "/var/lib/tenants/tiny/current";
    let manifest: Value =
        serde_json::from_str(&host.read_file(&format!("{current}/generation.json"))).unwrap();
    let sums = host.sh(&format!(
        "cd {current}/; find . -type f ! -name generation.json -exec sha256sum {{}} +"
    ));
    let found: BTreeMap<&str, &str> = sums
        .lines()
        .filter_map(|line| line.split_once("  ./").map(|(sum, path)| (path, sum)))
        .collect();
    let files = manifest["files"].as_object().unwrap();
    let recorded: BTreeMap<&str, &str> = files
        .iter()
        .map(|(path, file)| (path.as_str(), file["sha256"].as_str().unwrap()))
        .collect();
    // sha256sum escapes names with a backslash and marks the line.
    let plain = |map: &BTreeMap<&str, &str>| -> BTreeMap<String, String> {
        map.iter()
            .map(|(path, sum)| {
                (
                    path.replace("\\\\", "\\"),
                    sum.trim_start_matches('\\').to_owned(),
                )
            })
            .collect()
    };
    assert_eq!(plain(&found), plain(&recorded), "round {round}");
}

fn assert_arrives(host: &TestHost, round: u32) {
    host.exec_ok(["bbctl", "sync", "tiny"]);
    wait_healthy(host, "tiny");
    assert_eq!(status(host, "tiny")["sync"], "Synced");
    host.wait_for("the colour of the last round", || {
        host.read_file(&upper("tiny", "web", "srv/color")) == format!("c{round}\n")
    });
    assert!(!host.exists("/var/lib/tenants/tiny/journal.json"));
}

#[test]
fn a_pass_that_is_killed_anywhere_leaves_the_old_or_the_new_generation() {
    let host = prepared("kill", KILLS);
    let mut numbers = Numbers(7);
    // How long a whole pass takes here.
    advance(&host, 1);
    let start = Instant::now();
    host.exec_ok(["bbctl", "sync", "tiny"]);
    let whole = start.elapsed();
    let (mut killed, mut interrupted) = (0, 0);
    for round in 2..=KILLS {
        let before = deployed(&host);
        advance(&host, round);
        let delay = whole.mul_f64(numbers.next());
        let script = format!(
            "bbctl sync tiny >/dev/null 2>&1 & pid=$!; sleep {:.3}; kill -9 $pid; wait $pid",
            delay.as_secs_f64()
        );
        // 137: it was running when the signal came.
        killed += u32::from(host.sh_try(&script).status.code() == Some(137));
        interrupted += u32::from(host.exists("/var/lib/tenants/tiny/journal.json"));
        assert_old_or_new(&host, before, round);
    }
    assert!(killed > KILLS / 2, "{killed} kills met a pass");
    assert!(interrupted > 0, "no kill came between two steps");
    assert_arrives(&host, KILLS);
    assert!(generation(&host, "tiny") > 1);
}

#[test]
fn a_host_that_crashes_anywhere_boots_the_old_or_the_new_generation() {
    let host = prepared("power", CRASHES);
    let mut numbers = Numbers(11);
    for round in 1..=CRASHES {
        let before = deployed(&host);
        advance(&host, round);
        host.sh("systemd-run --quiet --no-block --collect bbctl sync tiny");
        let delay = Duration::from_millis(1500).mul_f64(numbers.next());
        let deadline = Instant::now() + delay;
        host.wait_for("the moment", || Instant::now() >= deadline);
        host.crash();
        host.boot();
        assert_old_or_new(&host, before, round);
        host.wait_active("systemd-nspawn@tiny-web.service");
    }
    assert_arrives(&host, CRASHES);
}
