//! `bbctl status`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::status as view;
use bitbuilder_core::model::Name;
use bitbuilder_core::report::sources;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::{TenantStatus, status, wait_settled};
use bitbuilder_host::reconcile::{PassError, effective_registry, read_config};
use bitbuilder_host::source::{TreeLimits, open, read_tree};
use clap::Args;
use std::collections::BTreeMap;
use std::time::Duration;

/// Show every tenant, or all that is known of one.
#[derive(Debug, Args)]
#[command(after_help = "\
SYNC: Synced, OutOfSync, RolledBack, Suspended, Unknown.
HEALTH: Healthy, Progressing, Degraded, Stopped, Unknown.

Examples:
  bbctl status
  bbctl status shop
  bbctl status --exit-code         exit with 4 unless all are Synced and Healthy
  bbctl status shop --wait --json")]
pub(crate) struct Status {
    /// The tenant; every tenant by default.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// Exit with 4 unless everything is as it shall be.
    #[arg(long)]
    exit_code: bool,
    /// Wait first, until nothing is starting any more.
    #[arg(long)]
    wait: bool,
    /// Longest time to wait for one tenant, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    timeout: u64,
    #[command(flatten)]
    output: Output,
}

impl Status {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let host = host.as_ref();
        if read_config(host.root())?.is_none() {
            return Err(PassError::NotInitialised.into());
        }
        let mut found = status(host, self.tenant.as_ref())?;
        if self.wait {
            let limit = Duration::from_secs(self.timeout);
            for tenant in &mut found.tenants {
                *tenant = wait(context, host, &tenant.id, limit, self.output.json)?;
            }
        }
        let ui = &context.ui;
        match (&self.tenant, found.tenants.as_slice()) {
            (Some(id), []) if found.left.is_empty() => return Err(unknown(host, id)?.into()),
            _ if self.output.json => ui.json(&found)?,
            (Some(_), [tenant, ..]) => ui.print(&view::one(ui, tenant, &texts(host, tenant)))?,
            (Some(_), []) => ui.print(&view::kept(&found.left))?,
            (None, _) => ui.print(&view::all(ui, &found))?,
        }
        Ok(if self.exit_code && !view::is_good(&found) {
            Exit::Pending
        } else {
            Exit::Success
        })
    }
}

/// The documents that the findings of `tenant` point into; none when its mirror has lost them.
fn texts(host: &dyn Host, tenant: &TenantStatus) -> BTreeMap<String, String> {
    let findings = view::findings(tenant);
    let refused = tenant
        .refused
        .as_ref()
        .filter(|one| !one.findings.is_empty());
    let commit = refused.map(|one| &one.commit).or(tenant.commit.as_ref());
    let read = |commit: &String| {
        let repository = open(&host.root().mirror(&tenant.id)).ok()?;
        read_tree(&repository, commit, &TreeLimits::default()).ok()
    };
    match commit.filter(|_| !findings.is_empty()).and_then(read) {
        Some(reading) => sources(&reading.tree, findings),
        None => BTreeMap::new(),
    }
}

/// Waits until it is decided how `id` does, saying what changes.
pub(crate) fn wait(
    context: &Context,
    host: &dyn Host,
    id: &Name,
    limit: Duration,
    quiet: bool,
) -> Result<TenantStatus, CommandError> {
    let mut say = |status: &TenantStatus| {
        if !quiet {
            context.ui.note(&view::line(status));
        }
    };
    Ok(wait_settled(host, id, limit, &mut say)?)
}

/// The error that says which tenants there are instead of `id`.
pub(crate) fn unknown(host: &dyn Host, id: &Name) -> Result<PassError, CommandError> {
    let registry = effective_registry(host.root())?;
    let Some(registry) = registry else {
        return Ok(match read_config(host.root())? {
            Some(_) => PassError::NothingAccepted,
            None => PassError::NotInitialised,
        });
    };
    let ids: Vec<&str> = registry.tenants.iter().map(|one| one.id.as_str()).collect();
    Ok(PassError::UnknownTenant {
        id: id.clone(),
        known: match ids.as_slice() {
            [] => "which is empty".into(),
            ids => ids.join(", "),
        },
    })
}
