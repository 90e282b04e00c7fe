//! One look at the references of many tenants, none of which moved. All files are in memory.

use crate::measure::{in_memory, in_turn};
use crate::report::{Row, Target};
use crate::repository::Bare;
use anyhow::Context as _;
use bitbuilder_host::source::{Mirror, fetch};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const TENANTS: usize = 1_000;
const TIMEOUT: Duration = Duration::from_secs(60);

/// All rows.
pub(crate) fn measure(runs: u32) -> anyhow::Result<Vec<Row>> {
    let directory = in_memory()?;
    let tenants = tenants(directory.path())?;
    let (ours, theirs) = in_turn(runs, || check(&tenants), || look_ups(&tenants))?;
    let what = "1,000 unmoved references of local repositories: fetch";
    let name = "bare look-ups, in the mirror and in the repository";
    Ok(vec![
        Row::beside(
            what,
            ours.median(|time| *time)?,
            name,
            theirs.median(|time| *time)?,
        )
        .promised(Target::Ratio(3.0)),
    ])
}

struct Tenant {
    mirror: PathBuf,
    remote: PathBuf,
    url: String,
}

/// Makes the repositories; one mirror is fetched, the others are its copies.
fn tenants(directory: &Path) -> anyhow::Result<Vec<Tenant>> {
    let documents = BTreeMap::from([("metadata.json".to_owned(), "{}\n".to_owned())]);
    let remote = |name: &str| -> anyhow::Result<Bare> {
        let remote = Bare::create(&directory.join(name))?;
        remote.commit(&documents)?;
        Ok(remote)
    };
    let first = remote("first.git")?;
    let mirror = directory.join("mirror");
    Mirror::ensure(&mirror, &first.url())?;
    fetch(&mirror, &first.url(), "main", TIMEOUT)?;
    (0..TENANTS)
        .map(|index| {
            let remote = remote(&format!("tenant-{index:05}.git"))?;
            let tenant = Tenant {
                mirror: directory.join(format!("tenant-{index:05}")),
                remote: remote.path().to_owned(),
                url: remote.url(),
            };
            copy(&mirror, &tenant.mirror)?;
            Mirror::ensure(&tenant.mirror, &tenant.url)?;
            Ok(tenant)
        })
        .collect()
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// What a pass does.
fn check(tenants: &[Tenant]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    for tenant in tenants {
        let fetched = fetch(&tenant.mirror, &tenant.url, "main", TIMEOUT)?;
        anyhow::ensure!(!fetched.moved, "a reference moved");
    }
    Ok(start.elapsed())
}

/// What it cannot do without.
fn look_ups(tenants: &[Tenant]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    for tenant in tenants {
        let same = look_up(&tenant.mirror)? == look_up(&tenant.remote)?;
        anyhow::ensure!(same, "a reference moved");
    }
    Ok(start.elapsed())
}

/// What `main` of a repository names.
pub(crate) fn look_up(git_dir: &Path) -> anyhow::Result<gix::refs::Target> {
    let store = gix::refs::file::Store::at(git_dir.to_owned(), gix::hash::Kind::Sha1);
    let found = store.try_find("refs/heads/main")?;
    Ok(found.context("no such reference")?.target)
}
