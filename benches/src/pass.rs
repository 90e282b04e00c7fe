//! Passes over many tenants on a simulated host: how they grow with the number of tenants, plans and their memory, and what
//! a pass with nothing to do takes beside the look at every reference. All files are in memory.

use crate::many::Many;
use crate::measure::{Binaries, Runs, Usage, alone, in_memory, in_turn};
use crate::refs;
use crate::remembered::Remembered;
use crate::report::{Quantity, Row, Target};
use bitbuilder_host::reconcile::{self, Options, Verdict};
use bitbuilder_host::sim::SimHost;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Tenants. The others are compared with the fewest.
const COUNTS: [usize; 3] = [FEW, 100, MANY];
const FEW: usize = 10;
const MANY: usize = 1_000;

/// What a number of tenants took.
struct Figures {
    deploy: Runs<Usage>,
    idle: Runs<Usage>,
    change: Runs<Usage>,
}

/// All rows.
pub(crate) fn measure(binaries: &Binaries, runs: u32) -> anyhow::Result<Vec<Row>> {
    let bbctl = binaries.path("bbctl")?;
    let mut rows = Vec::new();
    let mut few = None;
    for count in COUNTS {
        let scratch = in_memory()?;
        eprintln!("deploying {count} tenants on a simulated host");
        let (many, deploy) = deploy(scratch.path(), &bbctl, count, runs)?;
        let figures = figures(&many, deploy, runs)?;
        if count == MANY {
            rows.extend(plans(scratch.path(), &bbctl, &many, runs)?);
            rows.extend(memory(&figures)?);
            rows.push(idle_beside_look_ups(&many, runs)?);
        }
        match &few {
            None => few = Some(figures),
            Some(few) => rows.extend(growth(few, &figures, count)?),
        }
    }
    Ok(rows)
}

/// First deployments, of few tenants more often; the last host stays.
fn deploy(
    directory: &Path,
    bbctl: &Path,
    count: usize,
    runs: u32,
) -> anyhow::Result<(Many, Runs<Usage>)> {
    let most = u32::try_from(MANY / count)?;
    let mut usages = Vec::new();
    for run in 1.. {
        let many = Many::new(&directory.join(run.to_string()), bbctl, count)?;
        usages.push(many.deploy()?);
        if run >= runs.min(most) {
            return Ok((many, usages.into()));
        }
    }
    anyhow::bail!("no runs")
}

fn figures(many: &Many, deploy: Runs<Usage>, runs: u32) -> anyhow::Result<Figures> {
    let mut number = 0;
    Ok(Figures {
        deploy,
        idle: alone(runs, || many.idle())?,
        change: alone(runs, || {
            number += 1;
            many.change(number)?;
            many.update()
        })?,
    })
}

/// Time per tenant beside that of a host with few.
fn growth(few: &Figures, figures: &Figures, count: usize) -> anyhow::Result<[Row; 3]> {
    let row = |what: &str, few: &Runs<Usage>, many: &Runs<Usage>| -> anyhow::Result<Row> {
        let each = |runs: &Runs<Usage>, count: usize| -> anyhow::Result<Duration> {
            Ok(runs.wall()?.div_f64(count as f64))
        };
        Ok(Row::beside(
            format!("{what}, {count} tenants on a simulated host: time per tenant"),
            each(many, count)?,
            format!("{FEW} tenants"),
            each(few, FEW)?,
        )
        .promised(Target::Ratio(1.0)))
    };
    Ok([
        row("first deployment", &few.deploy, &figures.deploy)?,
        row("a pass with nothing to do", &few.idle, &figures.idle)?,
        row("a pass with one change", &few.change, &figures.change)?,
    ])
}

fn memory(figures: &Figures) -> anyhow::Result<Vec<Row>> {
    let each = [
        ("first deployment", &figures.deploy),
        ("a pass with nothing to do", &figures.idle),
        ("a pass with one change", &figures.change),
    ];
    let rows = each.map(|(what, runs)| peak(what, runs));
    rows.into_iter().collect()
}

/// Plans of all tenants: their time and memory.
fn plans(directory: &Path, bbctl: &Path, many: &Many, runs: u32) -> anyhow::Result<Vec<Row>> {
    let new = Many::new(&directory.join("new"), bbctl, MANY)?;
    let mut rows = Vec::new();
    let mut add = |what: &str, runs: Runs<Usage>| -> anyhow::Result<()> {
        rows.push(Row::alone(format!("{what}, 1,000 tenants"), runs.wall()?));
        rows.push(peak(what, &runs)?);
        Ok(())
    };
    add("a plan in which all is new", alone(1, || new.plan(true))?)?;
    add(
        "a plan with nothing to do",
        alone(runs, || many.plan(false))?,
    )?;
    Ok(rows)
}

fn peak(what: &str, runs: &Runs<Usage>) -> anyhow::Result<Row> {
    let memory = Quantity::Mebibytes(runs.median(|usage| usage.peak)?);
    Ok(Row::alone(
        format!("{what}, 1,000 tenants: peak memory"),
        memory,
    ))
}

/// In this process, on a host that answers from memory: the simulated manager takes most of a simulated pass.
fn idle_beside_look_ups(many: &Many, runs: u32) -> anyhow::Result<Row> {
    let host = Remembered::new(SimHost::open(&many.host)?)?;
    let repositories: Vec<PathBuf> = many
        .tenants
        .iter()
        .chain([&many.system])
        .map(|repository| repository.path().to_owned())
        .collect();
    let pass = || -> anyhow::Result<Duration> {
        let start = Instant::now();
        let report = reconcile::pass(&host, &Options::default(), &mut |_| {})?;
        let time = start.elapsed();
        let unchanged = |tenant: &&reconcile::TenantReport| tenant.verdict == Verdict::Unchanged;
        let still = report.tenants.iter().filter(unchanged).count();
        anyhow::ensure!(still == MANY, "{still} tenants are unchanged");
        Ok(time)
    };
    let look_up = || -> anyhow::Result<Duration> {
        let start = Instant::now();
        for repository in &repositories {
            refs::look_up(repository)?;
        }
        Ok(start.elapsed())
    };
    let (ours, theirs) = in_turn(runs, pass, look_up)?;
    Ok(Row::beside(
        "a pass with nothing to do, 1,000 tenants, units known",
        ours.median(|time| *time)?,
        "bare look-ups in their repositories",
        theirs.median(|time| *time)?,
    )
    .promised(Target::Ratio(3.0)))
}
