//! The dependency graph, from `cargo metadata`.

use anyhow::{Context, Result};
use bitbuilder_itest::command;
use serde::Deserialize;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::Command;

/// Packages, and who needs whom on the machines that we build for.
pub(super) struct Graph {
    packages: HashMap<String, Package>,
    nodes: HashMap<String, Node>,
}

/// One package.
#[derive(Deserialize)]
pub(super) struct Package {
    id: String,
    /// Crate name.
    pub(super) name: String,
    /// Semantic version.
    pub(super) version: String,
    /// SPDX expression.
    pub(super) license: Option<String>,
    /// None for our own.
    pub(super) source: Option<String>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None: a normal dependency.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

impl Graph {
    /// The graph of the workspace at `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(root)
            .args(["metadata", "--quiet", "--locked", "--format-version=1"])
            .arg("--filter-platform=x86_64-unknown-linux-gnu");
        let metadata: Metadata = serde_json::from_str(&command::capture(&mut cargo)?)?;
        let nodes: HashMap<_, _> = metadata
            .resolve
            .nodes
            .into_iter()
            .map(|node| (node.id.clone(), node))
            .collect();
        let packages = metadata.packages.into_iter();
        Ok(Self {
            packages: packages
                .filter(|package| nodes.contains_key(&package.id))
                .map(|package| (package.id.clone(), package))
                .collect(),
            nodes,
        })
    }

    /// Every package, sorted by name and version.
    pub(super) fn packages(&self) -> Vec<&Package> {
        let mut packages: Vec<&Package> = self.packages.values().collect();
        packages.sort_by_key(|package| (&package.name, &package.version));
        packages
    }

    /// Names of everything that ends up in the program of the crate `name`, without tests and build scripts. Procedural
    /// macros are among them.
    pub(super) fn dependencies(&self, name: &str) -> Result<BTreeSet<&str>> {
        let root = self
            .packages
            .values()
            .find(|package| package.name == name && package.source.is_none())
            .with_context(|| format!("there is no crate {name}"))?;
        let mut seen = BTreeSet::new();
        let mut open = vec![root.id.as_str()];
        while let Some(id) = open.pop() {
            if !seen.insert(id) {
                continue;
            }
            let dependencies = self.nodes.get(id).into_iter().flat_map(|node| &node.deps);
            open.extend(
                dependencies
                    .filter(|dependency| {
                        dependency.dep_kinds.iter().any(|kind| kind.kind.is_none())
                    })
                    .map(|dependency| dependency.pkg.as_str()),
            );
        }
        seen.remove(root.id.as_str());
        Ok(seen
            .into_iter()
            .filter_map(|id| self.packages.get(id))
            .map(|package| package.name.as_str())
            .collect())
    }
}
