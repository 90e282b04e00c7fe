//! Machine names, links and addresses of a tenant's workloads.

use super::taken::Taken;
use super::{InterfaceAllocation, MachineAllocation, NetworkAllocation, TenantAllocation, names};
use crate::desired::{DesiredTenant, DesiredWorkload};
use crate::finding::Finding;
use crate::model::{Attachment, Name, Subnet4};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;

/// First address that the host chooses in a subnet; those below are for people and the gateway.
const FIRST_ADDRESS: u32 = 10;
const ANOTHER_MAC: &str = "write another one, or leave it out";

/// Gives every workload of `tenant` what it lacks; workloads that are gone keep what they had unless
/// a declared one asks for exactly that.
pub(super) fn assign(
    allocation: &mut TenantAllocation,
    tenant: &DesiredTenant,
    taken: &Taken<'_>,
    findings: &mut Vec<Finding>,
) {
    name_machines(allocation, tenant, taken);
    drop_shared(allocation);
    let mut pass = Pass::new(allocation, tenant, taken, findings);
    for (workload, attachment) in attachments(tenant) {
        pass.claim_written(workload, attachment);
    }
    for (workload, attachment) in attachments(tenant) {
        let first = workload.attachments.first() == Some(attachment);
        pass.complete(workload, attachment, first);
    }
}

fn attachments(tenant: &DesiredTenant) -> impl Iterator<Item = (&DesiredWorkload, &Attachment)> {
    tenant.workloads.iter().flat_map(|workload| {
        workload
            .attachments
            .iter()
            .map(move |attachment| (workload, attachment))
    })
}

fn name_machines(allocation: &mut TenantAllocation, tenant: &DesiredTenant, taken: &Taken<'_>) {
    let mut own: HashSet<String> = allocation
        .machines
        .values()
        .map(|machine| machine.machine.clone())
        .collect();
    for workload in &tenant.workloads {
        if allocation.machines.contains_key(&workload.name) {
            continue;
        }
        let free = |name: &str| !taken.machines.contains(name) && !own.contains(name);
        let machine = names::machine(&tenant.id, &workload.name, free);
        own.insert(machine.clone());
        let interfaces = BTreeMap::new();
        allocation.machines.insert(
            workload.name.clone(),
            MachineAllocation {
                machine,
                interfaces,
            },
        );
    }
}

/// In a namespace nobody has an interface of its own, also who had one when the network was of another mode.
fn drop_shared(allocation: &mut TenantAllocation) {
    let networks = &allocation.networks;
    let shared = |name: &Name| {
        networks
            .get(name)
            .is_some_and(|network| network.namespace.is_some())
    };
    for machine in allocation.machines.values_mut() {
        machine.interfaces.retain(|name, _| !shared(name));
    }
}

/// Workload and network: the key of an interface within a tenant.
type Key = (Name, Name);

/// Who in the tenant has which address, MAC and link while interfaces are given out.
struct Pass<'a> {
    tenant: &'a DesiredTenant,
    taken: &'a Taken<'a>,
    allocation: &'a mut TenantAllocation,
    findings: &'a mut Vec<Finding>,
    /// What the documents ask for.
    declared: HashMap<Key, Option<Ipv4Addr>>,
    addresses: HashMap<(Name, Ipv4Addr), Name>,
    macs: HashMap<String, Key>,
    links: HashSet<String>,
    /// Written addresses that were given out.
    claimed: HashMap<Key, Ipv4Addr>,
    /// Where the search for a free address of a network goes on.
    cursors: HashMap<Name, u32>,
}

impl<'a> Pass<'a> {
    fn new(
        allocation: &'a mut TenantAllocation,
        tenant: &'a DesiredTenant,
        taken: &'a Taken<'a>,
        findings: &'a mut Vec<Finding>,
    ) -> Self {
        let mut addresses = HashMap::new();
        let mut macs = HashMap::new();
        let networks = allocation.networks.values();
        let links = networks.flat_map(NetworkAllocation::links);
        let mut links: HashSet<_> = links.map(str::to_owned).collect();
        for (workload, machine) in &allocation.machines {
            for (network, interface) in &machine.interfaces {
                let key = (workload.clone(), network.clone());
                addresses.insert((network.clone(), interface.address), workload.clone());
                macs.insert(interface.mac.clone(), key);
                links.insert(interface.link.clone());
            }
        }
        let declared = attachments(tenant).map(|(workload, attachment)| {
            let key = (workload.name.clone(), attachment.network.clone());
            (key, attachment.address)
        });
        Self {
            declared: declared.collect(),
            tenant,
            taken,
            allocation,
            findings,
            addresses,
            macs,
            links,
            claimed: HashMap::new(),
            cursors: HashMap::new(),
        }
    }

