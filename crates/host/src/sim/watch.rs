//! What the simulated host tells of itself, and how it is put right.

use super::SimHost;
use super::network;
use crate::disk;
use crate::host::{HostError, Watch};
use bitbuilder_core::drift::{Interfaces, Link};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Where masks and drop-ins of others are.
const OTHERS: [&str; 4] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/etc/systemd/system",
    "/run/systemd/system",
];

impl Watch for SimHost {
    fn interfaces(&self) -> Result<Option<Interfaces>, HostError> {
        let links = self.store.read(|state| state.links.clone())?;
        let ports = self.store.read(|state| state.ports.clone())?;
        let bridges = links.iter().map(|(name, addresses)| {
            let link = Link {
                up: true,
                master: None,
                addresses: addresses.clone(),
            };
            (name.clone(), link)
        });
        let ports = ports.iter().map(|(name, bridge)| {
            let link = Link {
                up: true,
                master: Some(bridge.clone()).filter(|bridge| !bridge.is_empty()),
                addresses: BTreeSet::new(),
            };
            (name.clone(), link)
        });
        Ok(Some(Interfaces::new(bridges.chain(ports).collect())))
    }

    fn has_link(&self, link: &str) -> Result<bool, HostError> {
        self.store
            .read(|state| state.links.contains_key(link) || state.ports.contains_key(link))
    }

    fn ruleset(&self) -> Result<Option<Vec<u8>>, HostError> {
        let listing = self
            .store
            .read(|state| network::ruleset(&self.root, state))??;
        Ok(Some(listing.to_string().into_bytes()))
    }

    fn ruleset_version(&self) -> Option<u32> {
        self.store.read(|state| state.rulesets).ok()
    }

    fn revert(&self, units: &[String]) -> Result<(), HostError> {
        disk::point();
        for unit in units {
            for directory in OTHERS.map(|directory| self.root.join(directory)) {
                let file = directory.join(unit);
                if fs::read_link(&file).is_ok_and(|target| target == Path::new("/dev/null")) {
                    disk::remove_file(&file)?;
                }
                disk::remove_tree(&directory.join(format!("{unit}.d")))?;
            }
        }
        Ok(())
    }

    fn reset_failed(&self, units: &[String]) -> Result<(), HostError> {
        disk::point();
        self.store.change(|state| {
            for unit in units {
                if state
                    .units
                    .get(unit)
                    .is_some_and(|unit| unit.active == "failed")
                {
                    state.units.remove(unit);
                }
            }
            Ok(())
        })
    }
}
