//! `bbctl tenant`.

mod change;
mod entry;

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::Style;
use crate::view::report::Progress;
use crate::view::status::{kept, limits};
use crate::view::table::{Cell, Table};
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile::{
    self, PassError, accepted_system, embedded_url, ensure_embedded, read_config,
};
use change::{Change, Place};
use clap::{Args, Subcommand};
use entry::Entry;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Change the registry of tenants: each change is a commit in the system repository.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl tenant add shop --embedded --limits cpu=4,memory=8G,storage=50G --allow publish=tcp/8000-8099
  bbctl tenant add blog --repository https://git.example/blog.git --checkout ~/acme-system
  bbctl tenant remove shop
  bbctl tenant purge shop
  bbctl tenant list")]
pub(crate) struct Tenant {
    #[command(subcommand)]
    command: TenantCommand,
}

#[derive(Debug, Subcommand)]
enum TenantCommand {
    /// Register a tenant.
    #[command(after_help = "\
Examples:
  bbctl tenant add shop --embedded --limits cpu=4,memory=8G,storage=50G
  bbctl tenant add shop --embedded --allow publish=tcp/8000-8099 --allow hooks,no-machines
  bbctl tenant add blog --repository https://git.example/blog.git --ref production --checkout ~/acme-system")]
    Add {
        #[command(flatten)]
        entry: Entry,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Take a tenant out of the registry; its data is kept for the retention time.
    #[command(after_help = "Example:\n  bbctl tenant remove shop")]
    Remove {
        /// The tenant.
        #[arg(value_parser = crate::context::tenant)]
        id: Name,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Delete the data of a tenant that left the registry, before its time is over.
    #[command(after_help = "\
Everything of it goes for good: volumes, what its containers wrote, its history, and the repository that the host keeps
for it. Its numbers and addresses are free for others.

Example:
  bbctl tenant purge shop")]
    Purge {
        /// The tenant.
        #[arg(value_parser = crate::context::tenant)]
        id: Name,
        /// Do not ask.
        #[arg(long, short)]
        yes: bool,
        #[command(flatten)]
        output: Output,
    },
    /// List the tenants of the registry in force.
    #[command(after_help = "Examples:\n  bbctl tenant list\n  bbctl tenant list --json")]
    List {
        #[command(flatten)]
        output: Output,
    },
}

/// Which copy of the system repository is changed.
#[derive(Debug, Args)]
struct PlaceArgs {
    /// Commit in this clone of the system repository, and push nothing; by default the commit is pushed into the
    /// repository that the host keeps.
    #[arg(long, value_name = "DIR")]
    checkout: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

impl Tenant {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        match &self.command {
            TenantCommand::Add { entry, place } => {
                let value = entry.value()?;
                let change = Change::Add(&entry.id, &value);
                let opened = place.open(context)?;
                let exit = change.make(context, &opened, place.output.json)?;
                if let (Exit::Success, true, Place::Embedded { host, .. }) =
                    (exit, entry.is_embedded(), &opened)
                {
                    // A push shall not have to wait for the pass that would make it.
                    ensure_embedded(host.root(), &embedded_url(entry.id.as_str()))?;
                }
                if exit == Exit::Success && !place.output.json {
                    context.ui.print(&next(entry))?;
                }
                Ok(exit)
            }
            TenantCommand::Remove { id, place } => {
                Change::Remove(id).make(context, &place.open(context)?, place.output.json)
            }
            TenantCommand::Purge { id, yes, output } => purge(context, id, *yes, output.json),
            TenantCommand::List { output } => list(context, output.json),
        }
    }
}

impl PlaceArgs {
    fn open(&self, context: &Context) -> Result<Place, CommandError> {
        if let Some(directory) = &self.checkout {
            return Ok(Place::Checkout(directory.clone()));
        }
        let host = context.host()?;
        let config = read_config(host.root())?.ok_or(PassError::NotInitialised)?;
        if host.root().embedded_path(&config.repository).is_none() {
            let message = format!(
                "the system repository is at {}, not on this host",
                config.repository
            );
            let error = CommandError::refused(message);
            return Err(error.hint("clone it, use --checkout DIR, and push"));
        }
        Ok(Place::Embedded { host, config })
    }
}

fn next(entry: &Entry) -> String {
    let id = &entry.id;
    if entry.is_embedded() {
        let path = embedded_url(id.as_str());
        let path = path.trim_start_matches("file://");
        return format!("Its repository is {path}: `git push HOST:{path} main` deploys.\n");
    }
    format!("`bbctl sync {id}` deploys it now; else the next pass does.\n")
}

/// Asks on a terminal, and deletes.
fn purge(context: &Context, id: &Name, yes: bool, json: bool) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let ui = &context.ui;
    if !yes {
        if !std::io::stdin().is_terminal() {
            let error = CommandError::usage("nobody can be asked: standard input is no terminal");
            return Err(error.hint("--yes deletes without asking"));
        }
        ui.note(&format!(
            "All data of {id} goes for good. Type its id to delete it: "
        ));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        read.map_err(CommandError::file("-".as_ref()))?;
        if answer.trim() != id.as_str() {
            return Err(CommandError::refused("nothing was deleted"));
        }
    }
    let waiting = Progress::new(ui, json);
    reconcile::purge(host.as_ref(), id, &mut |event| waiting.tell(&event))?;
    if json {
        ui.json(&serde_json::json!({ "tenant": id, "purged": true }))?;
    } else {
        ui.print(&format!("{id} is deleted, and its numbers are free.\n"))?;
    }
    Ok(Exit::Success)
}

fn list(context: &Context, json: bool) -> Result<Exit, CommandError> {
    let host = context.host()?;
    let revision = accepted_system(host.as_ref())?;
    let left = reconcile::left(host.as_ref())?;
    let ui = &context.ui;
    if json {
        ui.json(&serde_json::json!({
            "commit": revision.commit,
            "tenants": revision.system.tenants,
            "left": left,
        }))?;
        return Ok(Exit::Success);
    }
    if revision.system.tenants.is_empty() {
        ui.print("No tenants. `bbctl tenant add ID --repository URL` adds one.\n")?;
        ui.print(&kept(&left))?;
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["TENANT", "ENABLED", "REPOSITORY", "REF", "LIMITS", "NAME"]);
    for tenant in &revision.system.tenants {
        table.row(vec![
            Cell::new(tenant.id.as_str(), Style::Bold),
            Cell::plain(if tenant.enabled { "yes" } else { "no" }),
            Cell::plain(&tenant.repository),
            Cell::plain(&tenant.reference),
            Cell::plain(limits(&tenant.limits)),
            Cell::plain(&tenant.name),
        ]);
    }
    ui.print(&table.text(ui))?;
    ui.print(&kept(&left))?;
    Ok(Exit::Success)
}
