//! Waiting for a workload that another one depends on.

use super::target::{Target, unit_of};
use crate::child::timespec;
use crate::failure::{Failure, Result};
use crate::tenant::no_generation;
use bitbuilder_core::model::{Health, Name};
use bitbuilder_core::report::escape;
use bitbuilder_host::generations;
use bitbuilder_host::host::{Host, HostError};
use bitbuilder_host::observe::health::{CheckResult, read_result};
use bitbuilder_host::{atomic, paths::HostRoot};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Least time that a workload gets; it is up already when somebody waits for its health.
const LEAST: Duration = Duration::from_secs(30);
/// Most time, as the unit that waits has it.
const MOST: Duration = Duration::from_secs(3600);
/// Looks again after this time even if nothing was noticed: states of units bring no event.
const ROUND: Duration = Duration::from_secs(1);

/// Waits until `workload` is healthy in its current run, or, when it has no check, until its unit is active.
///
/// # Errors
/// When its time is over: a workload that depends on it shall not start. When the tenant has no such workload.
pub fn wait(host: &dyn Host, tenant: &Name, workload: &Name) -> Result {
    let root = host.root();
    let manifest = generations::read_current(root, tenant)?
        .ok_or_else(|| no_generation(tenant, "so nothing of it runs"))?;
    let unit = unit_of(&manifest, workload).ok_or_else(|| {
        Failure::text(format!(
            "tenant {tenant} has no workload {workload} in its current generation"
        ))
        .next(format!("bbctl status {tenant}"))
    })?;
    let target = Target::of_workload(root, &manifest, workload)?;
    let patience = target
        .as_ref()
        .map_or(LEAST, |target| patience(&target.check.health));
    let watch = Watch::new(root, tenant)?;
    let deadline = Instant::now() + patience;
    loop {
        // Watched first, looked at afterwards: nothing in between is missed.
        watch.renew()?;
        let state = match &target {
            Some(target) => health(root, target)?,
            None => activity(host, unit)?,
        };
        let Err(state) = state else {
            return Ok(());
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(late(tenant, workload, unit, patience, &state));
        }
        watch.wait(left.min(ROUND))?;
    }
}

fn late(tenant: &Name, workload: &Name, unit: &str, patience: Duration, state: &str) -> Failure {
    Failure::text(format!(
        "workload {workload} of tenant {tenant}, which must be up first, is not after {} s: {}",
        patience.as_secs(),
        escape(state)
    ))
    .next(format!("systemctl status {unit}"))
}

/// Time after which a workload that never became healthy has had its chance; the unit that waits gets as much.
fn patience(health: &Health) -> Duration {
    let round = health.interval.0.saturating_add(health.timeout.0);
    let all = round
        .saturating_mul(health.retries.max(1))
        .saturating_add(health.start_period.0);
    Duration::from_millis(all).clamp(LEAST, MOST)
}

/// Whether it is so, or what is instead.
type State = std::result::Result<(), String>;

fn health(root: &HostRoot, target: &Target) -> Result<State> {
    let Some(invocation) = target.invocation(root) else {
        return Ok(Err(format!("{} does not run", target.unit)));
    };
    // A result that is damaged will be replaced.
    let result = read_result(root, &target.check.tenant, &target.check.workload);
    let result = result.ok().flatten();
    let counts = |result: &CheckResult| result.counts_for(&invocation.id, &target.digest);
    Ok(match result.filter(counts) {
        Some(result) if result.healthy == Some(true) => Ok(()),
        Some(result) => Err(format!("its last check said: {}", result.message)),
        None => Err("it was not checked yet".to_owned()),
    })
}

fn activity(host: &dyn Host, unit: &str) -> Result<State> {
    let states = host.units(&[unit])?;
    Ok(match states.get(unit) {
        Some(state) if state.is_active() => Ok(()),
        Some(state) => Err(format!("its unit is {}", state.active)),
        None => Err("its unit is inactive".to_owned()),
    })
}

/// Notices new results of a tenant, and units that start.
struct Watch {
    inotify: OwnedFd,
    results: PathBuf,
    runs: PathBuf,
}

impl Watch {
    fn new(root: &HostRoot, tenant: &Name) -> Result<Self> {
        let results = root.runtime().join("health").join(tenant.as_str());
        Ok(Self {
            inotify: inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?,
            results,
            runs: root.join("/run/systemd/units"),
        })
    }

    /// Watches what is there now: `tenant@` takes the directory of results away when it stops.
    fn renew(&self) -> Result<(), HostError> {
        atomic::make_directories(&self.results)?;
        let flags = WatchFlags::MOVED_TO | WatchFlags::CLOSE_WRITE | WatchFlags::ONLYDIR;
        self.add(&self.results, flags)?;
        match self.add(&self.runs, WatchFlags::CREATE | flags) {
            // Without a manager nothing starts.
            Err(HostError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                Ok(())
            }
            done => done,
        }
    }

    fn add(&self, path: &Path, flags: WatchFlags) -> Result<(), HostError> {
        inotify::add_watch(&self.inotify, path, flags)
            .map(drop)
            .map_err(|error| HostError::file(path)(error.into()))
    }

    /// Until something happens, at most `limit`.
    fn wait(&self, limit: Duration) -> Result {
        let mut fds = [PollFd::new(&self.inotify, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(limit))) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(self.inotify.as_fd(), &mut buffer);
        // Which ones does not matter.
        while events
            .next()
            .is_ok_and(|event| !event.events().contains(ReadFlags::IGNORED))
        {}
        Ok(())
    }
}
