//! `bbctl`: its start, and the validation of a large repository.

use crate::measure::{Binaries, alone, in_turn, success};
use crate::report::{Quantity, Row, Target};
use std::fs;
use std::path::Path;
use std::process::Command;

const CONTAINERS: usize = 1_000;
/// Starting a program takes so little that only many runs show a difference.
const START_RUNS: u32 = 101;

/// All rows.
pub(crate) fn measure(binaries: &Binaries, runs: u32) -> anyhow::Result<Vec<Row>> {
    let bbctl = binaries.path("bbctl")?;
    let nothing = binaries.path("nothing")?;
    let (ours, theirs) = in_turn(
        START_RUNS,
        || success(Command::new(&bbctl).arg("--version")),
        || success(&mut Command::new(&nothing)),
    )?;
    let mut rows = vec![Row::beside(
        "`bbctl --version`",
        ours.wall()?,
        "a program that does nothing",
        theirs.wall()?,
    )];
    rows.extend(validate(&bbctl, runs)?);
    Ok(rows)
}

fn validate(bbctl: &Path, runs: u32) -> anyhow::Result<[Row; 2]> {
    let directory = tempfile::tempdir()?;
    repository(directory.path())?;
    let runs = alone(runs, || {
        success(Command::new(bbctl).arg("validate").arg(directory.path()))
    })?;
    let what = "`bbctl validate`, 1,000 containers";
    let second = Target::Most(Quantity::Milliseconds(1000.0));
    let memory = Target::Most(Quantity::Mebibytes(300.0));
    Ok([
        Row::alone(what, runs.wall()?).promised(second),
        Row::alone(
            format!("{what}: peak memory"),
            Quantity::Mebibytes(runs.median(|usage| usage.peak)?),
        )
        .promised(memory),
    ])
}

/// A valid tenant repository.
fn repository(directory: &Path) -> anyhow::Result<()> {
    fs::write(
        directory.join("metadata.json"),
        r#"{"tenant":{"id":"large","name":"Large","type":"container","enabled":true}}"#,
    )?;
    for index in 0..CONTAINERS {
        let home = directory.join(format!("containers/web-{index:04}"));
        fs::create_dir_all(&home)?;
        fs::write(
            home.join("config.yaml"),
            format!(
                "image:\n  template: tenant-container\nboot: true\nenv:\n  NUMBER: \"{index}\"\n\
                 resources:\n  cpu: 0.5\n  memory: 256M\nnetworks:\n  - network: default\n\
                 restart: always\nhealth:\n  tcp: 80\n  interval: 30s\n"
            ),
        )?;
    }
    fs::create_dir_all(directory.join("network"))?;
    fs::write(
        directory.join("network/topology.yaml"),
        "networks:\n  default:\n    mode: isolated-bridge\n    subnet: 10.70.0.0/20\n    dhcp: true\n",
    )?;
    Ok(())
}
