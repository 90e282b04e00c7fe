//! Documents, registry, policy and templates brought together: what this host shall run for one tenant.
//!
//! The registry's limits win over what the tenant asks for, and each cut is a note. What this host
//! cannot run is said by a finding: a warning and left out where that is safe, an error where running
//! without it would be less secure than what was asked for or would break the workload.

mod amount;
mod capabilities;
mod host;
mod image;
mod limits;
mod machines;
mod main_workload;
mod namespace;
mod networks;
mod permission;
mod placement;
mod policy;
#[cfg(test)]
mod tests;
mod traffic;
mod tunnels;
mod unavailable;
mod workloads;

pub(crate) use capabilities::{may_call, may_hold};
pub use host::HostFacts;
pub use policy::unavailable as unavailable_policy;

use crate::desired::{DesiredTenant, Templates};
use crate::finding::{Checked, Finding};
use crate::model::{Container, Machine, Name, Policy, Registration, Tenant, Workload};
use crate::tree::Tree;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// What a tenant becomes on this host.
///
/// `tree` is the repository that `tenant` was read from: scripts and credentials are taken from it.
/// `registration` and `policy` come from the system repository, `templates` and `host` from the host.
pub fn resolve(
    tenant: &Tenant,
    tree: &Tree,
    registration: &Registration,
    policy: &Policy,
    templates: &Templates,
    host: &HostFacts,
) -> Checked<DesiredTenant> {
    let input = Input {
        tenant,
        tree,
        registration,
        policy,
        templates,
        host,
    };
    let mut findings = Vec::new();
    let desired = desired_tenant(&input, &mut findings);
    Checked::new(Some(desired), findings)
}

/// Everything that a tenant is resolved from.
struct Input<'a> {
    tenant: &'a Tenant,
    tree: &'a Tree,
    registration: &'a Registration,
    policy: &'a Policy,
    templates: &'a Templates,
    host: &'a HostFacts,
}

impl Input<'_> {
    /// The declared containers, or `main` when the repository declares no workload at all.
    fn containers(&self) -> Cow<'_, [Container]> {
        match main_workload::container(self.tenant) {
            Some(container) => Cow::Owned(vec![container]),
            None => Cow::Borrowed(&self.tenant.containers),
        }
    }

    /// The same of virtual machines; none where the host runs none.
    fn machines(&self) -> Cow<'_, [Machine]> {
        if !self.host.has(HostFacts::MACHINES) {
            return Cow::Borrowed(&[]);
        }
        match main_workload::machine(self.tenant) {
            Some(machine) => Cow::Owned(vec![machine]),
            None => Cow::Borrowed(&self.tenant.machines),
        }
    }

    /// Names of workloads that this host does not run.
    fn left_out(&self) -> BTreeSet<&Name> {
        let machines: &[Machine] = match self.host.has(HostFacts::MACHINES) {
            true => &[],
            false => &self.tenant.machines,
        };
        machines
            .iter()
            .map(|machine| &machine.workload.name)
            .collect()
    }
}

/// What a tenant runs here.
struct Declared<'a> {
    containers: &'a [Container],
    machines: &'a [Machine],
}

impl<'a> Declared<'a> {
    /// What they have in common.
    fn workloads(&self) -> Vec<&'a Workload> {
        let containers = self.containers.iter().map(|container| &container.workload);
        let machines = self.machines.iter().map(|machine| &machine.workload);
        containers.chain(machines).collect()
    }
}

fn desired_tenant(input: &Input<'_>, findings: &mut Vec<Finding>) -> DesiredTenant {
    let (containers, machines) = (input.containers(), input.machines());
    let declared = Declared {
        containers: &containers,
        machines: &machines,
    };
    unavailable::check(input, &declared, findings);
    permission::check(input, &containers, findings);
    let limits = limits::of_tenant(input, findings);
    let networks = networks::resolve(input, &declared.workloads(), findings);
    let workloads = workloads::resolve(input, &declared, &networks, &limits, findings);
    let publish = traffic::publish(input, &workloads, findings);
    let firewall = traffic::firewall(input, &networks, &workloads, findings);
    findings.extend(traffic::counts(input, &networks, &workloads));
    findings.extend(namespace::check(input, &networks, &workloads));
    findings.extend(namespace::rules(&networks, &workloads, &firewall));
    let peering = traffic::peering(input, &networks, findings);
    let metadata = &input.tenant.metadata;
    let wanted = input.registration.enabled && metadata.enabled;
    DesiredTenant {
        id: input.registration.id.clone(),
        name: metadata.name.clone(),
        enabled: wanted && placement::is_here(input, findings),
        limits,
        ceilings: input.registration.limits,
        networks,
        workloads,
        publish,
        peering,
        partners: Vec::new(),
        firewall,
        scripts: scripts(input),
    }
}

fn scripts(input: &Input<'_>) -> BTreeMap<String, std::sync::Arc<[u8]>> {
    let scripts = input.tenant.scripts.iter();
    scripts
        .filter_map(|path| Some((path.clone(), content(input.tree, path)?)))
        .collect()
}

/// Content of the document at `path`, when the repository has it and it was small enough to read.
fn content(tree: &Tree, path: &str) -> Option<std::sync::Arc<[u8]>> {
    match tree.entries.get(path)? {
        crate::tree::Entry::File(blob) => blob.content.clone(),
        _ => None,
    }
}

/// `help` for a name that is not among `known`: the nearest one, or all of them.
fn suggest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(text, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min();
    match near {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "there is none on this host yet".into(),
        None => format!("known here: {}", known.join(", ")),
    }
}
