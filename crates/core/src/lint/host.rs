//! All tenants of the host: what is one's is nobody else's.

use crate::allocate::{Allocations, TenantAllocation, Uplink};
use crate::finding::{Finding, Origin};
use crate::model::{Name, Subnet4};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::Ipv4Addr;

/// Longest name of a link: IFNAMSIZ less its NUL.
pub(super) const LINK_MAX: usize = 15;
/// Size of a tenant's uid range.
const UIDS: u32 = 65_536;
/// First uid that is never a system's own; the host's own users end well before it.
const UID_FIRST: u32 = 65_536;

/// Everything that two tenants of `allocations` share, or that does not fit: numbers, uid ranges, subnets, links, machines,
/// MAC addresses, published ports. Empty for what [`crate::allocate`] makes.
pub fn host(allocations: &Allocations) -> Vec<Finding> {
    let mut seen = Seen::default();
    for (id, tenant) in &allocations.tenants {
        seen.tenant(id, tenant);
    }
    seen.subnets();
    seen.apart();
    seen.uids();
    seen.findings.sort();
    seen.findings.dedup();
    seen.findings
}

#[derive(Default)]
struct Seen<'a> {
    /// What is taken, by kind and value, and by whom.
    taken: BTreeMap<(&'static str, String), &'a Name>,
    /// Whether each is in a routing domain of its own.
    subnets: Vec<(Subnet4, &'a Name, bool)>,
    /// Upper halves of IPv6 networks in such domains.
    apart: Vec<(u128, &'a Name)>,
    uids: Vec<(u32, &'a Name)>,
    findings: Vec<Finding>,
}

impl<'a> Seen<'a> {
    fn tenant(&mut self, id: &'a Name, tenant: &'a TenantAllocation) {
        self.take("number", tenant.number, id);
        self.uids.push((tenant.uid_base, id));
        for (protocol, port) in &tenant.ports {
            self.take("port", format!("{protocol}/{port}"), id);
        }
        for network in tenant.networks.values() {
            for link in network.links() {
                self.link(link, id);
            }
            if let Some(vrf) = &network.vrf {
                self.take("routing table", vrf.table, id);
            }
            match &network.uplink {
                Some(Uplink::Vlan {
                    parent, id: vlan, ..
                }) => self.take("VLAN", format!("{vlan} of {parent}"), id),
                Some(Uplink::Wireguard { port, .. }) => {
                    self.take("port", format!("udp/{port}"), id)
                }
                Some(Uplink::Vxlan { vni, .. }) => self.take("VNI", vni, id),
                None => {}
            }
            self.subnets
                .push((network.subnet, id, network.vrf.is_some()));
            if let Some(prefix) = network.ipv6 {
                let half = u128::from(prefix) >> 64;
                match &network.vrf {
                    Some(_) => self.apart.push((half, id)),
                    None => self.take("IPv6 network", half, id),
                }
            }
        }
        for interface in tenant.shared() {
            self.take("MAC address", &interface.mac, id);
            self.take("address", interface.address, id);
        }
        for machine in tenant.machines.values() {
            self.take("machine", &machine.machine, id);
            for (network, interface) in &machine.interfaces {
                self.link(&interface.link, id);
                self.take("MAC address", &interface.mac, id);
                let network = tenant.networks.get(network);
                if network.is_none_or(|network| network.vrf.is_none()) {
                    self.take("address", interface.address, id);
                }
            }
        }
    }

    fn link(&mut self, link: &str, id: &'a Name) {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if link.is_empty() || link.len() > LINK_MAX || !link.bytes().all(plain) {
            self.refuse(
                "link-name",
                format!("link `{link}` of tenant {id} is no name of a link"),
            );
        }
        self.take("link", link, id);
    }

    fn take(&mut self, what: &'static str, value: impl Display, id: &'a Name) {
        let key = (what, value.to_string());
        if let Some(other) = self.taken.get(&key).copied() {
            let value = key.1;
            self.refuse(
                "shared",
                format!("tenants {other} and {id} both have {what} {value}"),
            );
        } else {
            self.taken.insert(key, id);
        }
    }

    /// Sorted by address: a network that overlaps an earlier one begins before the farthest end so far. Two that are both
    /// in routing domains of their own may.
    fn subnets(&mut self) {
        self.subnets
            .sort_by_key(|(subnet, id, _)| (subnet.address, *id));
        let mut farthest: Option<(u32, Subnet4, &Name)> = None;
        let mut farthest_of_host = None;
        for (subnet, id, apart) in std::mem::take(&mut self.subnets) {
            let first = u32::from(subnet.address);
            let size = u32::MAX.checked_shr(subnet.prefix.into()).unwrap_or(0);
            let last = first | size;
            if Subnet4::containing(subnet.address, subnet.prefix) != subnet {
                self.refuse("shared", format!("{subnet} of tenant {id} is no network"));
            }
            let before = if apart { farthest_of_host } else { farthest };
            if let Some((end, other, whose)) = before
                && first <= end
            {
                self.refuse(
                    "shared",
                    format!("{other} of tenant {whose} and {subnet} of tenant {id} overlap"),
                );
            }
            if farthest.is_none_or(|(end, ..)| last > end) {
                farthest = Some((last, subnet, id));
            }
            if !apart && farthest_of_host.is_none_or(|(end, ..)| last > end) {
                farthest_of_host = Some((last, subnet, id));
            }
            if subnet.address == Ipv4Addr::UNSPECIFIED {
                self.refuse("shared", format!("{subnet} of tenant {id} is everybody's"));
            }
        }
    }

    /// IPv6 networks of routing domains: none of the host's own.
    fn apart(&mut self) {
        for (half, id) in std::mem::take(&mut self.apart) {
            let key = ("IPv6 network", half.to_string());
            if let Some(other) = self.taken.get(&key).copied() {
                let message = format!("tenants {other} and {id} both have IPv6 network {half}");
                self.refuse("shared", message);
            }
        }
    }

    fn uids(&mut self) {
        self.uids.sort_unstable();
        let mut end = 0;
        let mut before: Option<&Name> = None;
        for (base, id) in std::mem::take(&mut self.uids) {
            if base < UID_FIRST || base.checked_add(UIDS).is_none() {
                self.refuse("uid-range", format!("uids of tenant {id} begin at {base}"));
            }
            if let Some(other) = before
                && base < end
            {
                self.refuse(
                    "uid-range",
                    format!("tenants {other} and {id} share uids from {base}"),
                );
            }
            end = base.saturating_add(UIDS);
            before = Some(id);
        }
    }

    fn refuse(&mut self, rule: &str, message: String) {
        let origin = Origin::file("tenants/registry.json");
        self.findings.push(Finding::error(origin, rule, message));
    }
}
