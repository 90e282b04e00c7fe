//! `tenant-rollback`: whether what was deployed stays.

use crate::console::Console;
use crate::failure::Result;
use crate::progress::{self, Progress};
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile;

/// Judges the generation of `id`, and does what follows. That a tenant does not work is a result, and no failure of this.
///
/// # Errors
/// When the host's state is unreadable.
pub fn run(host: &dyn Host, id: &Name, console: &Console) -> Result {
    let mut progress = Progress::new(console, false);
    match reconcile::judge(host, id, &mut |event| progress.tell(&event)) {
        Ok(_) => Ok(()),
        Err(error) => Err(progress::pass_failure(error, console)),
    }
}
