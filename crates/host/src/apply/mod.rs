//! Executes plans, phase by phase over all tenants, with a journal; decides nothing.
//!
//! - [`Apply::run`]: prepare for all, stop for all, write the effective registry, switch for all, one reload of the
//!   manager, start for all. What fails for one tenant never stops another.
//! - [`recover`], [`recover_all`]: after a crash, undo what had not switched and finish what had.
//! - [`Outcome`] says how it went, [`Event`] says it as it happens.
//!
//! Every step can be repeated: done twice, the second time is `Unchanged` or leads to the same place. The caller holds
//! the host's lock, so that no two passes run at once.

mod journal;
mod outcome;
mod phases;
mod prepare;
mod recover;
mod step;
mod tenant;
#[cfg(test)]
pub(crate) mod tests;

pub use outcome::{Event, Outcome, StepReport, StepResult};
pub use recover::{Recovery, recover, recover_all};

use crate::host::{Host, HostError};
use bitbuilder_core::artefact::{Artefacts, Manifest};
use bitbuilder_core::desired::Layer;
use bitbuilder_core::model::Name;
use bitbuilder_core::plan::Plan;
use std::collections::BTreeMap;
use std::path::Path;

/// Where the content of layers comes from.
pub trait LayerSource: Sync {
    /// Writes the directory `layer` of the tenant's repository as `into`, which does not exist yet. Owners do not
    /// matter, they are set afterwards; nothing may be written outside of `into`.
    ///
    /// # Errors
    /// When the directory cannot be read from the repository or not be written.
    fn export_layer(&self, tenant: &Name, layer: &Layer, into: &Path) -> Result<(), HostError>;
}

/// The plan of one tenant, with what its steps need.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The generation that the plan writes, if it writes one.
    pub target: Option<(&'a Manifest, &'a Artefacts)>,
    /// First uid of the tenant's range: owner of its layers.
    pub owner: u32,
}

/// Executes the plans of a pass.
#[derive(Clone, Copy)]
pub struct Apply<'a> {
    /// Where.
    pub host: &'a dyn Host,
    /// Where layers come from.
    pub layers: &'a dyn LayerSource,
    /// New content of the effective registry, JSON; `None` leaves the one that is there.
    pub registry: Option<&'a [u8]>,
}

impl Apply<'_> {
    /// Executes `work`, at most one plan per tenant, and tells `events` as it goes. The result has one outcome for each
    /// tenant whose plan is not empty.
    pub fn run(&self, work: &[Work<'_>], events: &mut dyn FnMut(Event)) -> BTreeMap<Name, Outcome> {
        phases::run(self, work, events)
    }
}
