//! A tenant repository as a whole: documents in the order in which they refer to each other.

use super::container::{ContainerDoc, container};
use super::cycles;
use super::decode::Cx;
use super::facts::Facts;
use super::firewall::{FirewallDoc, rules};
use super::infrastructure::{CeilingsDoc, InfrastructureDoc, ceilings, infrastructure};
use super::layout::{self, Kind};
use super::machine::{MachineDoc, machine};
use super::metadata::{MetadataDoc, metadata};
use super::repository::Repository;
use super::topology::{TopologyDoc, topology};
use super::user::{UserDoc, user};
use super::wireguard::{WireguardDoc, more_peers};
use crate::finding::Checked;
use crate::model::{ExtensionKind, Name, Tenant, Topology, User};
use crate::tree::Tree;
use std::collections::BTreeMap;

/// Lifecycle scripts, in the order in which they run.
const SCRIPTS: [&str; 3] = [
    "scripts/pre-provision.sh",
    "scripts/post-provision.sh",
    "scripts/health-check.sh",
];

/// Reads a tenant's repository; `expected_id` is the id under which it is registered, if it is known.
///
/// `topology.networks` is empty when the repository declares none: then it has `default`, of metadata's mode.
pub fn read_tenant(tree: &Tree, expected_id: Option<&Name>) -> Checked<Tenant> {
    let mut repository = Repository::new(tree);
    let found = layout::check(&mut repository, Kind::Tenant);
    let mut facts = Facts::new(tree, found.workloads());
    let tenant = read(&mut repository, &found, &mut facts, expected_id);
    layout::leftovers(&mut repository, &found, &facts.used);
    repository.finish(tenant)
}

fn read(
    repository: &mut Repository<'_>,
    found: &layout::Found,
    facts: &mut Facts<'_>,
    expected_id: Option<&Name>,
) -> Option<Tenant> {
    if !repository.tree.entries.contains_key("metadata.json") {
        let help = "add it with at least `{ \"tenant\": { \"id\": \"ID\" } }`";
        repository.whole_file(
            "metadata.json",
            "missing-file",
            "the repository has no metadata.json",
            help,
        );
    }
    let metadata = repository.document("metadata.json", |doc: MetadataDoc, cx| {
        metadata(doc, expected_id, cx)
    });
    let topology = network(repository, facts);
    let firewall = yaml_files(facts.tree, "network/firewall/")
        .into_iter()
        .flat_map(|path| {
            let read = |doc: FirewallDoc, cx: &mut Cx<'_>| Some(rules(doc, facts, cx));
            repository.document(path, read).unwrap_or_default()
        });
    let firewall = firewall.collect();
    let mut containers = Vec::new();
    for (name, directory) in &found.containers {
        let path = format!("{directory}config.yaml");
        let read = |doc: ContainerDoc, cx: &mut Cx<'_>| container(doc, name, facts, cx);
        containers.extend(repository.document(&path, read));
    }
    let mut machines = Vec::new();
    for (name, directory) in &found.machines {
        let path = format!("{directory}config.yaml");
        let read = |doc: MachineDoc, cx: &mut Cx<'_>| machine(doc, name, facts, cx);
        machines.extend(repository.document(&path, read));
    }
    let workloads = containers.iter().map(|container| &container.workload);
    let workloads = workloads.chain(machines.iter().map(|machine| &machine.workload));
    repository
        .findings
        .extend(cycles::check(workloads, &facts.workloads));
    let infrastructure = repository.document(
        "infrastructure/config.yaml",
        |doc: InfrastructureDoc, cx| Some(infrastructure(doc, cx)),
    );
    let ceilings = repository.document(
        "infrastructure/resource-limits.yaml",
        |doc: CeilingsDoc, cx| Some(ceilings(doc, facts, cx)),
    );
    let users = users(repository, &found.users);
    Some(Tenant {
        metadata: metadata?,
        containers,
        machines,
        topology,
        firewall,
        infrastructure,
        ceilings: ceilings.unwrap_or_default(),
        users,
        extension_images: extensions(facts),
        portable_images: children(facts, "services/"),
        scripts: SCRIPTS
            .into_iter()
            .filter(|path| repository.tree.entries.contains_key(*path))
            .map(str::to_owned)
            .collect(),
    })
}

fn network(repository: &mut Repository<'_>, facts: &mut Facts<'_>) -> Topology {
    let read = |doc: TopologyDoc, cx: &mut Cx<'_>| Some(topology(doc, facts, cx));
    let topology = repository.document("network/topology.yaml", read);
    let mut topology = topology.unwrap_or_default();
    facts.learn(&topology);
    for path in yaml_files(facts.tree, "network/wireguard/") {
        let read = |doc: WireguardDoc, cx: &mut Cx<'_>| {
            more_peers(doc, &mut topology, facts, cx);
            Some(())
        };
        repository.document(path, read);
    }
    topology
}

fn users(repository: &mut Repository<'_>, directories: &BTreeMap<Name, String>) -> Vec<User> {
    let mut users = Vec::new();
    for (name, directory) in directories {
        let path = format!("{directory}homed-config.json");
        let Some(text) = repository.text(&path) else {
            continue;
        };
        let read = |doc: UserDoc, cx: &mut Cx<'_>| user(doc, name, text, cx);
        users.extend(repository.document(&path, read));
    }
    users
}

/// The `.yaml` files directly in `directory`, by name.
fn yaml_files<'t>(tree: &'t Tree, directory: &str) -> Vec<&'t str> {
    let below = tree.entries.range(directory.to_owned()..);
    below
        .map(|(path, _)| path.as_str())
        .take_while(|path| path.starts_with(directory))
        .filter(|path| path.ends_with(".yaml") && !path[directory.len()..].contains('/'))
        .collect()
}

/// The entries directly in `directory`, files and directories.
fn children(facts: &Facts<'_>, directory: &str) -> Vec<String> {
    let mut children: Vec<String> = Vec::new();
    for path in facts.below(directory) {
        let rest = &path[directory.len()..];
        let child = rest.split('/').next().unwrap_or(rest);
        if layout::is_ignored(child) {
            continue;
        }
        let child = format!("{directory}{child}");
        if children.last() != Some(&child) {
            children.push(child);
        }
    }
    children
}

fn extensions(facts: &Facts<'_>) -> Vec<(ExtensionKind, String)> {
    let kinds = [
        (ExtensionKind::Sysext, "extensions/sysext/"),
        (ExtensionKind::Confext, "extensions/confext/"),
    ];
    kinds
        .into_iter()
        .flat_map(|(kind, directory)| {
            let children = children(facts, directory);
            children.into_iter().map(move |path| (kind, path))
        })
        .collect()
}
