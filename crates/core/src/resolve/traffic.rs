//! Published ports and firewall rules whose ends exist here.

use super::{Input, suggest};
use crate::desired::DesiredWorkload;
use crate::finding::{Finding, Origin};
use crate::model::{Endpoint, FirewallRule, Name, Network, NetworkMode, Peering, Publish};
use std::collections::BTreeSet;

/// The published ports that the registry allows and a workload of this host answers.
pub(super) fn publish(
    input: &Input<'_>,
    workloads: &[DesiredWorkload],
    findings: &mut Vec<Finding>,
) -> Vec<Publish> {
    let left_out = input.left_out();
    let mut granted = Vec::new();
    for entry in &input.tenant.topology.publish {
        findings.extend(not_allowed(input, entry));
        let target = workloads.iter().find(|workload| workload.name == entry.to);
        let origin = entry.origin.clone();
        let port = format!("{}/{}", entry.protocol, entry.port);
        findings.extend(match target {
            Some(workload) if !workload.attachments.is_empty() => {
                granted.push(entry.clone());
                None
            }
            Some(workload) => {
                let message = format!(
                    "port {port} cannot be published: workload `{}` has no network",
                    workload.name
                );
                Some(Finding::error(origin, "no-network", message))
            }
            None if left_out.contains(&entry.to) => {
                let message = format!(
                    "port {port} is not published: workload `{}` is left out",
                    entry.to
                );
                Some(Finding::warning(origin, "left-out", message))
            }
            // A declared workload that is not here has its own finding.
            None if is_declared(input, &entry.to) => None,
            None => {
                let known = workloads.iter().map(|workload| workload.name.as_str());
                let message = format!("port {port} leads to `{}`, which is no workload", entry.to);
                let help = suggest(entry.to.as_str(), known);
                Some(Finding::error(origin, "unknown-workload", message).help(help))
            }
        });
    }
    granted
}

fn is_declared(input: &Input<'_>, name: &Name) -> bool {
    let (containers, machines) = (&input.tenant.containers, &input.tenant.machines);
    let mut names = (containers.iter().map(|one| &one.workload.name))
        .chain(machines.iter().map(|one| &one.workload.name));
    names.any(|declared| declared == name)
}

fn not_allowed(input: &Input<'_>, entry: &Publish) -> Option<Finding> {
    let ranges = &input.registration.allow.publish;
    let fits = ranges.iter().any(|range| {
        range.protocol == entry.protocol && (range.first..=range.last).contains(&entry.port)
    });
    if fits {
        return None;
    }
    let help = if ranges.is_empty() {
        format!("the operator can allow it at {}", input.registration.origin)
    } else {
        let ranges: Vec<String> = ranges
            .iter()
            .map(|range| format!("{}/{}-{}", range.protocol, range.first, range.last))
            .collect();
        format!("allowed are {}", ranges.join(", "))
    };
    let message = format!(
        "tenant `{}` may not publish port {}/{}",
        input.registration.id, entry.protocol, entry.port
    );
    Some(Finding::error(entry.origin.clone(), "not-allowed", message).help(help))
}

/// Errors when there are more networks, or interfaces in them, than the registry allows.
pub(super) fn counts(
    input: &Input<'_>,
    networks: &[Network],
    workloads: &[DesiredWorkload],
) -> Vec<Finding> {
    let limits = &input.registration.limits;
    let shared = |name: &Name| {
        let mut networks = networks.iter();
        networks.any(|one| one.name == *name && one.mode == NetworkMode::Netns)
    };
    let mut namespaces = BTreeSet::new();
    let attachments = workloads.iter().flat_map(|workload| &workload.attachments);
    let addresses: Vec<&Origin> = attachments
        // All who are in a namespace have one.
        .filter(|one| !shared(&one.network) || namespaces.insert(&one.network))
        .map(|attachment| &attachment.origin)
        .collect();
    let networks: Vec<&Origin> = networks.iter().map(|network| &network.origin).collect();
    [
        ("too-many-networks", "networks", limits.networks, networks),
        (
            "too-many-addresses",
            "interfaces in networks",
            limits.addresses,
            addresses,
        ),
    ]
    .into_iter()
    .filter_map(|(rule, what, limit, origins)| {
        super::permission::surplus(input, rule, what, limit, &origins)
    })
    .collect()
}

/// The peerings of networks that are here; one that is not has a finding of its own.
pub(super) fn peering(
    input: &Input<'_>,
    networks: &[Network],
    findings: &mut Vec<Finding>,
) -> Vec<Peering> {
    let mut kept = Vec::new();
    for peering in &input.tenant.topology.peering {
        let mut here = networks.iter();
        let Some(network) = here.find(|network| network.name == peering.network) else {
            continue;
        };
        let mut refuse = |rule: &str, message: String, help: &str| {
            findings.push(Finding::error(peering.origin.clone(), rule, message).help(help));
        };
        if network.mode == NetworkMode::Vrf {
            let message = format!(
                "network `{}` of mode vrf cannot be shared: another tenant may have its addresses too",
                network.name
            );
            let help = "share one of another mode, or publish ports";
            refuse("peering-of-domain", message, help);
        } else if peering.tenant == input.registration.id {
            let message = "a tenant shares networks with others, and this is the tenant itself";
            let help = "write the other tenant's id; rules of network/firewall/ open the way between own networks";
            refuse("peering-with-itself", message.to_owned(), help);
        } else {
            kept.push(peering.clone());
        }
    }
    kept
}

/// The firewall rules whose ends are here; one about a workload or network that is left out has
/// nothing to match.
pub(super) fn firewall(
    input: &Input<'_>,
    networks: &[Network],
    workloads: &[DesiredWorkload],
    findings: &mut Vec<Finding>,
) -> Vec<FirewallRule> {
    let missing = |endpoint: &Endpoint| match endpoint {
        Endpoint::Network(name) if !networks.iter().any(|network| network.name == *name) => {
            Some(format!("network `{name}`"))
        }
        Endpoint::Workload(name) if !workloads.iter().any(|workload| workload.name == *name) => {
            Some(format!("workload `{name}`"))
        }
        _ => None,
    };
    let mut kept = Vec::new();
    for rule in &input.tenant.firewall {
        match missing(&rule.from).or_else(|| missing(&rule.to)) {
            None => kept.push(rule.clone()),
            Some(what) => {
                let message = format!("this rule is left out: {what} is not on this host");
                findings.push(Finding::warning(rule.origin.clone(), "left-out", message));
            }
        }
    }
    kept
}
