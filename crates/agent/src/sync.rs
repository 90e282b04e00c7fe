//! `git-sync`: one pass for all tenants or one.

use crate::console::Console;
use crate::failure::{Failure, Result};
use crate::progress::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::{self, Health, SyncState, TenantStatus};
use bitbuilder_host::reconcile::{self, Options, Report, Scope, Trigger, Verdict};
use std::time::{Duration, Instant};

/// How long a person who pushed is kept waiting until it is decided whether it works.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same while windows are open: they have an end, which the operator's policy sets.
const LONGEST: Duration = Duration::from_secs(3600);

/// Arguments of `git-sync`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sync {
    /// Whether remotes are asked.
    pub fetch: bool,
    /// Whether a person reads along.
    pub progress: bool,
    /// Only this tenant.
    pub tenant: Option<Name>,
    /// What caused it.
    pub trigger: Trigger,
}

impl Default for Sync {
    fn default() -> Self {
        Self {
            fetch: true,
            progress: false,
            tenant: None,
            trigger: Trigger::default(),
        }
    }
}

/// Makes a pass and says how it goes. With progress, also how the tenants do afterwards.
///
/// # Errors
/// When something failed or was refused; it was said already.
pub fn run(host: &dyn Host, sync: &Sync, console: &Console) -> Result {
    let options = Options {
        scope: sync.tenant.clone().map_or(Scope::All, Scope::One),
        fetch: sync.fetch,
        trigger: sync.trigger.clone(),
        ..Options::default()
    };
    let mut progress = Progress::new(console, sync.progress);
    let report = match reconcile::pass(host, &options, &mut |event| progress.tell(&event)) {
        Ok(report) => report,
        Err(error) => return Err(progress::pass_failure(error, console)),
    };
    progress.finish(&report);
    let works = !sync.progress || settle(host, sync, &report, console)?;
    if works && report.succeeded() {
        Ok(())
    } else {
        Err(Failure::said())
    }
}

/// Waits until it is decided how the tenants do that this pass was about, and says so. Whether what was deployed stays.
fn settle(host: &dyn Host, sync: &Sync, report: &Report, console: &Console) -> Result<bool> {
    let concerned = report.tenants.iter().filter(|tenant| match tenant.verdict {
        Verdict::Applied => true,
        // It did not start, and has its tries.
        Verdict::Failed => tenant.generation.is_some(),
        Verdict::Unchanged => sync.tenant.is_some(),
        _ => false,
    });
    let mut stays = true;
    for tenant in concerned {
        let say = &mut |status: &TenantStatus| console.say(&progress::health(status));
        let deadline = Instant::now() + LONGEST;
        let status = loop {
            let status = observe::wait_settled(host, &tenant.tenant, PATIENCE, say)?;
            // Nobody waits for the end of a window in which all is well.
            if status.window.is_none() || works(&status) || Instant::now() >= deadline {
                break status;
            }
        };
        let left = status
            .degraded
            .as_ref()
            .is_some_and(|degraded| degraded.left);
        stays &= status.sync != SyncState::RolledBack && !left;
    }
    Ok(stays)
}

fn works(status: &TenantStatus) -> bool {
    matches!(status.health, Health::Healthy | Health::Stopped)
}
