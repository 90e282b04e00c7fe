//! `git-sync`: one pass for all tenants or one.

use crate::console::Console;
use crate::failure::{Failure, Result};
use crate::progress::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe;
use bitbuilder_host::reconcile::{self, Options, Report, Scope, Trigger, Verdict};
use std::time::Duration;

/// How long a person who pushed is kept waiting until it is decided whether it works.
const PATIENCE: Duration = Duration::from_secs(300);

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
    if sync.progress {
        settle(host, sync, &report, console)?;
    }
    if report.succeeded() {
        Ok(())
    } else {
        Err(Failure::said())
    }
}

/// Waits until it is decided how the tenants do that this pass was about, and says so.
fn settle(host: &dyn Host, sync: &Sync, report: &Report, console: &Console) -> Result {
    let concerned = report.tenants.iter().filter(|tenant| match tenant.verdict {
        Verdict::Applied => true,
        Verdict::Unchanged => sync.tenant.is_some(),
        _ => false,
    });
    for tenant in concerned {
        let say = &mut |status: &observe::TenantStatus| console.say(&progress::health(status));
        observe::wait_settled(host, &tenant.tenant, PATIENCE, say)?;
    }
    Ok(())
}
