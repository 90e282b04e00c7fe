//! `bbctl drift`.

use crate::cli::Output;
use crate::command::status::unknown;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::drift as view;
use bitbuilder_core::model::Name;
use bitbuilder_host::observe::{TenantDrift, drifted};
use bitbuilder_host::reconcile::{PassError, read_config};
use clap::Args;
use serde_json::json;

/// Show what differs from the current generations without a new commit, since when, by whom, and what puts it right.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl drift
  bbctl drift shop
  bbctl drift --exit-code          exit with 4 when anything differs
  bbctl sync shop --repair         puts it right")]
pub(crate) struct Drift {
    /// The tenant; every tenant by default.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// Exit with 4 when anything differs.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    output: Output,
}

impl Drift {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let host = host.as_ref();
        if read_config(host.root())?.is_none() {
            return Err(PassError::NotInitialised.into());
        }
        let found = drifted(host, self.tenant.as_ref())?;
        if let (Some(id), []) = (&self.tenant, found.as_slice()) {
            return Err(unknown(host, id)?.into());
        }
        let ui = &context.ui;
        if self.output.json {
            let tenants: Vec<_> = found.iter().map(program).collect();
            ui.json(&json!({ "tenants": tenants }))?;
        } else {
            ui.print(&view::text(ui, &found))?;
        }
        let good = |tenant: &TenantDrift| tenant.items.is_empty() && tenant.error.is_none();
        Ok(match (found.iter().all(good), self.exit_code) {
            (false, true) => Exit::Pending,
            _ => Exit::Success,
        })
    }
}

/// What a program reads: each difference has the command that puts it right.
fn program(tenant: &TenantDrift) -> serde_json::Value {
    let mut value = json!(tenant);
    if let Some(items) = value["items"].as_array_mut() {
        for (shown, item) in items.iter_mut().zip(&tenant.items) {
            shown["command"] = item.command(&tenant.tenant).into();
        }
    }
    value
}
