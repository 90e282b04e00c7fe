//! What we depend on, as cargo tells it.

use anyhow::Result;
use bitbuilder_itest::command;
use serde::Deserialize;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-gnu";

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
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

/// Every package that the lock file names for the machines that we build for, sorted by name and version.
pub(super) fn packages(root: &Path) -> Result<Vec<Package>> {
    let mut cargo = cargo(root);
    cargo.args(["metadata", "--quiet", "--locked", "--format-version=1"]);
    cargo.arg(format!("--filter-platform={TARGET}"));
    let metadata: Metadata = serde_json::from_str(&command::capture(&mut cargo)?)?;
    let nodes = metadata.resolve.nodes.into_iter();
    let resolved: HashSet<String> = nodes.map(|node| node.id).collect();
    let mut packages = metadata.packages;
    packages.retain(|package| resolved.contains(&package.id));
    packages.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(packages)
}

/// Names of everything that is compiled into the program of our crate `name`, without tests and build scripts. Procedural
/// macros are among them. The lock file names more: what features that nobody asks for would need.
pub(super) fn dependencies(root: &Path, name: &str) -> Result<BTreeSet<String>> {
    let mut cargo = cargo(root);
    cargo.args(["tree", "--quiet", "--locked", "--package", name]);
    cargo.args(["--edges=normal", "--target", TARGET]);
    cargo.args(["--prefix=none", "--format={p}"]);
    let tree = command::capture(&mut cargo)?;
    // The first is the crate itself.
    let packages = tree.lines().skip(1);
    let names = packages.filter_map(|package| package.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
