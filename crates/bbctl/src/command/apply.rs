//! `bbctl apply`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::view::report::{self, Progress};
use bitbuilder_core::document::duration;
use bitbuilder_core::model::{Millis, Name};
use bitbuilder_host::reconcile::try_out;
use clap::Args;

/// Try a commit for a while: the generation before returns by itself, and after a restart of the host.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 it runs, on trial; 1 it was refused, or does not work and was left.

Examples:
  bbctl apply shop --try 5min              the newest commit of its own reference
  bbctl apply shop --try 1h --ref next     of another branch, tag or commit of its repository
  bbctl confirm shop                       keeps it
  bbctl rollback shop                      leaves it now")]
pub(crate) struct Apply {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
    /// How long, such as `30s`, `5min` or `1h`.
    #[arg(long = "try", value_name = "TIME", value_parser = time)]
    length: Millis,
    /// The branch, tag or commit; the tenant's own reference by default.
    #[arg(long = "ref", visible_alias = "commit", value_name = "REF")]
    reference: Option<String>,
    #[command(flatten)]
    output: Output,
}

fn time(text: &str) -> Result<Millis, String> {
    match duration(text)? {
        Millis(millis) if millis < 1000 => Err("write at least `1s`".to_owned()),
        length => Ok(length),
    }
}

impl Apply {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let progress = Progress::new(&context.ui, self.output.json);
        let say = &mut |event| progress.tell(&event);
        let (id, reference) = (&self.tenant, self.reference.as_deref());
        let done = try_out(host.as_ref(), id, reference, self.length, say)?;
        report::outcome(&context.ui, &done, self.output.json)
    }
}
