//! `bbctl confirm`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile;
use clap::Args;

/// Keep what is on trial.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bbctl apply shop --try 5min && bbctl confirm shop")]
pub(crate) struct Confirm {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
}

impl Confirm {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let id = &self.tenant;
        let generation = reconcile::confirm(host.as_ref(), id)?;
        context
            .ui
            .print(&format!("{id}: generation {generation} stays.\n"))?;
        Ok(Exit::Success)
    }
}
