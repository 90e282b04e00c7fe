//! Names and numbers that a tenant's artefacts may mention, from its allocation alone.

use super::Bounds;
use crate::allocate::{InterfaceAllocation, NetworkAllocation, TenantAllocation, Uplink, Vrf};
use crate::artefact::UnitKind;
use crate::desired::Templates;
use crate::digest::sha256;
use crate::model::{Name, Registration};
use crate::unitfile::{escape_path, escape_unit_name};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Link group of tenants' bridges.
pub(super) const GROUP: u32 = 48059;

/// What belongs to the tenant.
pub(super) struct Expected<'a> {
    pub(super) id: &'a Name,
    pub(super) registration: &'a Registration,
    pub(super) templates: &'a Templates,
    pub(super) uid_base: u32,
    /// The tenant's number.
    pub(super) number: u32,
    pub(super) ports: Vec<(String, u16)>,
    /// Links between which it shares networks: a pair for each direction.
    pub(super) peers: Vec<[&'a str; 2]>,
    pub(super) networks: Vec<&'a NetworkAllocation>,
    allocation: &'a TenantAllocation,
    pub(super) machines: Vec<Machine<'a>>,
    /// The network namespace that workloads share, with its interface, as one more machine that no unit runs.
    pub(super) namespace: Option<Machine<'a>>,
    /// Places in `machines`, by name of the workload.
    by_workload: BTreeMap<&'a str, usize>,
    /// Places in `machines` and what the unit is there, by unit; `None` for the service of a check.
    by_unit: BTreeMap<String, (usize, Option<UnitKind>)>,
    /// What the names of mounts below the tenant's directory begin with.
    mounts: String,
}

/// A workload that has an allocation.
pub(super) struct Machine<'a> {
    pub(super) workload: &'a Name,
    pub(super) name: &'a str,
    /// Name of its network namespace, if it has one.
    pub(super) namespace: String,
    pub(super) interfaces: Vec<Interface<'a>>,
}

/// One of its interfaces.
pub(super) struct Interface<'a> {
    pub(super) allocated: &'a InterfaceAllocation,
    pub(super) network: &'a NetworkAllocation,
    /// Name of the inner end while it is on the host.
    pub(super) peer: String,
}

impl<'a> Expected<'a> {
    pub(super) fn new(bounds: &Bounds<'a>) -> Self {
        let allocation = bounds.allocation;
        let interface = |(network, allocated): (&'a Name, &'a InterfaceAllocation)| {
            Some(Interface {
                allocated,
                network: allocation.networks.get(network)?,
                peer: format!("p{}", &sha256(allocated.link.as_bytes())[..14]),
            })
        };
        let shared = allocation.networks.iter().find_map(|(name, network)| {
            let allocated = &network.namespace.as_ref()?.interface;
            Some((name, interface((name, allocated))?))
        });
        let machines: Vec<Machine<'a>> = allocation
            .machines
            .iter()
            .map(|(workload, machine)| Machine {
                workload,
                name: &machine.machine,
                namespace: format!("machine-{}", machine.machine),
                interfaces: machine.interfaces.iter().filter_map(interface).collect(),
            })
            .collect();
        let id = &bounds.registration.id;
        let ports = allocation.ports.iter();
        let pairs = bounds.partners.iter().flat_map(|partner| {
            let own = allocation.links_inside(&partner.network).into_iter();
            own.flat_map(|own| {
                let links = partner.links.iter();
                links.flat_map(move |link| [[own, link], [link, own]])
            })
        });
        Self {
            id,
            registration: bounds.registration,
            templates: bounds.templates,
            uid_base: allocation.uid_base,
            number: allocation.number,
            ports: ports
                .map(|(protocol, port)| (protocol.to_string(), *port))
                .collect(),
            peers: pairs.collect(),
            networks: allocation.networks.values().collect(),
            allocation,
            by_workload: machines
                .iter()
                .enumerate()
                .map(|(index, machine)| (machine.workload.as_str(), index))
                .collect(),
            by_unit: units(&machines),
            mounts: format!("{}-", escape_path(&format!("/var/lib/tenants/{id}"))),
            namespace: shared.map(|(network, interface)| Machine {
                workload: network,
                name: "",
                namespace: format!("tenant-{id}"),
                interfaces: vec![interface],
            }),
            machines,
        }
    }

