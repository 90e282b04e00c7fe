//! `git-sync`: one pass for all tenants or one.

use crate::boot;
use crate::console::Console;
use crate::failure::{Failure, Result};
use crate::progress::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::{self, Health, SyncState, TenantStatus};
use bitbuilder_host::reconcile::{self, Options, Report, Scope, Trigger, Verdict};
use bitbuilder_host::requests;
use std::thread;
use std::time::{Duration, Instant};

/// How long a person who pushed is kept waiting until it is decided whether it works.
const PATIENCE: Duration = Duration::from_secs(300);
/// The same while windows are open: they have an end, which the operator's policy sets.
const LONGEST: Duration = Duration::from_secs(3600);

/// Changes that follow each other within this time make one request. It is also the least time between two.
const MOMENT: Duration = Duration::from_millis(300);

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
/// When the pass could not be made; when somebody waits for it, also when something failed or was refused. It was said already.
pub fn run(host: &dyn Host, sync: &Sync, console: &Console) -> Result {
    let first = sync.trigger == Trigger::Timer && boot::is_first(host)?;
    if first {
        boot::wait_done();
    }
    let options = Options {
        scope: sync.tenant.clone().map_or(Scope::All, Scope::One),
        fetch: sync.fetch,
        trigger: match first {
            true => Trigger::Boot,
            false => sync.trigger.clone(),
        },
        // Who reloads a tenant wants it as it shall be.
        repair: sync.trigger == Trigger::Reload,
        ..Options::default()
    };
    let report = pass(host, &options, sync.progress, console)?;
    if first && reconcile::is_remote_unreachable(host)? {
        boot::repeat_online(host)?;
    }
    let works = !sync.progress || settle(host, sync, &report, console)?;
    if works && (report.succeeded() || is_unattended(&sync.trigger)) {
        Ok(())
    } else {
        Err(Failure::said())
    }
}

fn pass(host: &dyn Host, options: &Options, verbose: bool, console: &Console) -> Result<Report> {
    let mut progress = Progress::new(console, verbose);
    match reconcile::pass(host, options, &mut |event| progress.tell(&event)) {
        Ok(report) => {
            progress.finish(&report);
            Ok(report)
        }
        Err(error) => Err(progress::pass_failure(error, console)),
    }
}

/// Whether nobody waits for the pass. A commit that is refused is in `bbctl status`; that a tenant pushed it must not make
/// a unit of the host fail.
fn is_unattended(trigger: &Trigger) -> bool {
    matches!(
        trigger,
        Trigger::Boot | Trigger::Timer | Trigger::Path | Trigger::Webhook { .. }
    )
}

/// Leaves a request for a pass, a moment after what caused it: what follows at once is seen by the same pass.
///
/// # Errors
/// When the file cannot be made.
pub fn request(host: &dyn Host, name: &Name, trigger: &Trigger) -> Result {
    thread::sleep(MOMENT);
    Ok(requests::ask(
        &requests::directory(host.root()),
        name,
        trigger,
    )?)
}

/// Makes a pass for everybody who left a request.
///
/// # Errors
/// When the requests cannot be read; passes that fail are said.
pub fn serve(host: &dyn Host, console: &Console) -> Result {
    let directory = requests::directory(host.root());
    requests::serve(&directory, |request| {
        let options = Options {
            scope: request.scope,
            trigger: request.trigger,
            ..Options::default()
        };
        if let Err(failure) = pass(host, &options, false, console) {
            failure.report(console);
        }
    })?;
    Ok(())
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
            let open = status.window.is_some() || status.returning.is_some();
            if !open || works(&status) || Instant::now() >= deadline {
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
