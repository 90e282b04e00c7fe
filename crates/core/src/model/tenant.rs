//! A tenant repository as a whole.

use super::{
    Bytes, Container, FirewallRule, Machine, Millis, Name, NetworkMode, Resources, Topology,
};
use crate::finding::Origin;

/// A checked tenant repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// `metadata.json`.
    pub metadata: Metadata,
    /// `containers/*/config.yaml`, by name.
    pub containers: Vec<Container>,
    /// `machines/*/config.yaml`, by name.
    pub machines: Vec<Machine>,
    /// `network/topology.yaml`; empty when there is none.
    pub topology: Topology,
    /// `network/firewall/*.yaml`, in the order of file name and rule.
    pub firewall: Vec<FirewallRule>,
    /// `infrastructure/config.yaml`.
    pub infrastructure: Option<Infrastructure>,
    /// `infrastructure/resource-limits.yaml`: ceiling per workload.
    pub ceilings: Vec<(Name, Resources)>,
    /// `users/*/homed-config.json`.
    pub users: Vec<User>,
    /// Paths of `extensions/{sysext,confext}/*`.
    pub extension_images: Vec<(ExtensionKind, String)>,
    /// Paths of `services/*`.
    pub portable_images: Vec<String>,
    /// Lifecycle scripts that exist: `scripts/pre-provision.sh`, ...
    pub scripts: Vec<String>,
}

/// `metadata.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// Where `tenant.id` is written.
    pub origin: Origin,
    /// Id; must be the one the registry gives, if that gives one (the quick start's `tenant-001`).
    pub id: Name,
    /// Name for people.
    pub name: String,
    /// What `main` is when the repository declares no workload.
    pub kind: TenantKind,
    /// Where `tenant.type` is written.
    pub kind_origin: Origin,
    /// Whether the tenant wants to run.
    pub enabled: bool,
    /// Free text.
    pub description: String,
    /// What the tenant wants.
    pub resources: Resources,
    /// Mode of the default network.
    pub network_mode: NetworkMode,
    /// Where `network.mode` is written.
    pub network_origin: Origin,
    /// Interfaces of `main`, and the wanted bridge name.
    pub interfaces: Vec<Interface>,
    /// Extensions to merge, with where they are named.
    pub extensions: Vec<(Name, Origin)>,
    /// Portable services to attach, with where they are named.
    pub services: Vec<(Name, Origin)>,
    /// Security wishes.
    pub security: Security,
}

/// `tenant.type`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum TenantKind {
    /// Virtual machines.
    Vm,
    /// Containers.
    Container,
    /// Both.
    Mixed,
}

/// `network.interfaces[]` of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Name inside the machine.
    pub name: String,
    /// Only `bridge` is known.
    pub kind: String,
    /// Wanted bridge name.
    pub bridge: Option<String>,
}

/// `security` of the metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Security {
    /// `namespace` or `vm`.
    pub isolation: Isolation,
    /// Capabilities that containers may keep, `CAP_...`; `None` is the default set.
    pub capabilities: Option<Vec<String>>,
    /// System-call groups or names that containers get beyond the default filter.
    pub system_calls: Vec<String>,
    /// Whether tenant data is to be encrypted.
    pub encrypt_storage: bool,
    /// Where `security` is written.
    pub origin: Origin,
}

/// `security.isolation`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// Kernel namespaces.
    Namespace,
    /// Every workload in a virtual machine.
    Vm,
}

/// `infrastructure/config.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infrastructure {
    /// Where it is declared.
    pub origin: Origin,
    /// What runs the infrastructure manager.
    pub manager: InfrastructureManager,
    /// Its resources.
    pub resources: Resources,
    /// How often it syncs.
    pub sync: Option<Millis>,
}

/// `infrastructure.manager`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum InfrastructureManager {
    /// None.
    None,
    /// A container.
    Container,
    /// A virtual machine.
    Vm,
}

/// `users/<user>/homed-config.json`, the parts that a tenant may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Where it is declared.
    pub origin: Origin,
    /// `userName`.
    pub name: Name,
    /// The checked record, as JSON text.
    pub record: String,
    /// Wanted size of the home.
    pub disk_size: Option<Bytes>,
}

/// Which hierarchy an extension image extends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExtensionKind {
    /// `/usr` and `/opt`.
    Sysext,
    /// `/etc`.
    Confext,
}
