//! What the simulated machine remembers: `sim.jsonl` in its directory, a line per change, so that a change of a machine
//! with many tenants costs no more than that of one with few. Lines are added under a lock: several processes can use one
//! host.

use super::recorded::{Delta, Recorded};
use crate::atomic::FORMAT;
use crate::disk;
use crate::host::{HostError, UnitState};
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of a file that are never too many.
const FEW: u64 = 1 << 16;

/// First reading of the clock: any number will do, as long as it is always the same.
const CLOCK: u64 = 1_000_000_000;

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Seconds since the epoch; one more after each reading.
    pub(super) clock: u64,
    /// Secrets that were asked for: makes the next one.
    pub(super) random: u64,
    /// Reloads of the manager.
    pub(super) reloads: u64,
    /// Transactions of packet rules.
    pub(super) rulesets: u32,
    /// What the generators found at the last reload: the current generation of each enabled tenant.
    pub(super) generations: Recorded<u64>,
    /// Units that are not inactive.
    pub(super) units: Recorded<UnitState>,
    /// How often each unit was started: makes invocation ids.
    pub(super) starts: Recorded<u64>,
    /// Starts that were asked for, by unit: times since the start of the machine.
    pub(super) timers: Recorded<Vec<u64>>,
    /// Links that networkd made, with their addresses.
    pub(super) links: Recorded<BTreeSet<String>>,
    /// Host ends of workloads' links, and the bridge that each is a port of.
    pub(super) ports: Recorded<String>,
    /// Parts of the tables of packet rules, by `family owner`.
    pub(super) parts: Recorded<Part>,
    /// Keys of their maps, by `family map key`, with the chains to which they lead.
    pub(super) keys: Recorded<String>,
    /// Owners that were given to files, by path below the root.
    pub(super) owners: Recorded<u32>,
}

/// One line of the file: what changed. The first line is a change from nothing.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Format version, 1.
    format: u64,
    clock: u64,
    #[serde(default)]
    random: u64,
    reloads: u64,
    #[serde(default)]
    rulesets: u32,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    generations: Delta<u64>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    units: Delta<UnitState>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    starts: Delta<u64>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    timers: Delta<Vec<u64>>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    links: Delta<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    ports: Delta<String>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    parts: Delta<Part>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    keys: Delta<String>,
    #[serde(default, skip_serializing_if = "Delta::is_empty")]
    owners: Delta<u32>,
}

/// What one tenant has in a table of packet rules, or what all share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Part {
    /// Chains, sets and maps, each with a digest of what it is.
    pub objects: BTreeMap<String, String>,
    /// Chains that have rules, each with a digest of them in their order.
    pub rules: BTreeMap<String, String>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            clock: CLOCK,
            random: 0,
            reloads: 0,
            rulesets: 0,
            generations: Recorded::default(),
            units: Recorded::default(),
            starts: Recorded::default(),
            timers: Recorded::default(),
            links: Recorded::default(),
            ports: Recorded::default(),
            parts: Recorded::default(),
            keys: Recorded::default(),
            owners: Recorded::default(),
        }
    }
}

impl State {
    fn take_changes(&mut self) -> Line {
        Line {
            format: FORMAT,
            clock: self.clock,
            random: self.random,
            reloads: self.reloads,
            rulesets: self.rulesets,
            generations: self.generations.take_changes(),
            units: self.units.take_changes(),
            starts: self.starts.take_changes(),
            timers: self.timers.take_changes(),
            links: self.links.take_changes(),
            ports: self.ports.take_changes(),
            parts: self.parts.take_changes(),
            keys: self.keys.take_changes(),
            owners: self.owners.take_changes(),
        }
    }

    fn whole(&self) -> Line {
        Line {
            format: FORMAT,
            clock: self.clock,
            random: self.random,
            reloads: self.reloads,
            rulesets: self.rulesets,
            generations: self.generations.whole(),
            units: self.units.whole(),
            starts: self.starts.whole(),
            timers: self.timers.whole(),
            links: self.links.whole(),
            ports: self.ports.whole(),
            parts: self.parts.whole(),
            keys: self.keys.whole(),
            owners: self.owners.whole(),
        }
    }

