//! Networks, published ports, peering and firewall rules of a tenant.

use super::{Millis, Name};
use crate::finding::Origin;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// UDP port of VXLAN, RFC 7348: that of every segment.
pub const VXLAN_PORT: u16 = 4789;

/// Bytes that a link must carry at once for IPv6, RFC 8200.
pub const MTU_IPV6: u16 = 1280;

/// How a network carries packets.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkMode {
    /// A bridge of the tenant's own.
    IsolatedBridge,
    /// Point-to-point links, routed.
    Private,
    /// A WireGuard interface.
    Wireguard,
    /// A VXLAN segment.
    Vxlan,
    /// A VLAN of an allowed trunk.
    Vlan,
    /// A routing domain of its own.
    Vrf,
    /// A network namespace that workloads share.
    Netns,
    /// No network.
    None,
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IsolatedBridge => "isolated-bridge",
            Self::Private => "private",
            Self::Wireguard => "wireguard",
            Self::Vxlan => "vxlan",
            Self::Vlan => "vlan",
            Self::Vrf => "vrf",
            Self::Netns => "netns",
            Self::None => "none",
        })
    }
}

/// A transport protocol.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// An IPv4 network in canonical form: host bits are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subnet4 {
    /// Network address.
    pub address: Ipv4Addr,
    /// Prefix length, 0 to 32.
    pub prefix: u8,
}

impl Subnet4 {
    /// The network that holds `address`, host bits cleared.
    pub fn containing(address: Ipv4Addr, prefix: u8) -> Self {
        let prefix = prefix.min(32);
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        Self {
            address: Ipv4Addr::from(u32::from(address) & mask),
            prefix,
        }
    }

    /// Whether `address` is in this network.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        Self::containing(address, self.prefix).address == self.address
    }

    /// Whether the two networks share an address.
    pub fn overlaps(&self, other: &Self) -> bool {
        let prefix = self.prefix.min(other.prefix);
        Self::containing(self.address, prefix) == Self::containing(other.address, prefix)
    }

    /// The `n`th address of the network, counted from the network address.
    pub fn nth(&self, n: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from(u32::from(self.address).checked_add(n)?);
        self.contains(address).then_some(address)
    }
}

impl fmt::Display for Subnet4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// `auto` or a written value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Auto<T> {
    /// The host allocates it.
    Auto,
    /// As written.
    Value(T),
}

/// `network/topology.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topology {
    /// Networks by name; a tenant without a topology has one, `default`, of metadata's mode.
    pub networks: Vec<Network>,
    /// Published ports.
    pub publish: Vec<Publish>,
    /// Networks shared with other tenants.
    pub peering: Vec<Peering>,
}

/// One network of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// Mode.
    pub mode: NetworkMode,
    /// IPv4 subnet.
    pub subnet: Auto<Subnet4>,
    /// IPv6 subnet (/64): `None` is `off`.
    pub ipv6: Option<Auto<Ipv6Addr>>,
    /// Whether the host answers DHCP on it.
    pub dhcp: bool,
    /// Whether machines resolve each other's names.
    pub dns: bool,
    /// Whether packets to the outside are masqueraded; without it nothing leaves the network.
    pub nat: bool,
    /// Wanted name of the bridge, from metadata's interfaces.
    pub bridge: Option<String>,
    /// Mode-specific part.
    pub details: NetworkDetails,
}

/// What only one mode has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkDetails {
    /// Nothing more.
    Plain,
    /// WireGuard.
    Wireguard {
        /// UDP port.
        listen_port: Auto<u16>,
        /// Peers, also those of `network/wireguard/`.
        peers: Vec<WireguardPeer>,
        /// Bytes of the largest packet, where it is written.
        mtu: Option<u16>,
    },
    /// VXLAN.
    Vxlan {
        /// Network identifier.
        vni: Auto<u32>,
        /// Multicast group.
        group: Option<IpAddr>,
        /// Static remotes.
        remotes: Vec<IpAddr>,
        /// Underlying link: one of the host, or a network of mode wireguard.
        parent: Option<String>,
        /// Bytes of the largest packet, where it is written.
        mtu: Option<u16>,
    },
    /// VLAN.
    Vlan {
        /// Id, 1 to 4094.
        id: u16,
        /// Trunk link.
        parent: String,
        /// Router of the VLAN; `None` is the host.
        router: Option<Ipv4Addr>,
    },
}

