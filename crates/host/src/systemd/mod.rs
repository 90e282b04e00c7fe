//! The real host: systemd, networkd, nftables.
//!
//! - `watch`: what is told of drift; `links`: interfaces, `witness`: who ended a unit.
//! - `manager`: `systemctl`. `later`: `systemd-run`. `failure`: why a unit failed, from its state and its journal.
//!   `networkd`: `networkctl`. `link`: ip(8).
//! - `credentials`: the credential service.

mod credentials;
mod failure;
mod later;
mod link;
mod links;
mod manager;
mod networkd;
pub(crate) mod shared;
mod watch;
mod witness;

use crate::host::{Caller, Host, HostError, UnitState};
use crate::nftables;
use crate::observe;
use crate::paths::HostRoot;
use bitbuilder_core::resolve::HostFacts;
use rustix::fs::{AtFlags, CWD, Gid, Uid, chownat};
use rustix::rand::GetRandomFlags;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// The machine that this program runs on.
#[derive(Debug, Clone)]
pub struct SystemdHost {
    root: HostRoot,
}

impl SystemdHost {
    /// The machine, with its files below `root`: `/`.
    pub fn new(root: HostRoot) -> Self {
        Self { root }
    }
}

impl Host for SystemdHost {
    fn root(&self) -> &HostRoot {
        &self.root
    }

    fn now(&self) -> u64 {
        // A clock before the epoch is as good as none.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }

    fn uptime(&self) -> u64 {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let part = |number: i64| u64::try_from(number).unwrap_or_default();
        part(time.tv_sec) * 1000 + part(time.tv_nsec) / 1_000_000
    }

    fn start_later(&self, unit: &str, delays: &[u64]) -> Result<(), HostError> {
        later::arm(unit, delays)
    }

    fn forget_later(&self, unit: &str) -> Result<(), HostError> {
        later::forget(unit)
    }

    fn caller(&self) -> Caller {
        Caller::of_this_process()
    }

    fn random(&self) -> Result<[u8; 32], HostError> {
        let mut bytes = [0; 32];
        let path = Path::new("/dev/urandom");
        let got = rustix::rand::getrandom(&mut bytes, GetRandomFlags::empty());
        // A request of up to 256 bytes is never cut, getrandom(2).
        got.map_err(|errno| HostError::file(path)(errno.into()))?;
        Ok(bytes)
    }

    fn encrypt(&self, name: &str, secret: &[u8]) -> Result<Option<Vec<u8>>, HostError> {
        credentials::encrypt(&self.root, name, secret)
    }

    fn facts(&self) -> Result<HostFacts, HostError> {
        observe::facts_of(&self.root, manager::version()?)
    }

    fn daemon_reload(&self) -> Result<(), HostError> {
        manager::daemon_reload()
    }

    fn start(&self, units: &[String]) -> Result<(), HostError> {
        manager::start(units)
    }

    fn start_no_block(&self, units: &[String]) -> Result<(), HostError> {
        manager::start_no_block(units)
    }

    fn stop(&self, units: &[String]) -> Result<(), HostError> {
        manager::stop(units)
    }

    fn set_properties(
        &self,
        unit: &str,
        _properties: &[(String, String)],
    ) -> Result<(), HostError> {
        manager::require_loaded_anew(unit)
    }

    fn units(&self, patterns: &[&str]) -> Result<BTreeMap<String, UnitState>, HostError> {
        manager::units(&self.root, patterns)
    }

    fn reload_network(&self, wait_for: &[String]) -> Result<(), HostError> {
        networkd::reload(&self.root, wait_for)
    }

    fn make_links(&self, batch: &str) -> Result<(), HostError> {
        link::batch(batch)
    }

    fn delete_links(&self, links: &[String]) -> Result<(), HostError> {
        networkd::delete(&self.root, links)
    }

    fn renew_leases(&self, links: &[String]) -> Result<(), HostError> {
        link::renew(links)
    }

    fn apply_ruleset(&self, json: &[u8]) -> Result<(), HostError> {
        nftables::apply(json)
    }

    fn decrypt(&self, name: &str, ciphertext: &[u8]) -> Result<Vec<u8>, HostError> {
        credentials::decrypt(&self.root, name, ciphertext)
    }

    fn chown(&self, path: &Path, owner: u32) -> Result<(), HostError> {
        let (uid, gid) = (Uid::from_raw(owner), Gid::from_raw(owner));
        chownat(CWD, path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|error| HostError::file(path)(error.into()))
    }
}
