//! `cargo xtask bench`: what our programs cost, beside what they stand on, measured in the same run.

mod network;
mod scale;

use crate::repository;
use anyhow::{Context, Result, ensure};
use bitbuilder_itest::bed::recipe::SUITE;
use bitbuilder_itest::debian::Recipe;
use bitbuilder_itest::package::Package;
use bitbuilder_itest::{TestHost, cache, command, setup};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A group of rows.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// The generators.
    Generators,
    /// A look at references that did not move.
    Refs,
    /// Start of bbctl, and validation.
    Startup,
    /// Passes over many tenants on a simulated host.
    Pass,
    /// A push to a tenant, on a container host.
    Push,
    /// A tenant's bridge beside a bare one, and beside that of a host with 1,000 tenants, on a container host.
    Network,
    /// Ten and a hundred real tenants on a container host.
    Scale,
}

/// Prints one table in Markdown: all rows, or `only` some. Needs root: the last rows are measured on a container host.
///
/// # Errors
/// A build or a measurement fails.
pub(crate) fn bench(only: &[Part]) -> Result<()> {
    setup::require_root()?;
    setup::ensure(setup::BEDS)?;
    Package::build(&repository::root())?;
    let programs = build()?;
    let measure = programs.join("bitbuilder-benches");
    let parts = if only.is_empty() { &Part::ALL } else { only };
    println!("| what | ours | beside it | ratio | target |\n|---|---|---|---|---|");
    for part in parts {
        for row in part.rows(&measure)? {
            println!("{row}");
        }
    }
    Ok(())
}

impl Part {
    const ALL: [Self; 7] = [
        Self::Generators,
        Self::Refs,
        Self::Startup,
        Self::Pass,
        Self::Push,
        Self::Network,
        Self::Scale,
    ];

    /// Its rows; `program` measures.
    fn rows(self, program: &Path) -> Result<Vec<String>> {
        let mut command = Command::new(program);
        match self {
            Self::Generators => {
                let podman = podman().cached(&cache::directory()?)?;
                command.arg("--podman").arg(podman).arg("generators")
            }
            Self::Refs => command.arg("refs"),
            Self::Startup => command.arg("startup"),
            Self::Pass => command.arg("pass"),
            Self::Push => return Ok(vec![push()?]),
            Self::Network => return network::rows(program),
            Self::Scale => return scale::rows(program),
        };
        let output = command.stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "{command:?} failed");
        let table = String::from_utf8(output.stdout)?;
        Ok(table.lines().skip(2).map(str::to_owned).collect())
    }
}

/// Builds what measures, and what it measures beside; the directory that it is in.
fn build() -> Result<PathBuf> {
    let package = ["--package", "bitbuilder-benches"];
    command::run(
        repository::cargo()
            .args(["build", "--quiet", "--locked", "--release"])
            .args(package),
    )?;
    // As the generators, beside which it is measured.
    command::run(
        repository::cargo()
            .args(["rustc", "--quiet", "--locked", "--release"])
            .args(package)
            .args(["--bin", "bare-calls"])
            .args(["--", "-C", "target-feature=+crt-static"]),
    )?;
    Ok(repository::target().join("release"))
}

fn push() -> Result<String> {
    let [ours, push, start] = deployments()?;
    let floor = push + start;
    Ok(format!(
        "| `git push` until the changed container is READY | {ours:.0} ms | \
         bare `git push` ({push:.0} ms) and `systemctl restart` ({start:.0} ms) | {:.2} | |",
        ours / floor
    ))
}

/// A file tree with podman in it, whose generator is measured beside ours.
fn podman() -> Recipe {
    Recipe {
        suite: SUITE,
        packages: vec!["podman".to_owned()],
        excluded: &[
            "/usr/share/man/*",
            "/usr/share/doc/*",
            "/usr/share/locale/*",
        ],
        included: &[],
        epoch: None,
        finish: String::new(),
    }
}

/// Makes a repository of what is there, with tenant `bench` and a bare repository as remotes, and pushes it to both.
const REPOSITORY: &str = "
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
";

/// Pushes to a tenant, to a bare repository, and restarts of the same container; times in nanoseconds.
const SCRIPT: &str = r#"
cd /root/bench
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
    host.sh(REPOSITORY);
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
