//! A host whose manager and kernel answer from memory, and that nobody may change: what is left of a pass that has nothing to
//! do is our own share.

use bitbuilder_core::drift::Interfaces;
use bitbuilder_core::resolve::HostFacts;
use bitbuilder_host::host::{Caller, Host, HostError, UnitState, Watch};
use bitbuilder_host::paths::HostRoot;
use bitbuilder_host::sim::SimHost;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

type Units = BTreeMap<String, UnitState>;

/// A simulated host, as it was when it was asked first.
pub(crate) struct Remembered {
    host: SimHost,
    now: u64,
    uptime: u64,
    interfaces: Option<Interfaces>,
    ruleset: Option<Vec<u8>>,
    ruleset_version: Option<u32>,
    /// By the patterns that were asked for.
    units: Mutex<BTreeMap<String, Units>>,
}

impl Remembered {
    /// What `host` says.
    pub(crate) fn new(host: SimHost) -> Result<Self, HostError> {
        Ok(Self {
            now: host.now(),
            uptime: host.uptime(),
            interfaces: host.interfaces()?,
            ruleset: host.ruleset()?,
            ruleset_version: host.ruleset_version(),
            units: Mutex::default(),
            host,
        })
    }
}

/// An idle pass that changes the host is not idle.
fn refuse<T>(what: &str) -> Result<T, HostError> {
    Err(HostError::Tool {
        command: what.to_owned(),
        message: "the pass has something to do".to_owned(),
    })
}

impl Watch for Remembered {
    fn interfaces(&self) -> Result<Option<Interfaces>, HostError> {
        Ok(self.interfaces.clone())
    }

    fn ruleset(&self) -> Result<Option<Vec<u8>>, HostError> {
        Ok(self.ruleset.clone())
    }

    fn ruleset_version(&self) -> Option<u32> {
        self.ruleset_version
    }
}

impl Host for Remembered {
    fn root(&self) -> &HostRoot {
        self.host.root()
    }

    fn now(&self) -> u64 {
        self.now
    }

    fn uptime(&self) -> u64 {
        self.uptime
    }

    fn name(&self) -> String {
        self.host.name()
    }

    fn caller(&self) -> Caller {
        self.host.caller()
    }

    fn random(&self) -> Result<[u8; 32], HostError> {
        self.host.random()
    }

    fn encrypt(&self, _name: &str, _secret: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        refuse("encrypt")
    }

    fn facts(&self) -> Result<HostFacts, HostError> {
        self.host.facts()
    }

    fn units(&self, patterns: &[&str]) -> Result<Units, HostError> {
        let mut units = self.units.lock().unwrap_or_else(PoisonError::into_inner);
        let key = patterns.join(" ");
        if let Some(known) = units.get(&key) {
            return Ok(known.clone());
        }
        let found = self.host.units(patterns)?;
        units.insert(key, found.clone());
        Ok(found)
    }

    fn decrypt(&self, name: &str, ciphertext: &[u8]) -> Result<Vec<u8>, HostError> {
        self.host.decrypt(name, ciphertext)
    }

    fn start_later(&self, _unit: &str, _delays: &[u64]) -> Result<(), HostError> {
        refuse("start later")
    }

    fn forget_later(&self, _unit: &str) -> Result<(), HostError> {
        refuse("forget later")
    }

    fn daemon_reload(&self) -> Result<(), HostError> {
        refuse("daemon-reload")
    }

    fn start(&self, _units: &[String]) -> Result<(), HostError> {
        refuse("start")
    }

    fn start_no_block(&self, _units: &[String]) -> Result<(), HostError> {
        refuse("start")
    }

    fn stop(&self, _units: &[String]) -> Result<(), HostError> {
        refuse("stop")
    }

    fn set_properties(
        &self,
        _unit: &str,
        _properties: &[(String, String)],
    ) -> Result<(), HostError> {
        refuse("set-property")
    }

    fn reload_network(&self, _wait_for: &[String]) -> Result<(), HostError> {
        refuse("networkctl reload")
    }

    fn make_links(&self, _batch: &str) -> Result<(), HostError> {
        refuse("ip link add")
    }

    fn delete_links(&self, _links: &[String]) -> Result<(), HostError> {
        refuse("networkctl delete")
    }

    fn renew_leases(&self, _links: &[String]) -> Result<(), HostError> {
        refuse("networkctl renew")
    }

    fn apply_ruleset(&self, _json: &[u8]) -> Result<(), HostError> {
        refuse("nft")
    }

    fn chown(&self, _path: &Path, _owner: u32) -> Result<(), HostError> {
        refuse("chown")
    }
}