    pub(super) fn home(&self) -> String {
        format!("/var/lib/tenants/{}", self.id)
    }

    pub(super) fn current(&self, path: &str) -> String {
        format!("{}/current/{path}", self.home())
    }

    pub(super) fn slice(&self) -> String {
        format!("tenant-{}.slice", escape_unit_name(self.id.as_str()))
    }

    pub(super) fn tenant(&self) -> String {
        format!("tenant@{}.service", self.id)
    }

    pub(super) fn network(&self) -> String {
        format!("tenant-network@{}.service", self.id)
    }

    pub(super) fn namespace_unit(&self) -> String {
        format!("netns-tenant@{}.service", self.id)
    }

    /// The workload of this name.
    pub(super) fn machine(&self, workload: &str) -> Option<&Machine<'a>> {
        self.machines.get(*self.by_workload.get(workload)?)
    }

    /// The interfaces of `machine`, also one that it shares.
    pub(super) fn interfaces_of(
        &self,
        machine: &Machine<'_>,
    ) -> impl Iterator<Item = &'a InterfaceAllocation> {
        let interfaces = self.allocation.interfaces_of(machine.workload);
        interfaces.map(|(_, interface)| interface)
    }

    /// The network namespace that `machine` shares with others, if it does.
    pub(super) fn shared(&self, machine: &Machine<'_>) -> Option<&str> {
        let namespace = self.namespace.as_ref()?;
        let networks = self.networks.iter();
        let mut namespaces = networks.filter_map(|network| network.namespace.as_ref());
        namespaces
            .any(|one| one.members.contains(machine.workload))
            .then_some(&namespace.namespace)
    }

    /// The workload that `unit` runs or checks.
    pub(super) fn machine_of(&self, unit: &str) -> Option<&Machine<'a>> {
        self.machines.get(self.by_unit.get(unit)?.0)
    }

    /// What `unit` is, if it may be the tenant's; `None` for everything else on the host.
    pub(super) fn kind(&self, unit: &str) -> Option<UnitKind> {
        if let Some((_, kind)) = self.by_unit.get(unit) {
            return *kind;
        }
        if unit.starts_with(&self.mounts) && unit.ends_with(".mount") {
            return Some(UnitKind::Mount);
        }
        let own = [
            (self.slice(), UnitKind::Slice),
            (self.tenant(), UnitKind::Tenant),
            (self.network(), UnitKind::Network),
            (self.namespace_unit(), UnitKind::Namespace),
        ];
        own.into_iter()
            .find(|(name, _)| name == unit)
            .map(|(_, kind)| kind)
    }

    /// The allocation of the link of a network.
    pub(super) fn bridge(&self, link: &str) -> Option<&'a NetworkAllocation> {
        self.networks
            .iter()
            .find(|network| network.link == link)
            .copied()
    }

    /// The allocation whose uplink this is.
    pub(super) fn uplink(&self, link: &str) -> Option<&'a NetworkAllocation> {
        let uplink = |network: &NetworkAllocation| {
            let uplink = network.uplink.as_ref();
            uplink.is_some_and(|uplink| uplink.link() == link)
        };
        self.networks
            .iter()
            .find(|network| uplink(network))
            .copied()
    }

    /// The name of the network whose uplink this is.
    pub(super) fn name_of_uplink(&self, link: &str) -> Option<&'a Name> {
        let uplink =
            |network: &NetworkAllocation| network.uplink.as_ref().map(Uplink::link) == Some(link);
        let mut networks = self.allocation.networks.iter();
        networks
            .find(|(_, network)| uplink(network))
            .map(|(name, _)| name)
    }

    /// The routing domain of this name.
    pub(super) fn vrf(&self, link: &str) -> Option<&'a Vrf> {
        let mut vrfs = self
            .networks
            .iter()
            .filter_map(|network| network.vrf.as_ref());
        vrfs.find(|vrf| vrf.link == link)
    }

    pub(super) fn interfaces(&self) -> impl Iterator<Item = &Interface<'a>> {
        let machines = self.machines.iter().chain(&self.namespace);
        machines.flat_map(|machine| &machine.interfaces)
    }

    /// Roots of containers by digest.
    pub(super) fn images(&self) -> BTreeMap<&'a str, &'a str> {
        let containers = self.templates.values();
        containers
            .filter(|template| template.boot.is_none())
            .map(|template| &template.image)
            .map(|image| (image.digest.as_str(), image.root.as_str()))
            .collect()
    }
}

