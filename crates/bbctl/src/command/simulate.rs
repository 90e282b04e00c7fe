//! `bbctl simulate`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_host::host::Host;
use bitbuilder_host::sim::SimHost;
use clap::{Args, ValueEnum};
use std::io::Read;

/// Do to the simulated host what others do to a real one.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl --sim /tmp/host simulate stop systemd-nspawn@shop-web.service
  bbctl --sim /tmp/host simulate nft <transaction.json
  bbctl --sim /tmp/host simulate reboot")]
pub(crate) struct Simulate {
    /// What is done.
    #[arg(value_enum)]
    deed: Deed,
    /// Units or links.
    subjects: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Deed {
    /// As `systemctl stop`.
    Stop,
    /// As `systemctl start`.
    Start,
    /// As `systemctl daemon-reload`.
    Reload,
    /// As `nft -j -f -`: a transaction from standard input.
    Nft,
    /// As `networkctl delete`.
    DeleteLink,
    /// Turn it off and on.
    Reboot,
}

impl Simulate {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let Some(directory) = context.simulated() else {
            return Err(CommandError::usage("it needs a simulated host: --sim DIR"));
        };
        let host = SimHost::open(directory)?;
        match self.deed {
            Deed::Stop => host.stop(&self.subjects)?,
            Deed::Start => host.start(&self.subjects)?,
            Deed::Reload => host.daemon_reload()?,
            Deed::Nft => {
                let mut transaction = Vec::new();
                let read = std::io::stdin().read_to_end(&mut transaction);
                read.map_err(CommandError::file("-".as_ref()))?;
                host.apply_ruleset(&transaction)?;
            }
            Deed::DeleteLink => host.delete_links(&self.subjects)?,
            Deed::Reboot => host.reboot()?,
        }
        Ok(Exit::Success)
    }
}
