//! `bbctl shell`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::workload::{Class, Target, Workload, find};
use bitbuilder_host::foreground;
use clap::Args;
use std::io::IsTerminal;

/// Run a command in a workload, a shell by default; passes input, output and exit status.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl shell shop/web
  bbctl shell shop/db -- cat /data/orders
  bbctl shell tenant-002           its only workload")]
pub(crate) struct Shell {
    /// The workload; the tenant, if it has only one.
    #[arg(value_name = "TENANT[/WORKLOAD]")]
    target: Target,
    /// The command and its arguments.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl Shell {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        if context.simulated().is_some() {
            return Err(CommandError::refused("nothing runs on a simulated host"));
        }
        let workload = find(host.as_ref(), &self.target)?;
        let command = if self.command.is_empty() {
            vec!["/bin/sh".to_owned()]
        } else {
            self.command.clone()
        };
        let status = match workload.class {
            Class::System => foreground::run("systemd-run", &in_system(&workload, command))?,
            Class::Command => {
                let mask = foreground::bounding_set(&workload.machine)?;
                let mut arguments = vec![
                    "enter".to_owned(),
                    workload.machine,
                    format!("{mask:016x}"),
                    "--".to_owned(),
                ];
                arguments.extend(command);
                foreground::run("/usr/lib/bitbuilder/agent", &arguments)?
            }
            Class::Machine => {
                let message = "the host cannot start programs in a virtual machine";
                let hint = format!("`bbctl console {}` joins its terminal", self.target);
                return Err(CommandError::refused(message).hint(hint));
            }
        };
        Ok(Exit::Passed(status))
    }
}

/// A transient unit of the systemd inside: `machinectl shell` would lose the exit status.
fn in_system(workload: &Workload, command: Vec<String>) -> Vec<String> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut arguments = vec![
        format!("--machine={}", workload.machine),
        "--quiet".to_owned(),
        "--wait".to_owned(),
        "--collect".to_owned(),
        "--expand-environment=no".to_owned(),
        if terminal { "--pty" } else { "--pipe" }.to_owned(),
        "--".to_owned(),
    ];
    arguments.extend(command);
    arguments
}