    fn merge(&mut self, line: Line) {
        self.clock = line.clock;
        self.random = line.random;
        self.reloads = line.reloads;
        self.rulesets = line.rulesets;
        self.generations.merge(line.generations);
        self.units.merge(line.units);
        self.starts.merge(line.starts);
        self.timers.merge(line.timers);
        self.links.merge(line.links);
        self.ports.merge(line.ports);
        self.parts.merge(line.parts);
        self.keys.merge(line.keys);
        self.owners.merge(line.owners);
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
    /// The file that `state` was read from, and how much of it. `None`: what is in memory is not to be relied on.
    read: Option<Position>,
}

/// Up to where a file was read.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Position {
    inode: u64,
    /// Complete lines, in bytes.
    offset: u64,
    /// Bytes of the first line.
    first: u64,
}

impl Store {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            path: root.join("sim.jsonl"),
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
        let read = cache.read.take();
        let value = change(&mut cache.state)?;
        cache.read = Some(self.save(&mut cache.state, read)?);
        Ok(value)
    }

    /// Reads the lines that others added since the last look.
    fn refresh(&self, cache: &mut Cache) -> Result<(), HostError> {
        let file = |error| HostError::file(&self.path)(error);
        let metadata = match fs::metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                *cache = Cache::default();
                return Ok(());
            }
            Err(error) => return Err(file(error)),
        };
        let known = cache
            .read
            .filter(|read| read.inode == metadata.ino() && read.offset <= metadata.len());
        if known.is_some_and(|read| read.offset == metadata.len()) {
            return Ok(());
        }
        let mut open = File::open(&self.path).map_err(file)?;
        let mut position = known.unwrap_or(Position {
            inode: open.metadata().map_err(file)?.ino(),
            offset: 0,
            first: 0,
        });
        if known.is_none() {
            *cache = Cache::default();
        }
        open.seek(SeekFrom::Start(position.offset)).map_err(file)?;
        let mut text = Vec::new();
        open.read_to_end(&mut text).map_err(file)?;
        // A line that was cut off by a kill, or is being written, is none.
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if line.last() != Some(&b'\n') {
                break;
            }
            let read: Line = serde_json::from_slice(line)
                .map_err(|error| HostError::damaged(&self.path, format!("not JSON: {error}")))?;
            cache.state.merge(read);
            let length = line.len() as u64;
            if position.offset == 0 {
                position.first = length;
            }
            position.offset += length;
        }
        cache.read = Some(position);
        Ok(())
    }

    /// Adds what changed, or writes all of it anew when that is not much more. A simulated machine needs no fsync.
    fn save(&self, state: &mut State, read: Option<Position>) -> Result<Position, HostError> {
        let line = self.line(&state.take_changes())?;
        let Some(mut position) = read.filter(|read| read.offset <= FEW.max(4 * read.first)) else {
            return self.save_whole(state);
        };
        let file = |error| HostError::file(&self.path)(error);
        let mut open = OpenOptions::new()
            .write(true)
            .open(&self.path)
            .map_err(file)?;
        open.set_len(position.offset).map_err(file)?;
        open.seek(SeekFrom::End(0)).map_err(file)?;
        open.write_all(&line).map_err(file)?;
        position.offset += line.len() as u64;
        Ok(position)
    }

    fn save_whole(&self, state: &State) -> Result<Position, HostError> {
        let temporary = self.path.with_file_name(".sim.jsonl.tmp");
        let line = self.line(&state.whole())?;
        fs::write(&temporary, &line).map_err(HostError::file(&temporary))?;
        disk::rename(&temporary, &self.path)?;
        let metadata = fs::metadata(&self.path).map_err(HostError::file(&self.path))?;
        Ok(Position {
            inode: metadata.ino(),
            offset: line.len() as u64,
            first: line.len() as u64,
        })
    }

    fn line(&self, line: &Line) -> Result<Vec<u8>, HostError> {
        let mut text = serde_json::to_vec(line)
            .map_err(|error| HostError::damaged(&self.path, error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }
}
