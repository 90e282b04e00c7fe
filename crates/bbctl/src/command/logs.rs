//! `bbctl logs`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::workload::{Class, Target, find};
use bitbuilder_host::foreground;
use clap::Args;

/// Show the journal of a tenant or of one of its workloads.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl logs shop                  all units of the tenant
  bbctl logs shop/web -f           what web prints, and what it prints from now on
  bbctl logs shop/web --inside -n 50   the journal of the systemd that runs in web")]
pub(crate) struct Logs {
    /// The tenant, or one workload of it.
    #[arg(value_name = "TENANT[/WORKLOAD]")]
    target: Target,
    /// Go on with what comes from now on.
    #[arg(long, short)]
    follow: bool,
    /// Only the last lines.
    #[arg(long, short = 'n', value_name = "NUMBER")]
    lines: Option<u64>,
    /// Only since this time, as journalctl(1) takes it: `-1h`, `yesterday`.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<String>,
    /// The journal inside of a container that boots.
    #[arg(long)]
    inside: bool,
    /// JSON for programs, one object per line.
    #[arg(long)]
    json: bool,
}

impl Logs {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        if context.simulated().is_some() {
            return Err(CommandError::refused(
                "a simulated host runs nothing, and has no journal",
            ));
        }
        let mut arguments: Vec<String> = vec!["--no-hostname".into()];
        if self.follow {
            arguments.push("--follow".into());
        }
        arguments.extend(self.lines.map(|lines| format!("--lines={lines}")));
        arguments.extend(self.since.iter().map(|since| format!("--since={since}")));
        if self.json {
            arguments.push("--output=json".into());
        }
        let target = &self.target;
        if self.inside || target.workload.is_some() {
            // A name that is not there would show an empty journal.
            let workload = find(host.as_ref(), target)?;
            if self.inside && workload.class == Class::Machine {
                let message = "the journal of a virtual machine is inside of it";
                let hint = format!(
                    "`bbctl logs {target}` shows its serial line, `bbctl console {target}` joins its terminal"
                );
                return Err(CommandError::refused(message).hint(hint));
            }
            if self.inside {
                arguments.push(format!("--machine={}", workload.machine));
            } else {
                // Its health checks have its fields too; their results are in `bbctl status`.
                arguments.push(format!("--unit={}", workload.unit));
            }
        } else {
            arguments.push(format!("BITBUILDER_TENANT={}", target.tenant));
        }
        Ok(Exit::Passed(foreground::run("journalctl", &arguments)?))
    }
}
