//! One look at the references of many tenants, none of which moved.

use crate::measure::in_turn;
use crate::report::{Row, Target};
use anyhow::Context as _;
use bitbuilder_host::source::{Mirror, fetch};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const TENANTS: usize = 1_000;
const TIMEOUT: Duration = Duration::from_secs(60);

/// All rows.
pub(crate) fn measure(runs: u32) -> anyhow::Result<Vec<Row>> {
    let directory = tempfile::tempdir()?;
    let tenants = tenants(directory.path())?;
    let (ours, theirs) = in_turn(runs, || check(&tenants), || look_up(&tenants))?;
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

/// Makes the repositories: one is fetched, the others are its copies.
fn tenants(directory: &Path) -> anyhow::Result<Vec<Tenant>> {
    let (remote, mirror) = (directory.join("remote"), directory.join("mirror"));
    make_remote(directory, &remote)?;
    Mirror::ensure(&mirror, &url(&remote))?;
    fetch(&mirror, &url(&remote), "main", TIMEOUT)?;
    (0..TENANTS)
        .map(|index| {
            let home = directory.join(format!("tenant-{index:05}"));
            let tenant = Tenant {
                mirror: home.join("config.git"),
                remote: home.join("remote.git"),
                url: url(&home.join("remote.git")),
            };
            copy(&remote, &tenant.remote)?;
            copy(&mirror, &tenant.mirror)?;
            Mirror::ensure(&tenant.mirror, &tenant.url)?;
            Ok(tenant)
        })
        .collect()
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn make_remote(directory: &Path, remote: &Path) -> anyhow::Result<()> {
    let work = directory.join("work");
    let name = "bench";
    for arguments in [
        vec!["init", "--quiet", "--initial-branch=main", "work"],
        vec!["-C", "work", "add", "metadata.json"],
        vec!["-C", "work", "commit", "--quiet", "--message=first"],
        vec!["clone", "--quiet", "--bare", "work", "remote"],
    ] {
        let status = Command::new("git")
            .args(&arguments)
            .current_dir(directory)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", name)
            .env("GIT_AUTHOR_EMAIL", name)
            .env("GIT_COMMITTER_NAME", name)
            .env("GIT_COMMITTER_EMAIL", name)
            .status()
            .context("cannot run git")?;
        anyhow::ensure!(status.success(), "git {} failed", arguments.join(" "));
        if !work.join("metadata.json").exists() {
            fs::write(work.join("metadata.json"), "{}\n")?;
        }
    }
    // A bare clone packs its references; a repository that was pushed to has loose ones.
    let packed = fs::read_to_string(remote.join("packed-refs"))?;
    let id = packed
        .lines()
        .find_map(|line| line.strip_suffix(" refs/heads/main"))
        .context("no branch main")?;
    fs::write(remote.join("refs/heads/main"), format!("{id}\n"))?;
    Ok(fs::remove_file(remote.join("packed-refs"))?)
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
fn look_up(tenants: &[Tenant]) -> anyhow::Result<Duration> {
    let start = Instant::now();
    for tenant in tenants {
        let ids = [&tenant.mirror, &tenant.remote].map(|git_dir| {
            gix::refs::file::Store::at(git_dir.clone(), gix::hash::Kind::Sha1)
                .try_find("refs/heads/main")
                .ok()
                .flatten()
                .map(|reference| reference.target)
        });
        anyhow::ensure!(ids[0].is_some() && ids[0] == ids[1], "a reference moved");
    }
    Ok(start.elapsed())
}
