//! `bbctl resume`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile;
use clap::Args;

/// Have passes care for a suspended tenant again.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bbctl resume shop && bbctl sync shop")]
pub(crate) struct Resume {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
}

impl Resume {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        reconcile::resume(host.as_ref(), &self.tenant)?;
        let id = &self.tenant;
        context.ui.print(&format!(
            "{id} is resumed from the next pass on. `bbctl sync {id}` makes one now.\n"
        ))?;
        Ok(Exit::Success)
    }
}
