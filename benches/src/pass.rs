//! Passes over 1,000 tenants on a simulated host: git, compiler, plans and generations are the real ones, and only the
//! manager of units is simulated. All files are in memory.

use crate::measure::{Binaries, Runs, Usage, alone, in_memory, success};
use crate::report::{Quantity, Row};
use crate::repository::Bare;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const TENANTS: usize = 1_000;

/// All rows.
pub(crate) fn measure(binaries: &Binaries, runs: u32) -> anyhow::Result<Vec<Row>> {
    let scratch = in_memory()?;
    let bench = Bench {
        bbctl: binaries.path("bbctl")?,
        host: scratch.path().join("host"),
    };
    let tenants = repositories(&scratch.path().join("remotes"))?;
    let system = tenants.last().context("no repository")?.url();
    success(
        bench
            .command()
            .args(["host", "init", "--system-repo", &system]),
    )?;
    // A clock that goes is a file that the simulation writes at each look.
    fs::write(bench.host.join("clock"), "1000000000")?;
    eprintln!(
        "deploying 1,000 tenants; this takes minutes, most of them for the simulation's own records"
    );
    success(bench.command().arg("sync")).context("the first pass")?;

    let unchanged = alone(runs, || {
        let before = bench.current(0)?;
        let usage = success(bench.command().arg("sync"))?;
        anyhow::ensure!(before == bench.current(0)?, "something changed");
        Ok(usage)
    })?;
    let mut number = 0;
    let one = alone(runs, || {
        number += 1;
        let before = bench.current(0)?;
        tenants[0].commit(&documents(0, number))?;
        let usage = success(bench.command().arg("sync"))?;
        anyhow::ensure!(before != bench.current(0)?, "nothing changed");
        Ok(usage)
    })?;
    let mut rows = Vec::new();
    rows.extend(results("a pass, 1,000 tenants, nothing to do", &unchanged)?);
    rows.extend(results("a pass, 1,000 tenants, one changed", &one)?);
    Ok(rows)
}

fn results(what: &str, runs: &Runs<Usage>) -> anyhow::Result<[Row; 2]> {
    let memory = Quantity::Mebibytes(runs.median(|usage| usage.peak)?);
    Ok([
        Row::alone(what, runs.wall()?),
        Row::alone(format!("{what}: peak memory"), memory),
    ])
}

struct Bench {
    bbctl: PathBuf,
    host: PathBuf,
}

impl Bench {
    fn command(&self) -> Command {
        let mut command = Command::new(&self.bbctl);
        command.arg("--sim").arg(&self.host);
        command
    }

    /// The current generation of a tenant.
    fn current(&self, index: usize) -> anyhow::Result<PathBuf> {
        let link = format!("var/lib/tenants/{}/current", id(index));
        let link = self.host.join(link);
        fs::read_link(&link).with_context(|| format!("{} was not deployed", id(index)))
    }
}

/// The tenants' repositories, and the system repository as the last.
fn repositories(directory: &Path) -> anyhow::Result<Vec<Bare>> {
    let mut repositories = Vec::new();
    let mut entries = Vec::new();
    for index in 0..TENANTS {
        let id = id(index);
        let repository = Bare::create(&directory.join(format!("{id}.git")))?;
        repository.commit(&documents(index, 0))?;
        let url = repository.url();
        entries.push(format!(
            r#"{{"id":"{id}","repository":"{url}","limits":{{"cpu":2,"memory":"1G","storage":"10G"}}}}"#
        ));
        repositories.push(repository);
    }
    let system = Bare::create(&directory.join("system.git"))?;
    let registry = format!("{{\"tenants\":[\n{}\n]}}\n", entries.join(",\n"));
    system.commit(&BTreeMap::from([(
        "tenants/registry.json".to_owned(),
        registry,
    )]))?;
    repositories.push(system);
    Ok(repositories)
}

/// What a tenant's repository says.
fn documents(index: usize, number: u32) -> BTreeMap<String, String> {
    let id = id(index);
    let metadata = format!(
        "{{\"tenant\":{{\"id\":\"{id}\",\"name\":\"{id}\",\"type\":\"container\",\"enabled\":true}}}}\n"
    );
    let web = format!(
        "image:\n  template: tenant-container\nboot: true\nenv:\n  NUMBER: \"{number}\"\n\
         networks:\n  - network: default\n"
    );
    BTreeMap::from([
        ("metadata.json".to_owned(), metadata),
        ("containers/web/config.yaml".to_owned(), web),
    ])
}

fn id(index: usize) -> String {
    format!("tenant-{index:05}")
}