    /// A network in which each workload has an interface of its own.
    fn network(&self, name: &Name) -> Option<NetworkAllocation> {
        let network = self.allocation.networks.get(name)?;
        network.namespace.is_none().then(|| network.clone())
    }

    fn refuse(&mut self, attachment: &Attachment, rule: &str, message: String, help: &str) {
        let finding = Finding::error(attachment.origin.clone(), rule, message);
        self.findings.push(finding.help(help));
    }

    /// Reserves a written address and MAC before anything is chosen.
    fn claim_written(&mut self, workload: &DesiredWorkload, attachment: &Attachment) {
        let key = (workload.name.clone(), attachment.network.clone());
        let Some(network) = self.network(&key.1) else {
            return;
        };
        if let Some(address) = attachment.address {
            self.claim_address(&key, address, &network, attachment);
        }
        if let Some(mac) = &attachment.mac {
            self.claim_mac(key, mac, attachment);
        }
    }

    fn claim_address(
        &mut self,
        key: &Key,
        address: Ipv4Addr,
        network: &NetworkAllocation,
        attachment: &Attachment,
    ) {
        let place = (key.1.clone(), address);
        let holder = self
            .addresses
            .get(&place)
            .filter(|name| **name != key.0)
            .cloned();
        if let Err((rule, message)) = self.written_address(key, address, network, holder.as_ref()) {
            let help = "write `dhcp`, or an address of that subnet that nobody has";
            return self.refuse(attachment, rule, message, help);
        }
        if let Some(holder) = holder {
            self.evict(&holder, &key.1);
        }
        self.addresses.insert(place, key.0.clone());
        self.claimed.insert(key.clone(), address);
    }

    fn written_address(
        &self,
        key: &Key,
        address: Ipv4Addr,
        allocated: &NetworkAllocation,
        holder: Option<&Name>,
    ) -> Result<(), (&'static str, String)> {
        let (network, subnet) = (&key.1, allocated.subnet);
        if !subnet.contains(address) {
            return Err((
                "address-outside-subnet",
                format!("address {address} is outside {subnet}, the subnet of network `{network}`"),
            ));
        }
        if !is_usable(allocated, address) {
            return Err((
                "address-reserved",
                format!(
                    "address {address} is the network's, the router's, the host's or the broadcast address of {subnet}"
                ),
            ));
        }
        let Some(holder) = holder else {
            return Ok(());
        };
        match self.declared.get(&(holder.clone(), network.clone())) {
            // Gone, or it asks for another address itself.
            None => Ok(()),
            Some(Some(other)) if *other != address => Ok(()),
            Some(_) => Err((
                "address-taken",
                format!("address {address} of network `{network}` is that of workload `{holder}`"),
            )),
        }
    }

    fn claim_mac(&mut self, key: Key, mac: &str, attachment: &Attachment) {
        let holder = self.macs.get(mac).filter(|holder| **holder != key).cloned();
        if !is_unicast(mac) {
            let message = format!("MAC address {mac} is a group address");
            let help = "write one whose first octet is even, or leave it out";
            return self.refuse(attachment, "mac-invalid", message, help);
        }
        if self.allocation.shared().any(|one| one.mac == mac) {
            let message = format!("MAC address {mac} is that of the tenant's network namespace");
            return self.refuse(attachment, "mac-taken", message, ANOTHER_MAC);
        }
        if self.taken.macs.contains(mac) {
            let message = format!("MAC address {mac} is used by another tenant of this host");
            return self.refuse(attachment, "mac-taken", message, ANOTHER_MAC);
        }
        if let Some(holder) = holder {
            if self.declared.contains_key(&holder) {
                let message = format!("MAC address {mac} is that of workload `{}`", holder.0);
                return self.refuse(attachment, "mac-taken", message, ANOTHER_MAC);
            }
            self.evict(&holder.0, &holder.1);
        }
        self.macs.insert(mac.to_owned(), key);
    }

    /// Forgets the interface of a workload that is gone.
    fn evict(&mut self, workload: &Name, network: &Name) {
        if self
            .declared
            .contains_key(&(workload.clone(), network.clone()))
        {
            return;
        }
        if let Some(machine) = self.allocation.machines.get_mut(workload)
            && let Some(gone) = machine.interfaces.remove(network)
        {
            self.addresses.remove(&(network.clone(), gone.address));
            self.macs.remove(&gone.mac);
            self.links.remove(&gone.link);
        }
    }

