//! The system repository: registry and policy.

use super::{Bytes, MilliCores, Millis, Name, NetworkMode, Protocol};
use crate::finding::Origin;
use crate::notify::Receiver;
use crate::signature::KeyRing;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A checked system repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `.gitops/config.yaml`, defaults filled in.
    pub policy: Policy,
    /// `tenants/registry.json`, in the order of the file.
    pub tenants: Vec<Registration>,
    /// `.gitops/signers/`.
    #[serde(default)]
    pub keys: KeyRing,
}

/// One tenant of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Where the registry says it.
    pub origin: Origin,
    /// The tenant's id.
    pub id: Name,
    /// Name for people.
    pub name: String,
    /// URL of the tenant repository.
    pub repository: String,
    /// Branch, tag or commit; `main` by default.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Whether the tenant runs.
    pub enabled: bool,
    /// Ceilings; they win over what the tenant asks for.
    pub limits: Limits,
    /// What the tenant may use.
    pub allow: Allow,
    /// Commit verification; `None` follows the policy.
    pub verify: Option<Verify>,
    /// Machine-tag expressions of the hosts that may run it.
    pub placement: Vec<String>,
    /// What opens the tenant repository.
    #[serde(default, skip_serializing_if = "Access::is_empty")]
    pub access: Access,
    /// Ciphertext of what its forge signs deliveries with: a file of the system repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<String>,
}

/// What opens a repository: files of the system repository.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Access {
    /// Ciphertext of the private key for ssh.
    pub ssh_key: Option<String>,
    /// Host keys for ssh.
    pub known_hosts: Option<String>,
    /// Ciphertext of `user:token` or of a token, for https.
    pub token: Option<String>,
    /// Certificate authorities for https.
    pub ca: Option<String>,
}

impl Access {
    /// Whether nothing is needed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Ceilings of one tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time.
    pub cpu: Option<MilliCores>,
    /// Memory.
    pub memory: Option<Bytes>,
    /// Disk space.
    pub storage: Option<Bytes>,
    /// Tasks.
    pub tasks: Option<u64>,
    /// Number of virtual machines.
    pub machines: Option<u64>,
    /// Number of containers.
    pub containers: Option<u64>,
    /// Number of networks.
    #[serde(default)]
    pub networks: Option<u64>,
    /// Number of interfaces of workloads in networks: each has an address.
    #[serde(default)]
    pub addresses: Option<u64>,
    /// New connections a second, out of its networks and into them, each way.
    #[serde(default)]
    pub connections: Option<u64>,
    /// Megabits a second, out of its networks and into them, each way.
    #[serde(default)]
    pub bandwidth: Option<u64>,
}

/// What one tenant may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allow {
    /// Virtual machines.
    pub machines: bool,
    /// Containers.
    pub containers: bool,
    /// Portable services.
    pub portable: bool,
    /// Users.
    pub users: bool,
    /// Lifecycle scripts.
    pub hooks: bool,
    /// Host ports that may be published.
    pub publish: Vec<PortRange>,
    /// Network modes.
    pub networks: Vec<NetworkMode>,
}

/// `tcp/8000-8099`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// Transport.
    pub protocol: Protocol,
    /// First port.
    pub first: u16,
    /// Last port, included.
    pub last: u16,
}

/// How commits are verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verify {
    /// Whether a commit needs a good signature.
    pub commits: VerifyCommits,
    /// Fingerprints (`SHA256:...`, or of OpenPGP certificates), principals or key names of those who may sign.
    pub signers: Vec<String>,
}

impl Verify {
    /// Nobody looks at signatures.
    pub fn off() -> Self {
        Self {
            commits: VerifyCommits::Off,
            signers: Vec::new(),
        }
    }
}

/// Whether a commit needs a good signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerifyCommits {
    /// A commit without one is refused.
    Required,
    /// It is said, and applied.
    Warn,
    /// It is not looked at.
    Off,
}

