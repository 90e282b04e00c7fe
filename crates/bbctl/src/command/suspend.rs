//! `bbctl suspend`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile;
use clap::Args;

/// Have passes leave a tenant alone; what runs goes on.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl suspend shop --reason \"moving its database\"
  bbctl resume shop")]
pub(crate) struct Suspend {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
    /// Why: `status` and `history` show it.
    #[arg(long)]
    reason: String,
}

impl Suspend {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        reconcile::suspend(host.as_ref(), &self.tenant, &self.reason)?;
        let id = &self.tenant;
        context.ui.print(&format!(
            "{id} is suspended; what runs goes on. `bbctl resume {id}` ends it.\n"
        ))?;
        Ok(Exit::Success)
    }
}
