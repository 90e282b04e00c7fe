//! A host as somebody sees it who does not know what was asked of it.

use bitbuilder_host::host::{Host, UnitState};
use bitbuilder_host::sim::{Call, Part, SimHost};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// Everything that a pass can change about a running tenant.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Look {
    pub(crate) units: BTreeMap<String, UnitState>,
    pub(crate) links: BTreeSet<String>,
    pub(crate) rules: BTreeMap<String, Part>,
    /// Files that networkd reads, links that it cannot make, and the tables of names that containers see.
    pub(crate) network: BTreeMap<String, Vec<u8>>,
    /// Files of the current generations.
    pub(crate) generation: BTreeMap<String, Vec<u8>>,
    calls: usize,
}

impl Look {
    pub(crate) fn at(host: &SimHost) -> Self {
        let root = host.root();
        let units = host.units(&["*"]).unwrap();
        let active =
            |name: &str, state: &UnitState| state.active != "inactive" && !is_of_the_host(name);
        let mut network = BTreeMap::new();
        let mut generation = BTreeMap::new();
        read(&root.network(), "networkd", &mut network);
        for tenant in fs::read_dir(root.tenants()).unwrap() {
            let path = tenant.unwrap().path();
            let id = path.file_name().unwrap().to_str().unwrap().to_owned();
            read(&path.join("hosts"), &format!("{id}/hosts"), &mut network);
            read(&path.join("current"), &id, &mut generation);
            let placed = root.runtime().join(format!("network/{id}.json"));
            let placed = fs::read(placed).unwrap_or_default();
            let placed: serde_json::Value = serde_json::from_slice(&placed).unwrap_or_default();
            let uplinks = placed["uplinks"].to_string().into_bytes();
            network.insert(format!("{id}/uplinks"), uplinks);
        }
        // What says from where and when it was made is no file of it.
        generation.retain(|path, _| !path.ends_with("/generation.json"));
        Self {
            units: units
                .into_iter()
                .filter(|(name, state)| active(name, state))
                .collect(),
            links: host.links().unwrap(),
            rules: host.rules().unwrap(),
            network,
            generation,
            calls: host.calls().len(),
        }
    }

    /// What was asked of the host since.
    pub(crate) fn calls_since(&self, host: &SimHost) -> Vec<(Call, String)> {
        let mut calls = host.calls().split_off(self.calls);
        calls.retain(|(_, about)| !is_of_the_host(about));
        calls
    }

    /// Whether nothing of it changed.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (&self.units, &self.links, &self.rules) == (&other.units, &other.links, &other.rules)
            && (&self.network, &self.generation) == (&other.network, &other.generation)
    }

    /// Whether links, their files, packet rules or names differ.
    pub(crate) fn network_differs(&self, other: &Self) -> bool {
        (&self.links, &self.rules, &self.network) != (&other.links, &other.rules, &other.network)
    }

    /// Files of generations that differ.
    pub(crate) fn files_differing(&self, other: &Self) -> BTreeSet<String> {
        let paths = self.generation.keys().chain(other.generation.keys());
        paths
            .filter(|path| self.generation.get(*path) != other.generation.get(*path))
            .cloned()
            .collect()
    }
}

/// Whether it is a unit that watches repositories for the host: no tenant has a part in it.
fn is_of_the_host(unit: &str) -> bool {
    unit.starts_with("bitbuilder-")
}

/// Units that are up before and after with another invocation; only before; only after.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    pub(crate) restarted: BTreeSet<String>,
    pub(crate) stopped: BTreeSet<String>,
    pub(crate) started: BTreeSet<String>,
}

impl Moves {
    pub(crate) fn between(before: &Look, after: &Look) -> Self {
        let mut moves = Self::default();
        for (name, state) in &before.units {
            match after.units.get(name) {
                None => drop(moves.stopped.insert(name.clone())),
                Some(now) if now.invocation != state.invocation => {
                    moves.restarted.insert(name.clone());
                }
                Some(_) => {}
            }
        }
        let new = after
            .units
            .keys()
            .filter(|name| !before.units.contains_key(*name));
        moves.started.extend(new.cloned());
        moves
    }

    pub(crate) fn all(&self) -> BTreeSet<&String> {
        let sets = [&self.restarted, &self.stopped, &self.started];
        sets.into_iter().flatten().collect()
    }
}

fn read(directory: &Path, name: &str, into: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = format!("{name}/{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read(&path, &name, into);
        } else {
            into.insert(name, fs::read(&path).unwrap());
        }
    }
}
