//! The network namespace of a tenant: one, and who is in it has no other interface.

use super::Input;
use crate::desired::DesiredWorkload;
use crate::finding::Finding;
use crate::model::{Endpoint, FirewallRule, Name, Network, NetworkMode};

/// What cannot be said of a namespace or of who is in it.
pub(super) fn check(
    input: &Input<'_>,
    networks: &[Network],
    workloads: &[DesiredWorkload],
) -> Vec<Finding> {
    let mut namespaces = networks.iter().filter(|network| is_namespace(network));
    let Some(first) = namespaces.next() else {
        return Vec::new();
    };
    let mut findings: Vec<Finding> = namespaces
        .map(|second| {
            let message = format!(
                "network `{}` would be a second namespace: a tenant has one, `tenant-{}`",
                second.name, input.registration.id
            );
            Finding::error(second.origin.clone(), "second-namespace", message).help(format!(
                "attach its workloads to `{}`, or write another mode",
                first.name
            ))
        })
        .collect();
    for workload in workloads {
        findings.extend(attachments(workload, &first.name));
    }
    findings
}

fn is_namespace(network: &Network) -> bool {
    network.mode == NetworkMode::Netns
}

/// The interface is that of all, so nothing of it can be one workload's wish.
fn attachments(workload: &DesiredWorkload, namespace: &Name) -> Vec<Finding> {
    let own = workload.attachments.iter();
    let Some(shared) = own.clone().find(|one| one.network == *namespace) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    if workload.machine().is_some() {
        let message = format!(
            "virtual machine `{}` cannot be in network `{namespace}`: it has an interface of its own",
            workload.name
        );
        let finding = Finding::error(shared.origin.clone(), "namespace-machine", message);
        findings.push(finding.help("attach it to a network of another mode"));
    }
    for other in own.filter(|one| one.network != *namespace) {
        let message = format!(
            "workload `{}` is in the namespace of network `{namespace}`, which has no interface in `{}`",
            workload.name, other.network
        );
        let help = "leave one of the two out: who is in a namespace has its interface and no other";
        findings.push(Finding::error(other.origin.clone(), "namespace-alone", message).help(help));
    }
    for (what, is_written) in [
        ("address", shared.address.is_some()),
        ("MAC address", shared.mac.is_some()),
    ] {
        if is_written {
            let message = format!(
                "workload `{}` has no {what} of its own in network `{namespace}`: the namespace has one for all",
                workload.name
            );
            let finding = Finding::error(shared.origin.clone(), "namespace-shared", message);
            findings.push(
                finding
                    .help("leave it out; `subnet` of the network says which addresses there are"),
            );
        }
    }
    findings
}

/// Warnings of rules that name one workload, and concern all who have its address.
pub(super) fn rules(
    networks: &[Network],
    workloads: &[DesiredWorkload],
    firewall: &[FirewallRule],
) -> Vec<Finding> {
    let Some(namespace) = networks.iter().find(|network| is_namespace(network)) else {
        return Vec::new();
    };
    let members: Vec<&Name> = workloads
        .iter()
        .filter(|workload| {
            let mut attachments = workload.attachments.iter();
            attachments.any(|one| one.network == namespace.name)
        })
        .map(|workload| &workload.name)
        .collect();
    let ends = firewall
        .iter()
        .flat_map(|rule| [(rule, &rule.from), (rule, &rule.to)]);
    ends.filter_map(|(rule, end)| {
        let Endpoint::Workload(name) = end else {
            return None;
        };
        let others: Vec<&str> = members
            .iter()
            .filter(|member| **member != name)
            .map(|member| member.as_str())
            .collect();
        let shared = members.contains(&name) && !others.is_empty();
        shared.then(|| {
            let message = format!(
                "this rule concerns {} too: `{name}` shares its address in network `{}`",
                others.join(", "),
                namespace.name
            );
            Finding::warning(rule.origin.clone(), "namespace-shared", message)
        })
    })
    .collect()
}
