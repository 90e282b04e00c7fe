//! `bbctl console`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::workload::{Class, Target, find};
use bitbuilder_host::{foreground, terminal};
use clap::Args;
use std::path::Path;

/// Join the terminal of a virtual machine, or of a container that boots; `^]` leaves.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl console tenant-001         its only workload
  bbctl console shop/router")]
pub(crate) struct Console {
    /// The workload; the tenant, if it has only one.
    #[arg(value_name = "TENANT[/WORKLOAD]")]
    target: Target,
}

impl Console {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        if context.simulated().is_some() {
            return Err(CommandError::refused("nothing runs on a simulated host"));
        }
        let workload = find(host.as_ref(), &self.target)?;
        match workload.class {
            Class::Machine => {
                let path = format!("/run/systemd/vmspawn/{}/terminal", workload.machine);
                let stands = || eprintln!("Joined to {}; ^] leaves.", workload.machine);
                let joined = terminal::attach(Path::new(&path), stands);
                joined.map_err(|error| {
                    let hint = format!("`systemctl status {}` says whether it runs", workload.unit);
                    CommandError::from(error).hint(hint)
                })?;
                Ok(Exit::Success)
            }
            Class::System => {
                let arguments = ["login", workload.machine.as_str()];
                Ok(Exit::Passed(foreground::run("machinectl", &arguments)?))
            }
            Class::Command => {
                let message = "a container that runs a command has no terminal";
                let hint = "`bbctl shell` runs a shell in it, `bbctl logs` shows what it says";
                Err(CommandError::refused(message).hint(hint))
            }
        }
    }
}
