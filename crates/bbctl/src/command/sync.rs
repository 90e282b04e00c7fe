//! `bbctl sync`.

use crate::cli::Output;
use crate::command::status::wait;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::report::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::observe::{Health, SyncState};
use bitbuilder_host::reconcile::{Options, Report, Scope, Starts, Trigger, Verdict, pass};
use clap::Args;
use std::time::Duration;

/// Make a pass now: fetch, compile, apply.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all is as the repositories say; 1 a tenant failed or its commit was refused.

Examples:
  bbctl sync                       every tenant
  bbctl sync shop --wait           one, until it is decided whether it works
  bbctl sync shop --repair         start what was stopped, take back what was changed by hand
  bbctl sync shop --allow-rewind   accept a commit that does not descend from the deployed one")]
pub(crate) struct Sync {
    /// The tenant; every tenant by default.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// Take what was fetched before; ask no remote.
    #[arg(long)]
    no_fetch: bool,
    /// Accept commits that do not descend from the deployed ones (a force push).
    #[arg(long)]
    allow_rewind: bool,
    /// Try commits again that were refused, or rolled back from.
    #[arg(long)]
    retry: bool,
    /// Put right what differs from the current generation without a new commit.
    #[arg(long)]
    repair: bool,
    /// Wait until the tenants are Healthy, or it is decided that they are not.
    #[arg(long)]
    wait: bool,
    /// Longest time to wait for one tenant, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    timeout: u64,
    #[command(flatten)]
    output: Output,
}

impl Sync {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let options = Options {
            scope: self.tenant.clone().map_or(Scope::All, Scope::One),
            fetch: !self.no_fetch,
            plan_only: false,
            retry: self.retry,
            allow_rewind: self.allow_rewind,
            repair: self.repair,
            starts: Starts::Awaited,
            trigger: Trigger::Operator {
                uid: host.caller().uid,
            },
        };
        let progress = Progress::new(&context.ui, self.output.json);
        let done = pass(host.as_ref(), &options, &mut |event| progress.tell(&event))?;
        let healthy = !self.wait || self.settle(context, &done)?;
        if self.output.json {
            context.ui.json(&done)?;
        } else {
            report::print(context, &done)?;
        }
        Ok(if done.succeeded() && healthy {
            Exit::Success
        } else {
            Exit::Failed
        })
    }

    /// Waits for every tenant that runs; whether all of them work.
    fn settle(&self, context: &Context, done: &Report) -> Result<bool, CommandError> {
        let host = context.host()?;
        let limit = Duration::from_secs(self.timeout);
        let mut healthy = true;
        for tenant in &done.tenants {
            if tenant.verdict != Verdict::Removed {
                let status = wait(
                    context,
                    host.as_ref(),
                    &tenant.tenant,
                    limit,
                    self.output.json,
                )?;
                healthy &= matches!(status.health, Health::Healthy | Health::Stopped)
                    && status.sync != SyncState::RolledBack;
            }
        }
        Ok(healthy)
    }
}
