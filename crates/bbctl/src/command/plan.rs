//! `bbctl plan`.

use crate::cli::Output;
use crate::command::status::unknown;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::report;
use bitbuilder_core::finding::has_errors;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::{self, TextOptions};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{
    Options, Preview, Scope, effective_registry, pass, preview_system, preview_tenant,
};
use bitbuilder_host::source::{Reading, TreeLimits, open, read_directory, read_tree, resolve_ref};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Show what the next pass would change and restart, and why; change nothing.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing would change; 4 something would; 3 the documents are wrong; 1 a tenant failed.

Examples:
  bbctl plan                       every tenant, with what their remotes have now
  bbctl plan shop --diff           one, with the files line by line
  bbctl plan shop --repository .   what the work tree in this directory would do
  bbctl plan shop --ref v1.2       what another branch, tag or commit would do
  bbctl plan system --repository . what this system repository would do")]
pub(crate) struct Plan {
    /// The tenant, or `system`; every tenant by default.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// Plan with the documents in this directory instead of the remote's.
    #[arg(
        long,
        value_name = "DIR",
        requires = "tenant",
        conflicts_with = "reference"
    )]
    repository: Option<PathBuf>,
    /// Plan with this branch, tag or commit of what was fetched before.
    #[arg(
        long = "ref",
        visible_alias = "commit",
        value_name = "REF",
        requires = "tenant"
    )]
    reference: Option<String>,
    /// Take what was fetched before; ask no remote.
    #[arg(long)]
    no_fetch: bool,
    /// Show the files line by line.
    #[arg(long)]
    diff: bool,
    /// Exit with 4 when something would change. It does so anyway; scripts may say it.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    output: Output,
}

impl Plan {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let host = host.as_ref();
        match (&self.tenant, self.given(host)?) {
            (Some(id), Some((reading, commit))) => {
                self.preview(context, host, id, reading, &commit)
            }
            _ => self.dry_run(context, host),
        }
    }

    /// The documents that the arguments name, and what to call their commit.
    fn given(&self, host: &dyn Host) -> Result<Option<(Reading, String)>, CommandError> {
        let limits = TreeLimits::default();
        if let Some(directory) = &self.repository {
            return Ok(Some((read_directory(directory, &limits)?, "local".into())));
        }
        let (Some(reference), Some(id)) = (&self.reference, &self.tenant) else {
            return Ok(None);
        };
        let mirror = match id.as_str() {
            "system" => host.root().system_mirror(),
            _ => host.root().mirror(id),
        };
        if !mirror.is_dir() {
            let message = format!("nothing of {id} was fetched yet");
            let error = CommandError::refused(message);
            return Err(error.hint(format!("`bbctl sync {id}` fetches it")));
        }
        let repository = open(&mirror)?;
        let commit = resolve_ref(&repository, reference)?.id;
        let reading = read_tree(&repository, &commit, &limits)?;
        Ok(Some((reading, commit)))
    }

    fn preview(
        &self,
        context: &Context,
        host: &dyn Host,
        id: &Name,
        reading: Reading,
        commit: &str,
    ) -> Result<Exit, CommandError> {
        let preview = match id.as_str() {
            "system" => preview_system(host, reading)?,
            _ => preview_tenant(host, id, reading, commit)?,
        };
        if self.output.json {
            let value = json!({ "findings": preview.findings, "plans": preview.plans });
            context.ui.json(&value)?;
        } else {
            report::findings(&context.ui, &preview.findings, &preview.sources)?;
            self.plans(context, &preview)?;
        }
        Ok(if has_errors(&preview.findings) {
            Exit::Invalid
        } else if preview.plans.iter().any(|plan| !plan.is_empty()) {
            Exit::Pending
        } else {
            Exit::Success
        })
    }

    fn plans(&self, context: &Context, preview: &Preview) -> Result<(), CommandError> {
        if has_errors(&preview.findings) {
            return Ok(());
        }
        let plans: Vec<_> = preview
            .plans
            .iter()
            .filter(|plan| !plan.is_empty())
            .collect();
        if !preview.findings.is_empty() {
            context.ui.print("\n")?;
        }
        for plan in &plans {
            context
                .ui
                .print(&plan::text(plan, &self.options(context)))?;
        }
        if plans.is_empty() {
            context.ui.print("Nothing would change.\n")?;
        }
        Ok(())
    }

    /// A pass that stops before anything changes.
    fn dry_run(&self, context: &Context, host: &dyn Host) -> Result<Exit, CommandError> {
        if let Some(id) = &self.tenant {
            let registry = effective_registry(host.root())?;
            if id.as_str() == "system" {
                let message = "the registry has no tenant `system`";
                let error = CommandError::refused(message);
                return Err(error.hint("`bbctl plan` shows every tenant; `bbctl plan system --repository DIR` a system repository"));
            }
            if registry.is_some_and(|all| !all.tenants.iter().any(|one| one.id == *id))
                && self.no_fetch
            {
                return Err(unknown(host, id)?.into());
            }
        }
        let options = Options {
            scope: self.tenant.clone().map_or(Scope::All, Scope::One),
            fetch: !self.no_fetch,
            plan_only: true,
            ..Options::default()
        };
        let done = pass(host, &options, &mut drop)?;
        let ui = &context.ui;
        if self.output.json {
            ui.json(&done)?;
        } else {
            for tenant in &done.tenants {
                if let Some(plan) = tenant.plan.as_ref().filter(|plan| !plan.is_empty()) {
                    ui.print(&plan::text(plan, &self.options(context)))?;
                }
            }
            report::print(context, &done)?;
        }
        let refused = done.tenants.iter().any(|one| has_errors(&one.findings))
            || has_errors(&done.system.findings);
        Ok(if refused {
            Exit::Invalid
        } else if !done.succeeded() {
            Exit::Failed
        } else if done.pending() {
            Exit::Pending
        } else {
            Exit::Success
        })
    }

    fn options(&self, context: &Context) -> TextOptions {
        TextOptions {
            color: context.ui.color,
            diffs: self.diff,
        }
    }
}
