//! What can be typed.

use crate::command::{
    apply, audit, completions, confirm, console, doctor, drift, events, explain, history, host,
    logs, network, new, plan, resume, rollback, schema, shell, simulate, status, suspend, sync,
    template, tenant, validate,
};
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::ColorChoice;
use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed: the host, a repository, or the command that was run
  2  the command line is wrong
  3  a document is wrong
  4  something would change (plan), or is not as it shall be (status, drift --exit-code)

Examples:
  bbctl new tenant ./shop          make a tenant repository that is valid
  bbctl validate ./shop            what is wrong with it, all at once
  bbctl status                     every tenant of this host
  bbctl plan shop                  what the next pass would change
  bbctl sync shop                  fetch, compile, apply";

/// Operates BitBuilder Hypervisor: tenants that live in Git repositories, compiled to systemd.
#[derive(Debug, Parser)]
#[command(name = "bbctl", version, after_help = EXIT_CODES, disable_help_subcommand = false)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Work on a simulated host, whose files are below this directory.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "BBCTL_SIM",
        hide_env = true
    )]
    pub(crate) sim: Option<PathBuf>,
    /// Colours; `NO_COLOR` turns them off too.
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        hide_possible_values = true
    )]
    #[arg(value_name = "auto|always|never")]
    pub(crate) color: ColorChoice,
}

/// How a command prints data.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// Print JSON for programs.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    New(new::New),
    Validate(validate::Validate),
    Plan(plan::Plan),
    Sync(sync::Sync),
    Status(status::Status),
    Drift(drift::Drift),
    History(history::History),
    Apply(apply::Apply),
    Confirm(confirm::Confirm),
    Rollback(rollback::Rollback),
    Suspend(suspend::Suspend),
    Resume(resume::Resume),
    Events(events::Events),
    Audit(audit::Audit),
    Logs(logs::Logs),
    Shell(shell::Shell),
    Console(console::Console),
    Network(network::Network),
    Explain(explain::Explain),
    Schema(schema::Schema),
    Doctor(doctor::Doctor),
    Tenant(tenant::Tenant),
    Host(host::HostCommand),
    Template(template::Template),
    Completions(completions::Completions),
    Simulate(simulate::Simulate),
}

impl Command {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        match self {
            Self::New(command) => command.run(context),
            Self::Validate(command) => command.run(context),
            Self::Plan(command) => command.run(context),
            Self::Sync(command) => command.run(context),
            Self::Status(command) => command.run(context),
            Self::Drift(command) => command.run(context),
            Self::History(command) => command.run(context),
            Self::Apply(command) => command.run(context),
            Self::Confirm(command) => command.run(context),
            Self::Rollback(command) => command.run(context),
            Self::Suspend(command) => command.run(context),
            Self::Resume(command) => command.run(context),
            Self::Events(command) => command.run(context),
            Self::Audit(command) => command.run(context),
            Self::Logs(command) => command.run(context),
            Self::Shell(command) => command.run(context),
            Self::Console(command) => command.run(context),
            Self::Network(command) => command.run(context),
            Self::Explain(command) => command.run(context),
            Self::Schema(command) => command.run(context),
            Self::Doctor(command) => command.run(context),
            Self::Tenant(command) => command.run(context),
            Self::Host(command) => command.run(context),
            Self::Template(command) => command.run(context),
            Self::Completions(command) => command.run(context),
            Self::Simulate(command) => command.run(context),
        }
    }
}

/// The definition of the whole command line.
pub fn command() -> clap::Command {
    Cli::command()
}
