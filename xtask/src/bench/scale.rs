//! Real tenants on a container host, each with one container: the first deployment, a pass that finds nothing to do, one
//! change, and a boot, of ten and of a hundred.

use anyhow::{Context, Result, ensure};
use bitbuilder_itest::TestHost;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

const FEW: usize = 10;
const MANY: usize = 100;
/// Longest wait for all of them after a boot.
const BOOT: Duration = Duration::from_secs(600);

/// Makes `$1` tenants in repositories of their own, and a system repository that registers them.
const TENANTS: &str = r#"
mkdir -p /srv/remotes /srv/system/tenants
export GIT_AUTHOR_NAME=bench GIT_AUTHOR_EMAIL=bench@example.org GIT_COMMITTER_NAME=bench GIT_COMMITTER_EMAIL=bench@example.org
entries=
for number in $(seq 1 "$1"); do
  id=$(printf 'tenant-%03d' "$number")
  mkdir -p "/srv/remotes/$id/containers/main"
  cd "/srv/remotes/$id"
  printf '{ "tenant": { "id": "%s", "type": "container", "enabled": true } }\n' "$id" >metadata.json
  printf 'image: { template: tenant-container }\ncommand: [/usr/bin/busybox, sleep, infinity]\nenv: { ROUND: "0" }\n' >containers/main/config.yaml
  git init -q -b main
  git add -A
  git commit -qm first
  entries="$entries${entries:+,}{\"id\":\"$id\",\"repository\":\"file:///srv/remotes/$id\"}"
done
cd /srv/system
printf '{"tenants":[%s]}\n' "$entries" >tenants/registry.json
git init -q -b main
git add -A
git commit -qm registry
bbctl host init --system-repo file:///srv/system
"#;

/// What a number of tenants took.
struct Figures {
    deploy: Usage,
    idle: Usage,
    change: Usage,
    boot: Duration,
}

/// One command.
#[derive(Clone, Copy)]
struct Usage {
    milliseconds: f64,
    /// Peak of resident memory, MiB.
    peak: f64,
}

/// Rows of the table; `measure` is the program that measures a command.
pub(super) fn rows(measure: &Path) -> Result<Vec<String>> {
    let few = figures(FEW, measure)?;
    let many = figures(MANY, measure)?;
    let growth = |what: &str, few: f64, many: f64, more: &str| {
        let ratio = many / few / (MANY as f64 / FEW as f64);
        let verdict = if ratio <= 1.0 { "yes" } else { "NO" };
        format!(
            "| {what} of {MANY} real tenants{more} | {many:.0} ms | {MANY} / {FEW} times that of {FEW} ({few:.0} ms) | {ratio:.2} | at most 1 time: {verdict} |",
        )
    };
    let peak = |usage: Usage| format!(", {:.0} MiB at most", usage.peak);
    Ok(vec![
        growth(
            "first deployment",
            few.deploy.milliseconds,
            many.deploy.milliseconds,
            &peak(many.deploy),
        ),
        growth(
            "a pass with nothing to do",
            few.idle.milliseconds,
            many.idle.milliseconds,
            &peak(many.idle),
        ),
        growth(
            "a pass with one change",
            few.change.milliseconds,
            many.change.milliseconds,
            &peak(many.change),
        ),
        growth(
            "a boot until every container runs,",
            few.boot.as_secs_f64() * 1e3,
            many.boot.as_secs_f64() * 1e3,
            "",
        ),
    ])
}

fn figures(count: usize, measure: &Path) -> Result<Figures> {
    eprintln!("measuring: {count} real tenants");
    let host = TestHost::new("bench-scale");
    host.put(measure, "/root/measure");
    host.exec_ok(["chmod", "755", "/root/measure"]);
    host.exec_ok(["bash", "-euc", TENANTS, "bash", &count.to_string()]);
    let sync = |runs: usize, before: &str| -> Result<Usage> {
        let mut usages = Vec::new();
        for run in 1..=runs {
            host.exec_ok(["bash", "-euc", before, "bash", &run.to_string()]);
            usages.push(usage(&host)?);
        }
        usages.sort_by(|a, b| a.milliseconds.total_cmp(&b.milliseconds));
        Ok(usages[usages.len() / 2])
    };
    let deploy = sync(1, "true")?;
    all_run(&host, count);
    let idle = sync(5, "true")?;
    let change = sync(
        5,
        "cd /srv/remotes/tenant-001; sed -i \"s/ROUND: .*/ROUND: \\\"$1\\\" }/\" containers/main/config.yaml; \
         git -c user.name=bench -c user.email=bench@example.org commit -qam change",
    )?;
    host.crash();
    let start = Instant::now();
    host.start();
    all_run(&host, count);
    let boot = start.elapsed();
    Ok(Figures {
        deploy,
        idle,
        change,
        boot,
    })
}

fn usage(host: &TestHost) -> Result<Usage> {
    let printed = host.exec_ok(["/root/measure", "command", "bbctl", "sync"]);
    let value: Value = serde_json::from_str(&printed)?;
    ensure!(value["code"] == 0, "bbctl sync failed: {printed}");
    let number = |key: &str| value[key].as_f64().context("no number");
    Ok(Usage {
        milliseconds: number("milliseconds")?,
        peak: number("peakMebibytes")?,
    })
}

fn all_run(host: &TestHost, count: usize) {
    host.wait_at_most(BOOT, "all containers run", || {
        let listed = host.sh_try(
            "systemctl list-units --plain --no-legend --state=running 'systemd-nspawn@*.service'",
        );
        String::from_utf8_lossy(&listed.stdout).lines().count() == count
    });
}
