//! `infrastructure/config.yaml` and `infrastructure/resource-limits.yaml`.

use super::checks::at_least;
use super::decode::{At, Cx, Table, words, written};
use super::facts::Facts;
use super::metadata::{ResourcesDoc, resources};
use super::value;
use crate::finding::Origin;
use crate::model::{Infrastructure, InfrastructureManager, Millis, Name, Resources};

words!(InfrastructureManager {
    "none" => InfrastructureManager::None,
    "container" => InfrastructureManager::Container,
    "vm" => InfrastructureManager::Vm,
});

written! {
    /// `infrastructure/config.yaml`: the infrastructure manager of the tenant.
    struct InfrastructureDoc {
        /// What runs it; none by default.
        optional "manager" manager: InfrastructureManager,
        /// What it wants.
        optional "resources" resources: ResourcesDoc,
        /// How often it syncs; as the host does by default.
        optional "sync" sync: Millis,
    }
}

written! {
    /// `infrastructure/resource-limits.yaml`: ceilings of containers and machines.
    struct CeilingsDoc {
        /// Ceilings by container or machine.
        required "workloads" workloads: Table<ResourcesDoc>,
    }
}

/// The infrastructure manager that `doc` says.
pub(crate) fn infrastructure(doc: InfrastructureDoc, cx: &mut Cx<'_>) -> Infrastructure {
    if let Some(sync) = &doc.sync {
        at_least(sync, 10_000, "10s", cx);
    }
    Infrastructure {
        origin: Origin::file(cx.file()),
        manager: value(doc.manager, InfrastructureManager::None),
        resources: resources(doc.resources),
        sync: doc.sync.map(|sync| sync.value),
    }
}

/// The ceilings that `doc` says.
pub(crate) fn ceilings(
    doc: CeilingsDoc,
    facts: &Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<(Name, Resources)> {
    let mut ceilings = Vec::new();
    for (key, doc) in doc.workloads.into_iter().flat_map(|table| table.value.0) {
        let span = key.span;
        let Some(name) = super::key_name(&key, cx) else {
            continue;
        };
        let name = At { value: name, span };
        if facts.workload(&name, cx) {
            ceilings.push((name.value, resources(Some(At { value: doc, span }))));
        }
    }
    ceilings
}
