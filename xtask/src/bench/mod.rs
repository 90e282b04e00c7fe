//! `cargo xtask bench`: what our programs cost, beside what they stand on, measured in the same run.

mod scale;

use crate::repository;
use anyhow::{Context, Result, ensure};
use bitbuilder_itest::package::Package;
use bitbuilder_itest::{TestHost, command, setup};
use std::process::Command;

/// Prints one table in Markdown. Needs root: the last rows are measured on a container host.
///
/// # Errors
/// A build or a measurement fails.
pub(crate) fn bench() -> Result<()> {
    setup::require_root()?;
    setup::ensure_programs()?;
    Package::build(&repository::root())?;
    let package = ["--package", "bitbuilder-benches"];
    command::run(
        repository::cargo()
            .args(["build", "--quiet", "--locked", "--release"])
            .args(package),
    )?;
    let programs = repository::target().join("release");
    command::run(Command::new(programs.join("bitbuilder-benches")).arg("all"))?;
    let [ours, push, start] = deployments()?;
    let floor = push + start;
    println!(
        "| `git push` until the changed container is READY | {ours:.0} ms | \
         bare `git push` ({push:.0} ms) and `systemctl restart` ({start:.0} ms) | {:.2} | |",
        ours / floor
    );
    for row in scale::rows(&programs.join("bitbuilder-benches"))? {
        println!("{row}");
    }
    Ok(())
}

/// Pushes to a tenant, to a bare repository, and restarts of the same container; times in nanoseconds.
const SCRIPT: &str = r#"
cd /root/bench
git init -q -b main
git config user.name bench
git config user.email bench@example.org
git remote add tenant /var/lib/bitbuilder/git/bench.git
git init -q --bare /root/bare.git
git remote add bare /root/bare.git
git add -A
git commit -qm first
git push -q tenant main >&2
git push -q bare main
took() {
  name=$1
  shift
  start=$(date +%s%N)
  "$@" >&2
  echo "$name $(($(date +%s%N) - start))"
}
for round in 1 2 3 4 5 6 7 8 9; do
  sed -i "s/ROUND: .*/ROUND: \"$round\"/" containers/os/config.yaml
  git commit -qam "round $round"
  took ours git push -q tenant main
  took push git push -q bare main
  took start systemctl restart systemd-nspawn@bench-os.service
done
"#;

/// Medians in milliseconds: a push to a tenant, a push to a bare repository, a restart.
fn deployments() -> Result<[f64; 3]> {
    let host = TestHost::new("bench");
    host.init();
    host.exec_ok(["bbctl", "tenant", "add", "bench", "--embedded"]);
    host.write_file(
        "/root/bench/metadata.json",
        r#"{ "tenant": { "id": "bench", "type": "container", "enabled": true } }"#,
    );
    host.write_file(
        "/root/bench/containers/os/config.yaml",
        "image: { template: tenant-container }\nboot: true\nenv:\n  ROUND: \"0\"\n",
    );
    let printed = host.sh(SCRIPT);
    let median = |name: &str| -> Result<f64> {
        let values = printed.lines().filter_map(|line| line.strip_prefix(name));
        let mut values: Vec<f64> = values
            .map(|value| value.trim().parse().context("no number"))
            .collect::<Result<_>>()?;
        ensure!(!values.is_empty(), "nothing was measured: {printed}");
        values.sort_by(f64::total_cmp);
        Ok(values[values.len() / 2] / 1e6)
    };
    Ok([median("ours")?, median("push")?, median("start")?])
}
