//! One tenant's revision through the pure stages: document, resolve, allocate, render, lint.

use super::ground::Ground;
use super::trust;
use crate::source::Reading;
use bitbuilder_core::allocate::{self, TenantAllocation};
use bitbuilder_core::artefact::Artefacts;
use bitbuilder_core::document::read_tenant;
use bitbuilder_core::finding::{Finding, has_errors};
use bitbuilder_core::lint::{self, Bounds};
use bitbuilder_core::model::{Registration, VerifyCommits};
use bitbuilder_core::plan::{Inputs, inputs_hash};
use bitbuilder_core::resolve::resolve;
use bitbuilder_core::tree::Tree;
use bitbuilder_core::{render, report};
use std::collections::BTreeMap;

/// A revision that can be deployed, or not.
pub(super) struct Compiled {
    /// All findings, sorted; errors exactly when there is no product.
    pub(super) findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    pub(super) sources: BTreeMap<String, String>,
    pub(super) product: Option<Product>,
}

/// What a revision becomes on this host.
pub(super) struct Product {
    pub(super) enabled: bool,
    pub(super) allocation: TenantAllocation,
    pub(super) artefacts: Artefacts,
}

/// Compiles `reading` for `registration`; `ground` is not changed.
pub(super) fn compile(ground: &Ground, registration: &Registration, reading: Reading) -> Compiled {
    let Reading { tree, mut findings } = reading;
    let product = stages(ground, registration, &tree, &mut findings);
    findings.sort();
    findings.dedup();
    Compiled {
        sources: report::sources(&tree, &findings),
        product: product.filter(|_| !has_errors(&findings)),
        findings,
    }
}

fn stages(
    ground: &Ground,
    registration: &Registration,
    tree: &Tree,
    findings: &mut Vec<Finding>,
) -> Option<Product> {
    let policy = &ground.revision.system.policy;
    let checked = read_tenant(tree, Some(&registration.id));
    findings.extend(checked.findings);
    let tenant = checked.value?;
    let facts = &ground.facts;
    let checked = resolve(
        &tenant,
        tree,
        registration,
        policy,
        &ground.templates,
        facts,
    );
    findings.extend(checked.findings);
    let mut desired = checked.value?;
    let allocated = allocate::assign(&ground.allocations, &desired, &policy.pools);
    let allocation = allocated.map_err(|wrong| findings.extend(wrong)).ok()?;
    findings.extend(allocate::unmet(&desired, &allocation));
    desired.partners = allocate::partners(&ground.allocations, &desired.id, Some(&allocation));
    findings.extend(allocate::alone(&desired, &desired.partners));
    let rendered = render::render(&desired, &allocation);
    let artefacts = rendered.map_err(|wrong| findings.extend(wrong)).ok()?;
    let bounds = Bounds {
        registration,
        allocation: &allocation,
        templates: &ground.templates,
        partners: &desired.partners,
    };
    findings.extend(lint::check(&artefacts, &bounds));
    Some(Product {
        enabled: desired.enabled,
        allocation,
        artefacts,
    })
}

/// Hash over everything that a tenant is compiled from: while it is the same, so is the result.
pub(super) fn inputs(ground: &Ground, registration: &Registration, commit: &str) -> String {
    let allocation = ground.allocations.tenants.get(&registration.id);
    inputs_hash(&Inputs {
        revision: commit,
        registration,
        policy: &ground.revision.system.policy,
        facts: &ground.facts,
        templates: &ground.templates,
        keys: (trust::of_tenant(ground, registration).commits != VerifyCommits::Off)
            .then_some(ground.keys_digest.as_str()),
        partners: &allocate::partners(&ground.allocations, &registration.id, allocation),
        allocation,
    })
}