/// `.gitops/config.yaml`: rules for the whole host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// When to fetch.
    pub sync: Sync,
    /// Commit verification of tenants whose registration says nothing.
    pub verify: Verify,
    /// Commit verification of the system repository itself.
    pub verify_system: Verify,
    /// Pools that allocations are taken from.
    pub pools: Pools,
    /// Quotas and encryption.
    pub storage: Storage,
    /// What is kept and for how long.
    pub retention: Retention,
    /// Whom to tell.
    pub notifications: Vec<Receiver>,
    /// Template repositories: name to source.
    pub templates: Vec<TemplateSource>,
    /// Time limit of lifecycle scripts.
    pub hook_timeout: Millis,
    /// What a generation that was deployed has to show.
    #[serde(default)]
    pub health: HealthPolicy,
    /// What is done about drift.
    #[serde(default)]
    pub drift: Drift,
    /// Where deliveries of forges are received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhooks: Option<Webhooks>,
}

/// Where deliveries of forges are received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Webhooks {
    /// Address of the host.
    pub address: IpAddr,
    /// TCP port.
    pub port: u16,
    /// Ciphertext of the secret of all who have none of their own: a file of the system repository.
    pub secret: Option<String>,
}

/// What a generation that was deployed has to show, and what is done when it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthPolicy {
    /// Time in which it has to be Healthy, for each try.
    pub window: Millis,
    /// How often it is tried before the last good generation returns, at least once.
    pub tries: u64,
    /// What is done about one that was Healthy and is not any more.
    pub degraded: Degraded,
    /// How long what the branch `testing-<host>` is at is tried.
    pub trial: Millis,
}

impl Default for HealthPolicy {
    fn default() -> Self {
        Self {
            window: Millis(5 * 60 * 1000),
            tries: 2,
            degraded: Degraded::Report,
            trial: Millis(60 * 60 * 1000),
        }
    }
}

/// What is done about a generation that was Healthy and is not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Degraded {
    /// It is said.
    Report,
    /// It gets its tries, and then the generation that was Healthy before it returns.
    Rollback,
}

/// What is done about drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Drift {
    /// Whether it is also put right.
    pub policy: DriftPolicy,
}

/// Whether drift is put right without being asked.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum DriftPolicy {
    /// A pass says it.
    #[default]
    Report,
    /// A pass says it and puts it right.
    Repair,
}

/// When to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sync {
    /// Between two fetches.
    pub interval: Millis,
    /// Random delay added to the interval.
    pub jitter: Millis,
    /// Of one fetch.
    pub timeout: Millis,
}

/// Pools that allocations are taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pools {
    /// Tenant subnets are cut from it: address and prefix length.
    pub ipv4: (Ipv4Addr, u8),
    /// Tenant IPv6 subnets (/64) are cut from it.
    pub ipv6: (Ipv6Addr, u8),
    /// VXLAN network identifiers, first and last.
    pub vni: (u32, u32),
    /// VLAN ids, first and last.
    pub vlan: (u16, u16),
    /// WireGuard listen ports, first and last.
    pub wireguard: (u16, u16),
    /// Links that may carry tenant VLANs.
    pub trunks: Vec<String>,
}

/// Quotas and encryption of tenant data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Storage {
    /// How a tenant's disk limit is enforced.
    pub quota: Quota,
    /// Whether tenant data is encrypted.
    pub encrypt: bool,
}

/// How a tenant's disk limit is enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Quota {
    /// btrfs qgroups.
    Btrfs,
    /// ext4 project quota.
    Ext4Project,
    /// xfs project quota.
    XfsProject,
    /// Not enforced.
    None,
}

/// What is kept and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// Generations of a tenant that are kept, the current one included.
    pub generations: u64,
    /// How long the data of a removed tenant is kept.
    pub removed_tenants: Millis,
}

/// Where a template comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateSource {
    /// Name that workloads use.
    pub name: Name,
    /// Git URL.
    pub repository: String,
    /// Branch, tag or commit.
    #[serde(rename = "ref")]
    pub reference: String,
}
