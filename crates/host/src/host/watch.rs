//! What a host tells of itself when somebody asks whether it still is as it was made, and how it is put right.

use super::HostError;
use bitbuilder_core::drift::Interfaces;
use bitbuilder_core::plan::LinkFix;
use std::collections::{BTreeMap, BTreeSet};

/// What the journal tells of the end of a unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Witness {
    /// When it ended, seconds since the epoch.
    pub at: Option<u64>,
    /// Who or what ended it.
    pub by: Option<String>,
}

/// The part of a host that is asked about drift. A host that cannot tell says that there is nothing.
pub trait Watch {
    /// Units that have a job which is not done and starts or stops them.
    ///
    /// # Errors
    /// When the manager does not answer.
    fn queued(&self) -> Result<BTreeSet<String>, HostError> {
        Ok(BTreeSet::new())
    }

    /// Every network interface of the host; `None` when nobody can be asked.
    ///
    /// # Errors
    /// When the kernel does not answer.
    fn interfaces(&self) -> Result<Option<Interfaces>, HostError> {
        Ok(None)
    }

    /// Whether a link of this name is there; nothing is known to be missing when nobody can be asked.
    ///
    /// # Errors
    /// When the kernel does not answer.
    fn has_link(&self, link: &str) -> Result<bool, HostError> {
        let found = self.interfaces()?;
        Ok(found.is_none_or(|found| found.get(link).is_some()))
    }

    /// All packet rules, as `nft -j list ruleset` says them; `None` when nobody can be asked.
    ///
    /// # Errors
    /// The message of nft.
    fn ruleset(&self) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }

    /// A number that is another one after each change of packet rules, when the kernel says one.
    fn ruleset_version(&self) -> Option<u32> {
        None
    }

    /// Properties of units as they are in force, `systemctl show`: name to value, by unit. Units that are not loaded are
    /// left out.
    ///
    /// # Errors
    /// When the manager does not answer.
    fn properties(
        &self,
        _units: &[&str],
        _names: &[&str],
    ) -> Result<BTreeMap<String, BTreeMap<String, String>>, HostError> {
        Ok(BTreeMap::new())
    }

    /// How a unit came to its end.
    ///
    /// # Errors
    /// When the journal cannot be read.
    fn witness(&self, _unit: &str) -> Result<Witness, HostError> {
        Ok(Witness::default())
    }

    /// Removes masks, and drop-ins of others, of units that are generated (`systemctl unmask`, `systemctl revert`).
    ///
    /// # Errors
    /// When the manager refuses.
    fn revert(&self, _units: &[String]) -> Result<(), HostError> {
        Ok(())
    }

    /// Puts links right.
    ///
    /// # Errors
    /// When networkd or the kernel refuses.
    fn fix_links(&self, _fixes: &[LinkFix]) -> Result<(), HostError> {
        Ok(())
    }

    /// Has the manager forget that units failed; units that it does not know count as forgotten.
    ///
    /// # Errors
    /// When the manager refuses.
    fn reset_failed(&self, _units: &[String]) -> Result<(), HostError> {
        Ok(())
    }
}
