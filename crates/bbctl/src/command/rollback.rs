//! `bbctl rollback`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::report::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile;
use clap::Args;

/// Make an older generation of a tenant current; its newer commit stays out until another one arrives.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl rollback shop              to the generation before
  bbctl rollback shop --to 3       `bbctl history shop` shows which there are
  bbctl sync shop --retry          takes the newer commit again")]
pub(crate) struct Rollback {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
    /// Number of the generation; the one before the current one by default.
    #[arg(long, value_name = "GENERATION")]
    to: Option<u64>,
    #[command(flatten)]
    output: Output,
}

impl Rollback {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let progress = Progress::new(&context.ui, self.output.json);
        let say = &mut |event| progress.tell(&event);
        let done = reconcile::rollback(host.as_ref(), &self.tenant, self.to, say)?;
        report::outcome(&context.ui, &done, self.output.json)
    }
}
