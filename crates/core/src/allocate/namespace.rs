//! The one interface of a network namespace that workloads share.

use super::taken::Taken;
use super::{InterfaceAllocation, Namespace, NetworkAllocation, TenantAllocation};
use super::{machines, names, uplink};
use crate::desired::DesiredTenant;
use crate::model::{Network, NetworkMode, Subnet4};

/// The namespace of `network`, if it is one: what it had keeps its link and MAC address. Nobody else is in its subnet.
pub(super) fn namespace(
    network: &Network,
    tenant: &DesiredTenant,
    subnet: Subnet4,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> Option<Namespace> {
    if network.mode != NetworkMode::Netns {
        return None;
    }
    let own = allocation.networks.get(&network.name);
    let own = own.and_then(|own: &NetworkAllocation| own.namespace.as_ref());
    let interface = own.map_or_else(
        || InterfaceAllocation {
            link: uplink::link("ns", &tenant.id, &network.name, taken, allocation),
            address: machines::first(subnet),
            mac: mac(network, tenant, taken, allocation),
        },
        |own| InterfaceAllocation {
            address: machines::first(subnet),
            ..own.interface.clone()
        },
    );
    let workloads = tenant.workloads.iter();
    let members = workloads.filter(|workload| {
        let mut attachments = workload.attachments.iter();
        attachments.any(|attachment| attachment.network == network.name)
    });
    Some(Namespace {
        interface,
        members: members.map(|workload| workload.name.clone()).collect(),
    })
}

fn mac(
    network: &Network,
    tenant: &DesiredTenant,
    taken: &Taken<'_>,
    allocation: &TenantAllocation,
) -> String {
    let machines = allocation.machines.values();
    let own: Vec<&str> = machines
        .flat_map(|machine| machine.interfaces.values())
        .map(|interface| interface.mac.as_str())
        .collect();
    let free = |mac: &str| !taken.macs.contains(mac) && !own.contains(&mac);
    names::mac(&tenant.id, &network.name, &network.name, free)
}