/// A WireGuard peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireguardPeer {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name.
    pub name: Name,
    /// Public key, base64 of 32 bytes.
    pub public_key: String,
    /// `host:port`.
    pub endpoint: Option<String>,
    /// `address/prefix` strings, canonical.
    pub allowed_ips: Vec<String>,
    /// Keepalive.
    pub keepalive: Option<Millis>,
    /// A key beside the others: ciphertext of systemd-creds, base64.
    pub preshared_key: Option<String>,
}

impl WireguardPeer {
    /// Where it is, when its endpoint says an address and no name.
    pub fn address(&self) -> Option<IpAddr> {
        endpoint_address(self.endpoint.as_ref()?)
    }
}

/// Whether `network`, an `address/prefix`, holds `address`.
pub fn holds(network: &str, address: IpAddr) -> bool {
    let parts = || {
        let (first, prefix) = network.split_once('/')?;
        let (first, prefix): (IpAddr, u32) = (first.parse().ok()?, prefix.parse().ok()?);
        let differ = match (first, address) {
            (IpAddr::V4(one), IpAddr::V4(other)) => {
                (u32::from(one) ^ u32::from(other)).leading_zeros()
            }
            (IpAddr::V6(one), IpAddr::V6(other)) => {
                (u128::from(one) ^ u128::from(other)).leading_zeros()
            }
            _ => return None,
        };
        Some(differ >= prefix)
    };
    parts().unwrap_or(false)
}

/// The address of an endpoint `host:port`, when it says one and no name.
pub fn endpoint_address(endpoint: &str) -> Option<IpAddr> {
    let (host, _) = endpoint.rsplit_once(':')?;
    host.trim_matches(['[', ']']).parse().ok()
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Where it is declared.
    pub origin: Origin,
    /// Port of the host.
    pub port: u16,
    /// Transport.
    pub protocol: Protocol,
    /// Workload that answers.
    pub to: Name,
    /// Port of the workload.
    pub to_port: u16,
}

/// A wish to share a network with another tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peering {
    /// Where it is declared.
    pub origin: Origin,
    /// The other tenant.
    pub tenant: Name,
    /// Our network.
    pub network: Name,
}

/// One ordered rule of `network/firewall/*.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirewallRule {
    /// Where it is declared.
    pub origin: Origin,
    /// Source.
    pub from: Endpoint,
    /// Destination.
    pub to: Endpoint,
    /// Transport; `None` is every protocol.
    pub protocol: Option<Protocol>,
    /// Destination port ranges, first and last included; empty is every port.
    pub ports: Vec<(u16, u16)>,
    /// What happens.
    pub action: FirewallAction,
    /// Whether a match is logged.
    pub log: bool,
}

impl fmt::Display for FirewallRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.to)?;
        if let Some(protocol) = self.protocol {
            write!(f, " {protocol}")?;
        }
        for (index, (first, last)) in self.ports.iter().enumerate() {
            f.write_str(if index == 0 { " " } else { "," })?;
            match first == last {
                true => write!(f, "{first}")?,
                false => write!(f, "{first}-{last}")?,
            }
        }
        let action = match self.action {
            FirewallAction::Accept => "accept",
            FirewallAction::Drop => "drop",
            FirewallAction::Reject => "reject",
        };
        write!(f, " {action}{}", if self.log { " log" } else { "" })
    }
}

/// One side of a firewall rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// Everything.
    Any,
    /// Everything that is not a network of this tenant.
    Outside,
    /// The host itself.
    Host,
    /// A network of the tenant.
    Network(Name),
    /// A workload of the tenant.
    Workload(Name),
    /// An IPv4 network.
    Subnet4(Subnet4),
    /// An IPv6 network.
    Subnet6(Ipv6Addr, u8),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Outside => f.write_str("outside"),
            Self::Host => f.write_str("host"),
            Self::Network(name) | Self::Workload(name) => name.fmt(f),
            Self::Subnet4(subnet) => subnet.fmt(f),
            Self::Subnet6(address, length) => write!(f, "{address}/{length}"),
        }
    }
}

/// What a firewall rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirewallAction {
    /// Let it pass.
    Accept,
    /// Drop it without an answer.
    Drop,
    /// Refuse it with an answer.
    Reject,
}
