//! Networks that this host can carry, the default one first.

use super::{Input, suggest, tunnels};
use crate::allocate::names::is_bridge;
use crate::finding::Finding;
use crate::model::{
    Attachment, Auto, Interface, Metadata, Name, Network, NetworkDetails, NetworkMode, Workload,
};

const DEFAULT: &str = "default";

/// The networks of the tenant that are bridges; the others are findings.
pub(super) fn resolve(
    input: &Input<'_>,
    workloads: &[&Workload],
    findings: &mut Vec<Finding>,
) -> Vec<Network> {
    let declared = declared(input, findings);
    let allowed = &input.registration.allow.networks;
    let mut networks = Vec::new();
    for network in &declared {
        let mode = network.mode;
        if mode == NetworkMode::None {
            continue;
        }
        if !allowed.contains(&mode) {
            findings.push(
                Finding::error(
                    network.origin.clone(),
                    "not-allowed",
                    format!(
                        "tenant `{}` may not use networks of mode `{mode}`",
                        input.registration.id
                    ),
                )
                .help(format!(
                    "the operator can allow it at {}",
                    input.registration.origin
                )),
            );
        } else {
            trunk(input, network, findings);
            networks.push(network.clone());
        }
    }
    unknown(&declared, workloads, findings);
    tunnels::settle(input, &mut networks, findings);
    networks
}

/// A VLAN is on a trunk link, and of the ids, that the operator set aside for tenants.
fn trunk(input: &Input<'_>, network: &Network, findings: &mut Vec<Finding>) {
    if network.mode != NetworkMode::Vlan {
        return;
    }
    let NetworkDetails::Vlan { id, parent, .. } = &network.details else {
        // Of the metadata, which says no more than the mode.
        let message = format!(
            "network `{}` of mode vlan needs `id` and `parent`",
            network.name
        );
        let help = "declare it in network/topology.yaml: `{ mode: vlan, id: 1000, parent: LINK }`";
        let finding = Finding::error(network.origin.clone(), "missing-key", message);
        return findings.push(finding.help(help));
    };
    let pools = &input.policy.pools;
    let mut refuse = |rule: &str, message: String, help: String| {
        findings.push(Finding::error(network.origin.clone(), rule, message).help(help));
    };
    let name = &network.name;
    if !pools.trunks.contains(parent) {
        let message = format!("link `{parent}` of network `{name}` carries no VLANs of tenants");
        let known = suggest(parent, pools.trunks.iter().map(String::as_str));
        let help =
            format!("{known}; the operator allows links as `pools.trunks` in .gitops/config.yaml");
        refuse("not-a-trunk", message, help);
    }
    let (first, last) = pools.vlan;
    if !(first..=last).contains(id) {
        let message = format!("VLAN {id} of network `{name}` is not on the trunk for tenants");
        let help =
            format!("write an `id` of {first} to {last}, which the operator's `pools.vlan` allows");
        refuse("vlan-outside-pool", message, help);
    }
}

/// The networks that the documents declare, `default` first; without a topology those of the metadata.
pub(super) fn declared(input: &Input<'_>, findings: &mut Vec<Finding>) -> Vec<Network> {
    let metadata = &input.tenant.metadata;
    let mut networks = if input.tenant.topology.networks.is_empty() {
        implied(metadata)
    } else {
        let mut networks = input.tenant.topology.networks.clone();
        contradiction(metadata, &networks, findings);
        let first = metadata.interfaces.first();
        if let Some(default) = networks.iter_mut().find(|one| one.name.as_str() == DEFAULT) {
            let wanted = first.and_then(|interface| interface.bridge.clone());
            default.bridge = default.bridge.take().or(wanted);
        }
        networks
    };
    networks.sort_by_key(|network| network.name.as_str() != DEFAULT);
    for network in &mut networks {
        own_bridge(input, network, findings);
    }
    networks
}

/// One network per interface: `default` for the first, named after the interface for others.
fn implied(metadata: &Metadata) -> Vec<Network> {
    let mut networks: Vec<Network> = Vec::new();
    let first = metadata.interfaces.first();
    networks.extend(network(metadata, DEFAULT, first));
    for interface in metadata.interfaces.iter().skip(1) {
        let known = networks.iter().any(|network| {
            network.name.as_str() == interface.name
                || (network.bridge.is_some() && network.bridge == interface.bridge)
        });
        if !known {
            networks.extend(network(metadata, &interface.name, Some(interface)));
        }
    }
    networks
}

