//! What the simulated machine remembers: `sim.json` in its directory, read and written under a lock, so that several
//! processes can use one host.

use crate::disk;
use crate::host::{HostError, UnitState};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// First reading of the clock: any number will do, as long as it is always the same.
const CLOCK: u64 = 1_000_000_000;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Format version, 1.
    format: u64,
    /// Seconds since the epoch; one more after each reading.
    pub(super) clock: u64,
    /// Reloads of the manager.
    pub(super) reloads: u64,
    /// What the generators found at the last reload: the current generation of each enabled tenant.
    pub(super) generations: BTreeMap<String, u64>,
    /// Units that are not inactive.
    pub(super) units: BTreeMap<String, UnitState>,
    /// How often each unit was started: makes invocation ids.
    pub(super) starts: BTreeMap<String, u64>,
    /// Links that networkd made.
    pub(super) links: BTreeSet<String>,
    /// nftables tables by `family name`.
    pub(super) tables: BTreeMap<String, Table>,
    /// Owners that were given to files, by path below the root.
    pub(super) owners: BTreeMap<String, u32>,
}

/// A table of packet rules.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// Its chains.
    pub chains: BTreeSet<String>,
    /// Its sets and maps.
    pub sets: BTreeSet<String>,
    /// How many rules it has.
    pub rules: usize,
    /// SHA-256 over everything in it, in order.
    pub digest: String,
}

impl Default for State {
    fn default() -> Self {
        Self {
            format: crate::atomic::FORMAT,
            clock: CLOCK,
            reloads: 0,
            generations: BTreeMap::new(),
            units: BTreeMap::new(),
            starts: BTreeMap::new(),
            links: BTreeSet::new(),
            tables: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }
}

/// The file.
pub(super) struct Store {
    path: PathBuf,
    lock: PathBuf,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    state: State,
    /// Of the file that `state` was read from.
    stamp: Option<Stamp>,
}

/// Tells one version of a file from another.
type Stamp = (u64, i64, i64, u64);

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            path: root.join("sim.json"),
            lock: root.join(".sim.lock"),
            cache: Mutex::default(),
        }
    }

    /// Looks at the machine.
    pub(super) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> Result<T, HostError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut cache)?;
        Ok(look(&cache.state))
    }

    /// Changes the machine; an error changes nothing.
    pub(super) fn change<T>(
        &self,
        change: impl FnOnce(&mut State) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let lock = File::create(&self.lock).map_err(HostError::file(&self.lock))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|error| HostError::file(&self.lock)(error.into()))?;
        self.refresh(&mut cache)?;
        // Whatever happens from here on, the next one reads the file.
        cache.stamp = None;
        let value = change(&mut cache.state)?;
        cache.stamp = Some(self.save(&cache.state)?);
        Ok(value)
    }

    fn refresh(&self, cache: &mut Cache) -> Result<(), HostError> {
        let stamp = match fs::metadata(&self.path) {
            Ok(metadata) => Some(stamp(&metadata)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(HostError::file(&self.path)(error)),
        };
        if stamp.is_none() || stamp != cache.stamp {
            cache.state = crate::atomic::read_json(&self.path)?.unwrap_or_default();
            cache.stamp = stamp;
        }
        Ok(())
    }

    /// Whole or not at all for every process; a simulated machine needs no fsync.
    fn save(&self, state: &State) -> Result<Stamp, HostError> {
        let temporary = self.path.with_file_name(".sim.json.tmp");
        let text = crate::atomic::json(&self.path, state)?;
        fs::write(&temporary, text).map_err(HostError::file(&temporary))?;
        disk::rename(&temporary, &self.path)?;
        let metadata = fs::metadata(&self.path).map_err(HostError::file(&self.path))?;
        Ok(stamp(&metadata))
    }
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    (
        metadata.ino(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.len(),
    )
}
