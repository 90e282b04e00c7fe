//! Everything that can be seen of a tenant.

use super::scene::name;
use crate::generations;
use crate::host::Host;
use crate::sim::{Part, SimHost};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A tenant, seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) current: Option<u64>,
    pub(crate) generations: Vec<u64>,
    /// State and invocation of the units that are not inactive.
    pub(crate) units: BTreeMap<String, (String, String)>,
    links: BTreeSet<String>,
    rules: BTreeMap<String, Part>,
    network: BTreeMap<String, String>,
    placed: Option<String>,
    /// Names below the tenant's directory that no finished apply leaves.
    left: Vec<String>,
}

impl View {
    pub(crate) fn of(host: &SimHost, id: &str) -> Self {
        let root = host.root();
        let tenant = name(id);
        if let Some(number) = generations::current(root, &tenant).unwrap() {
            // What runs is checked with what it runs from.
            if fs::metadata(root.generation(&tenant, number).join("boot"))
                .unwrap()
                .len()
                > 100
            {
                assert_eq!(generations::verify(root, &tenant, number).unwrap(), []);
            }
        }
        let of_tenant = |text: &str| {
            text.contains(&format!("{id}-"))
                || text.contains(&format!("-{id}"))
                || text.contains(&format!("@{id}."))
        };
        let units = host.units(&["*"]).unwrap().into_iter();
        Self {
            current: generations::current(root, &tenant).unwrap(),
            generations: generations::list(root, &tenant).unwrap(),
            units: units
                .filter(|(unit, state)| of_tenant(unit) && state.active != "inactive")
                .map(|(unit, s)| (unit, (format!("{} {}", s.active, s.sub), s.invocation)))
                .collect(),
            links: host
                .links()
                .unwrap()
                .into_iter()
                .filter(|link| of_tenant(link))
                .collect(),
            rules: host
                .rules()
                .unwrap()
                .into_iter()
                .filter(|(part, _)| part.ends_with(&format!(" {id}")))
                .collect(),
            network: files(&root.network())
                .into_iter()
                .filter(|(file, _)| of_tenant(file))
                .collect(),
            placed: fs::read_to_string(root.runtime().join(format!("network/{id}.json"))).ok(),
            left: left(&root.tenant(&tenant)),
        }
    }

    /// What a generation says of itself, whenever it was started.
    pub(crate) fn without_invocations(&self) -> Self {
        let mut view = self.clone();
        view.units
            .values_mut()
            .for_each(|(_, invocation)| invocation.clear());
        view
    }
}

fn files(directory: &Path) -> BTreeMap<String, String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        })
        .filter(|(name, _)| !name.starts_with('.'))
        .collect()
}

fn left(tenant: &Path) -> Vec<String> {
    let mut left = Vec::new();
    for directory in ["", "generations", "layers"] {
        for entry in fs::read_dir(tenant.join(directory))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name().to_string_lossy().into_owned();
            // The next write of the same file replaces it.
            let replaced = directory.is_empty() && name.starts_with('.');
            if name == "journal.json" || (name.starts_with('.') && !replaced) {
                left.push(format!("{directory}/{name}"));
            }
        }
    }
    left
}
