//! How far a pass goes, and for whom.

use super::Trigger;
use crate::audit::Command;
use bitbuilder_core::model::Name;

/// What a pass does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// For whom.
    pub scope: Scope,
    /// Whether remotes are asked; without, what the mirrors have counts.
    pub fetch: bool,
    /// Stop before anything changes.
    pub plan_only: bool,
    /// Try a quarantined or refused commit again.
    pub retry: bool,
    /// Accept a commit that does not descend from the deployed one.
    pub allow_rewind: bool,
    /// Put right what differs without a new commit, whatever the policy says.
    pub repair: bool,
    /// Whether the pass waits for the units that it starts.
    pub starts: Starts,
    /// Who or what caused it.
    pub trigger: Trigger,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            scope: Scope::All,
            fetch: true,
            plan_only: false,
            retry: false,
            allow_rewind: false,
            repair: false,
            starts: Starts::Awaited,
            trigger: Trigger::default(),
        }
    }
}

impl Options {
    /// What an operator said, for the audit trail; nothing when somebody else caused the pass.
    pub(super) fn command(&self) -> Option<Command> {
        if self.plan_only || !matches!(self.trigger, Trigger::Operator { .. }) {
            return None;
        }
        let tenant = match &self.scope {
            Scope::All => None,
            Scope::One(id) => Some(id),
        };
        let command = Command::new("sync", tenant)
            .when(!self.fetch, "no-fetch")
            .when(self.retry, "retry")
            .when(self.allow_rewind, "allow-rewind")
            .when(self.repair, "repair");
        Some(command)
    }
}

/// For whom a pass is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every tenant, and those that left the registry.
    All,
    /// One tenant of the registry.
    One(Name),
}

/// Who starts the units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Starts {
    /// The pass does, and waits for them.
    Awaited,
    /// Somebody else does: the pass runs in a unit that the starts would wait for.
    Left,
}
