//! The system repository as a whole.

use super::facts::Facts;
use super::layout::{self, Kind};
use super::policy::{PolicyDoc, default_policy, policy};
use super::registry::{RegistryDoc, registry};
use super::repository::Repository;
use super::signers::signers;
use crate::finding::Checked;
use crate::model::System;
use crate::tree::Tree;
use std::collections::BTreeMap;

/// Reads the operator's repository: `.gitops/config.yaml` (defaults when there is none), `tenants/registry.json`, and
/// the keys below `.gitops/signers/`.
pub fn read_system(tree: &Tree) -> Checked<System> {
    let mut repository = Repository::new(tree);
    layout::check(&mut repository, Kind::System);
    let mut facts = Facts::new(tree, BTreeMap::new());
    let policy = if tree.entries.contains_key(".gitops/config.yaml") {
        repository.document(".gitops/config.yaml", |doc: PolicyDoc, cx| {
            Some(policy(doc, &mut facts, cx))
        })
    } else {
        Some(default_policy())
    };
    let path = "tenants/registry.json";
    if !tree.entries.contains_key(path) {
        let help = "add it with `{ \"tenants\": [] }`";
        repository.whole_file(
            path,
            "missing-file",
            "the repository has no registry of tenants",
            help,
        );
    }
    let tenants = repository.document(path, |doc: RegistryDoc, cx| {
        Some(registry(doc, &mut facts, cx))
    });
    let keys = signers(&mut repository);
    let system = policy.zip(tenants).map(|(policy, tenants)| System {
        policy,
        tenants,
        keys,
    });
    repository.finish(system)
}