fn network(metadata: &Metadata, name: &str, interface: Option<&Interface>) -> Option<Network> {
    Some(Network {
        origin: metadata.network_origin.clone(),
        name: Name::new(name).ok()?,
        mode: metadata.network_mode,
        subnet: Auto::Auto,
        ipv6: None,
        dhcp: true,
        dns: true,
        nat: false,
        bridge: interface.and_then(|interface| interface.bridge.clone()),
        details: match metadata.network_mode {
            // Its public key has to be known before it can have peers.
            NetworkMode::Wireguard => NetworkDetails::Wireguard {
                listen_port: Auto::Auto,
                peers: Vec::new(),
                mtu: None,
            },
            _ => NetworkDetails::Plain,
        },
    })
}

/// `network.mode` of the metadata counts only without a topology.
fn contradiction(metadata: &Metadata, networks: &[Network], findings: &mut Vec<Finding>) {
    let default = networks
        .iter()
        .find(|network| network.name.as_str() == DEFAULT);
    let mode = metadata.network_mode;
    if metadata.network_origin.line > 0 && default.is_some_and(|network| network.mode != mode) {
        let message = format!(
            "mode `{mode}` is not used: network/topology.yaml describes the network `{DEFAULT}`"
        );
        let origin = metadata.network_origin.clone();
        findings.push(Finding::warning(origin, "unused", message));
    }
}

/// A bridge carries the name of its tenant: so no tenant takes the name of a link of the host or of
/// another tenant's bridge to be.
fn own_bridge(input: &Input<'_>, network: &mut Network, findings: &mut Vec<Finding>) {
    let id = input.registration.id.as_str();
    let Some(bridge) = network
        .bridge
        .take_if(|bridge| !is_bridge(bridge) || !names(bridge, id))
    else {
        return;
    };
    let message =
        format!("bridge `{bridge}` gets another name: the host names a bridge after its tenant");
    findings.push(
        Finding::note(network.origin.clone(), "bridge-name", message).help(format!(
            "write `br-{id}` if that has at most 15 characters, or leave it out"
        )),
    );
}

/// Whether `bridge` names the tenant `id`: all of it, dashes aside, a good part of a long id, or the id
/// and more.
fn names(bridge: &str, id: &str) -> bool {
    let rest = bridge.strip_prefix("br-").unwrap_or(bridge);
    let plain = |text: &str| text.replace('-', "");
    let (short, long) = (plain(rest), plain(id));
    short == long
        || (short.len() >= 5 && long.starts_with(&short))
        || rest
            .strip_prefix(id)
            .is_some_and(|more| more.starts_with('-'))
}

fn unknown(declared: &[Network], workloads: &[&Workload], findings: &mut Vec<Finding>) {
    let known = || declared.iter().map(|network| network.name.as_str());
    let attachments = workloads
        .iter()
        .flat_map(|workload| workload.networks.iter().flatten());
    for attachment in attachments {
        let name = attachment.network.as_str();
        if !known().any(|known| known == name) {
            let message = format!("there is no network `{name}`");
            findings.push(
                Finding::error(attachment.origin.clone(), "unknown-network", message)
                    .help(suggest(name, known())),
            );
        }
    }
}

/// Attachments of `workload` to `networks`. What it does not say is the tenant's first network, and
/// for the implied `main` each of them.
pub(super) fn attachments(
    workload: &Workload,
    networks: &[Network],
    first: Option<&Name>,
    every: bool,
) -> Vec<Attachment> {
    match &workload.networks {
        Some(attachments) => attachments
            .iter()
            .filter(|wanted| {
                networks
                    .iter()
                    .any(|network| network.name == wanted.network)
            })
            .cloned()
            .collect(),
        None => networks
            .iter()
            .filter(|network| every || Some(&network.name) == first)
            .map(|network| Attachment {
                origin: workload.origin.clone(),
                network: network.name.clone(),
                address: None,
                mac: None,
                bandwidth: None,
            })
            .collect(),
    }
}
