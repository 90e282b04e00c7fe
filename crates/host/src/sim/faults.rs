//! Failures on request.

use crate::host::HostError;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// A method of [`crate::host::Host`] that asks for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// `daemon_reload`.
    DaemonReload,
    /// `start` and `start_no_block`.
    Start,
    /// `start_later` and `forget_later`.
    StartLater,
    /// `stop`.
    Stop,
    /// `set_properties`.
    SetProperties,
    /// `units`.
    Units,
    /// `reload_network`.
    ReloadNetwork,
    /// `make_links`.
    MakeLinks,
    /// `delete_links`.
    DeleteLinks,
    /// `renew_leases`.
    RenewLeases,
    /// `apply_ruleset`.
    ApplyRuleset,
    /// `chown`.
    Chown,
}

/// What shall fail, for the tests of whoever uses a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    calls: BTreeSet<u64>,
    kinds: BTreeSet<(Call, u64)>,
    units: BTreeSet<String>,
}

impl Faults {
    /// Nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// The `number`th call of any kind fails, counted from 1.
    #[must_use]
    pub fn call(mut self, number: u64) -> Self {
        self.calls.insert(number);
        self
    }

    /// The `number`th call of this kind fails, counted from 1.
    #[must_use]
    pub fn nth(mut self, call: Call, number: u64) -> Self {
        self.kinds.insert((call, number));
        self
    }

    /// Each start of `unit` fails.
    #[must_use]
    pub fn start(mut self, unit: &str) -> Self {
        self.units.insert(unit.to_owned());
        self
    }

    pub(super) fn fails_to_start(&self, unit: &str) -> bool {
        self.units.contains(unit)
    }
}

/// Counts calls, and fails those that shall fail.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) faults: Faults,
    calls: Mutex<Vec<(Call, String)>>,
}

impl Gate {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            calls: Mutex::default(),
        }
    }

    /// Lets a call in, or not.
    pub(super) fn enter(&self, call: Call, subject: &str) -> Result<(), HostError> {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.push((call, subject.to_owned()));
        let number = calls.len() as u64;
        let of_kind = calls.iter().filter(|(other, _)| *other == call).count() as u64;
        drop(calls);
        if self.faults.calls.contains(&number) || self.faults.kinds.contains(&(call, of_kind)) {
            return Err(HostError::Tool {
                command: format!("{call:?} {subject}").trim_end().to_owned(),
                message: "this call was made to fail".to_owned(),
            });
        }
        Ok(())
    }

    pub(super) fn calls(&self) -> Vec<(Call, String)> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.clone()
    }
}