    /// Records the interface of `attachment`: what was claimed, what it has, what is free.
    fn complete(&mut self, workload: &DesiredWorkload, attachment: &Attachment, first: bool) {
        let key = (workload.name.clone(), attachment.network.clone());
        let Some(network) = self.network(&key.1) else {
            return;
        };
        let own = self
            .allocation
            .machines
            .get(&key.0)
            .and_then(|machine| machine.interfaces.get(&key.1))
            .cloned();
        let Some(address) = self.address(&key, own.as_ref(), &network) else {
            let message = format!(
                "no address is left in {} of network `{}`",
                network.subnet, key.1
            );
            let help = "give the network a larger `subnet`, or attach fewer workloads to it";
            return self.refuse(attachment, "pool-exhausted", message, help);
        };
        let interface = InterfaceAllocation {
            link: self.link(&key, own.as_ref(), first),
            address,
            mac: self.mac(&key, own.as_ref(), attachment),
        };
        self.links.insert(interface.link.clone());
        self.macs.insert(interface.mac.clone(), key.clone());
        if let Some(machine) = self.allocation.machines.get_mut(&key.0) {
            machine.interfaces.insert(key.1, interface);
        }
    }

    fn link(&self, key: &Key, own: Option<&InterfaceAllocation>, first: bool) -> String {
        if let Some(own) = own {
            return own.link.clone();
        }
        let free = |link: &str| !self.taken.links.contains(link) && !self.links.contains(link);
        names::link(&self.tenant.id, &key.0, &key.1, first, free)
    }

    fn mac(&self, key: &Key, own: Option<&InterfaceAllocation>, attachment: &Attachment) -> String {
        if let Some(mac) = &attachment.mac {
            return mac.clone();
        }
        if let Some(own) = own {
            return own.mac.clone();
        }
        let shared = |mac: &str| self.allocation.shared().any(|one| one.mac == mac);
        let free = |mac: &str| {
            !self.taken.macs.contains(mac) && !self.macs.contains_key(mac) && !shared(mac)
        };
        names::mac(&self.tenant.id, &key.0, &key.1, free)
    }

    /// The claimed address, the one it has, or the next free one.
    fn address(
        &mut self,
        key: &Key,
        own: Option<&InterfaceAllocation>,
        network: &NetworkAllocation,
    ) -> Option<Ipv4Addr> {
        if let Some(address) = self.claimed.get(key) {
            return Some(*address);
        }
        let mine = |address: Ipv4Addr| {
            is_usable(network, address)
                && self.addresses.get(&(key.1.clone(), address)) == Some(&key.0)
        };
        if let Some(own) = own.filter(|own| mine(own.address)) {
            return Some(own.address);
        }
        let hosts = usable(network.subnet);
        let start = u32::from(first(network.subnet));
        let cursor = *self.cursors.get(&key.1).unwrap_or(&start);
        let address = (cursor..hosts.end).find(|address| {
            let address = Ipv4Addr::from(*address);
            is_usable(network, address) && !self.addresses.contains_key(&(key.1.clone(), address))
        })?;
        self.cursors.insert(key.1.clone(), address + 1);
        let address = Ipv4Addr::from(address);
        self.addresses
            .insert((key.1.clone(), address), key.0.clone());
        Some(address)
    }
}

/// The first address that the host gives a machine.
pub(super) fn first(subnet: Subnet4) -> Ipv4Addr {
    let hosts = usable(subnet);
    let first = u32::from(subnet.address) + FIRST_ADDRESS;
    Ipv4Addr::from(if hosts.contains(&first) {
        first
    } else {
        hosts.start
    })
}

/// Whether a machine may have `address`: nobody who forwards packets has it.
fn is_usable(network: &NetworkAllocation, address: Ipv4Addr) -> bool {
    let mut forwarders = [network.gateway(), network.foreign_router()]
        .into_iter()
        .flatten();
    usable(network.subnet).contains(&u32::from(address)) && !forwarders.any(|own| own == address)
}

/// Addresses that a machine may have: not the network's, the host's (the first) or the broadcast one.
fn usable(subnet: Subnet4) -> std::ops::Range<u32> {
    let first = u32::from(subnet.address);
    let size = 1_u64 << (32 - u32::from(subnet.prefix));
    let last = u32::try_from(u64::from(first) + size - 1).unwrap_or(u32::MAX);
    first.saturating_add(2)..last
}

fn is_unicast(mac: &str) -> bool {
    mac.get(..2)
        .and_then(|octet| u8::from_str_radix(octet, 16).ok())
        .is_some_and(|octet| octet & 1 == 0)
}
