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
    Options, Preview, Report, Scope, SystemReport, effective_registry, find_reference, pass,
    preview_commit, preview_system, preview_tenant,
};
use bitbuilder_host::source::{TreeLimits, read_directory};
use clap::Args;
use std::path::{Path, PathBuf};

/// The word for the system repository; no tenant can have it.
const SYSTEM: &str = "system";

/// Show what the next pass would change and restart, and why; change nothing.
///
/// Each step has a class: `live` touches no process, `restart` restarts the unit, `recreate` makes its storage anew as
/// well, `destroy` ends it. `prepare` is what is written beside what runs. docs/changes.md has the class of every field.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing would change; 4 something would; 3 documents are wrong, and the change is refused; 1 a tenant failed.

Examples:
  bbctl plan                        every tenant, with what their remotes have now
  bbctl plan shop --diff            one, with the files line by line
  bbctl plan shop --repository .    what the work tree in this directory would do
  bbctl plan shop --ref next        what another branch, tag or commit of its remote would do
  bbctl plan system --repository .  what this system repository would do to every tenant
  bbctl plan system --ref quotas    what a branch of it would do
  bbctl plan --json | jq '.tenants[].plan.steps'")]
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
    /// Plan with this branch, tag or commit; it is fetched and not deployed.
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
        let report = match (&self.tenant, &self.repository, &self.reference) {
            (Some(id), Some(directory), _) => {
                report_of(tenant(id), directory_of(host, id, directory)?)
            }
            (Some(id), None, Some(reference)) => {
                report_of(tenant(id), self.commit(host, id, reference)?)
            }
            _ => self.dry_run(host)?,
        };
        if self.output.json {
            context.ui.json(&report)?;
        } else {
            self.show(context, &report)?;
        }
        Ok(exit(&report))
    }

    /// What another commit of the repository would do.
    fn commit(&self, host: &dyn Host, id: &Name, reference: &str) -> Result<Preview, CommandError> {
        let tenant = tenant(id);
        let mirror =
            tenant.map_or_else(|| host.root().system_mirror(), |id| host.root().mirror(id));
        if self.no_fetch && !mirror.is_dir() {
            let error = CommandError::refused(format!("nothing of {id} was fetched yet"));
            return Err(error.hint("leave out `--no-fetch`"));
        }
        let (repository, commit) = find_reference(host, tenant, reference, !self.no_fetch)?;
        Ok(preview_commit(host, tenant, &repository, &commit)?)
    }

    /// A pass that stops before anything changes.
    fn dry_run(&self, host: &dyn Host) -> Result<Report, CommandError> {
        if let Some(id) = &self.tenant {
            let registry = effective_registry(host.root())?;
            if id.as_str() == SYSTEM {
                let error = CommandError::refused("the registry has no tenant `system`");
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
        Ok(pass(host, &options, &mut drop)?)
    }

    fn show(&self, context: &Context, report: &Report) -> Result<(), CommandError> {
        let options = TextOptions {
            color: context.ui.color,
            diffs: self.diff,
        };
        for tenant in &report.tenants {
            if let Some(plan) = tenant.plan.as_ref().filter(|plan| !plan.is_empty()) {
                context.ui.print(&plan::text(plan, &options))?;
            }
        }
        report::print_plan(context, report)
    }
}

/// The tenant, unless it is the word for the system repository.
fn tenant(id: &Name) -> Option<&Name> {
    Some(id).filter(|id| id.as_str() != SYSTEM)
}

/// What the documents in `directory` would do.
fn directory_of(host: &dyn Host, id: &Name, directory: &Path) -> Result<Preview, CommandError> {
    const COMMIT: &str = "local";
    let reading = read_directory(directory, &TreeLimits::default())?;
    Ok(match tenant(id) {
        Some(id) => preview_tenant(host, id, reading, COMMIT)?,
        None => preview_system(host, reading, COMMIT)?,
    })
}

/// The same as of a pass.
fn report_of(tenant: Option<&Name>, preview: Preview) -> Report {
    let system = match tenant {
        Some(_) => SystemReport::default(),
        None => SystemReport {
            commit: Some(preview.commit),
            signer: preview.signer,
            findings: preview.findings,
            sources: preview.sources,
            ..SystemReport::default()
        },
    };
    Report {
        system,
        tenants: preview.tenants,
    }
}

fn exit(report: &Report) -> Exit {
    let tenants = report.tenants.iter();
    let refused = tenants.map(|one| &one.findings).any(|all| has_errors(all));
    if refused || has_errors(&report.system.findings) {
        Exit::Invalid
    } else if !report.succeeded() {
        Exit::Failed
    } else if report.pending() {
        Exit::Pending
    } else {
        Exit::Success
    }
}
