//! One pass: all stages in order, for every tenant, under the host's lock.
//!
//! - [`pass`]: fetch, compile, plan, apply, record. [`Options`] say how far and for whom; [`Report`] says how it went,
//!   [`Event`] says it as it happens.
//! - [`preview_tenant`], [`preview_system`]: the compiler without any effect, for `plan` and for pushes.
//! - [`rollback`], [`suspend`], [`resume`]: what an operator does to one tenant.
//! - [`registry`]: the system repository as the host last accepted it. [`TenantState`]: what is remembered of a tenant.
//! - [`init`]: makes a host ready for its first pass.

mod error;
mod init;
mod operate;
mod options;
mod preview;
mod registry;
mod report;
mod state;

pub use error::PassError;
pub use init::{HostConfig, init, read_config};
pub use operate::{resume, rollback, suspend};
pub use options::{Options, Scope, Starts};
pub use preview::{Preview, preview_system, preview_tenant};
pub use registry::{
    EffectiveRegistry, EffectiveTenant, Revision, accepted_system, effective_registry,
};
pub use report::{Event, Report, SystemReport, TenantReport, Verdict};
pub use state::{FetchFailure, HistoryEntry, HistoryEvent, Refusal, Suspension, TenantState};

use crate::host::Host;

/// Brings the host to what the repositories say: recover, fetch, compile, plan, apply, record.
///
/// One tenant's failure never stops another's; it is in the report.
///
/// # Errors
/// When nothing can be done at all: the host is not initialised, the lock cannot be taken, or its state is damaged.
pub fn pass(
    host: &dyn Host,
    options: &Options,
    say: &mut dyn FnMut(Event),
) -> Result<Report, PassError> {
    let _ = (host, options, say);
    todo!()
}