/// Units of all workloads.
fn units(machines: &[Machine<'_>]) -> BTreeMap<String, (usize, Option<UnitKind>)> {
    machines
        .iter()
        .enumerate()
        .flat_map(|(index, machine)| {
            [
                (machine.container(), (index, Some(UnitKind::Workload))),
                (machine.vm(), (index, Some(UnitKind::Workload))),
                (machine.timer(), (index, Some(UnitKind::Health))),
                (machine.check(), (index, None)),
            ]
        })
        .collect()
}

impl Machine<'_> {
    /// The unit that runs it when it is a container.
    pub(super) fn container(&self) -> String {
        format!("systemd-nspawn@{}.service", self.name)
    }

    /// The same when it is a virtual machine.
    pub(super) fn vm(&self) -> String {
        format!("systemd-vmspawn@{}.service", self.name)
    }

    /// Whether `unit` runs it.
    pub(super) fn is_run_by(&self, unit: &str) -> bool {
        unit == self.container() || unit == self.vm()
    }

    /// Where its disk is when it is a virtual machine.
    pub(super) fn disk(&self, expected: &Expected<'_>) -> String {
        format!("{}/machines/{}", expected.home(), self.workload)
    }

    pub(super) fn timer(&self) -> String {
        format!("tenant-health@{}.timer", self.name)
    }

    pub(super) fn check(&self) -> String {
        format!("tenant-health@{}.service", self.name)
    }

    pub(super) fn home(&self, expected: &Expected<'_>) -> String {
        format!("{}/containers/{}", expected.home(), self.workload)
    }

    pub(super) fn root(&self, expected: &Expected<'_>) -> String {
        format!("{}/rootfs", self.home(expected))
    }

    pub(super) fn root_unit(&self, expected: &Expected<'_>) -> String {
        format!("{}.mount", escape_path(&self.root(expected)))
    }

    pub(super) fn interface(&self, link: &str) -> Option<&Interface<'_>> {
        let mut interfaces = self.interfaces.iter();
        interfaces.find(|interface| interface.allocated.link == link)
    }
}

impl Interface<'_> {
    /// Addresses in its networks: the allocated one, those that SLAAC makes of its MAC address.
    pub(super) fn ipv6(&self) -> Vec<Ipv6Addr> {
        let Some(identifier) = eui64(&self.allocated.mac) else {
            return Vec::new();
        };
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0);
        [Some(link_local), self.network.ipv6]
            .into_iter()
            .flatten()
            .map(|prefix| Ipv6Addr::from(u128::from(prefix) >> 64 << 64 | u128::from(identifier)))
            .collect()
    }
}

/// RFC 4291 appendix A.
fn eui64(mac: &str) -> Option<u64> {
    let octets: Vec<u8> = mac
        .split(':')
        .map(|part| u8::from_str_radix(part, 16).ok())
        .collect::<Option<_>>()?;
    let [a, b, c, d, e, f] = octets.try_into().ok()?;
    Some(u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]))
}

/// The host's address in an IPv6 network.
pub(super) fn gateway6(prefix: Ipv6Addr) -> Ipv6Addr {
    Ipv6Addr::from(u128::from(prefix) | 1)
}

/// `Address=` of the host in a network.
pub(super) fn gateway(network: &NetworkAllocation) -> Option<(Ipv4Addr, String)> {
    let address = network.gateway()?;
    Some((address, format!("{address}/{}", network.subnet.prefix)))
}
