//! The desired state of one tenant: documents, registry and templates brought together, limits applied.
//!
//! What the host cannot run is not in here; `resolve` says so with a finding.

use crate::allocate::Partner;
use crate::finding::Origin;
use crate::model::{
    Attachment, FirewallRule, Health, Init, Limits, Name, Network, Peering, Publish, Resources,
    Restart, Volume,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything that one tenant shall be, apart from allocated numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredTenant {
    /// The tenant.
    pub id: Name,
    /// Name for people.
    pub name: String,
    /// Whether its workloads run: registry and metadata both say so, and it is not suspended.
    pub enabled: bool,
    /// Of the whole tenant slice: the smaller of wish and registry.
    pub limits: Resources,
    /// The registry's ceilings, for what counts workloads.
    pub ceilings: Limits,
    /// Networks, `default` first when there is one.
    pub networks: Vec<Network>,
    /// Workloads by name.
    pub workloads: Vec<DesiredWorkload>,
    /// Published ports, allowed by the registry.
    pub publish: Vec<Publish>,
    /// Peerings that it declares, of networks that are here.
    pub peering: Vec<Peering>,
    /// Who declares them too.
    pub partners: Vec<Partner>,
    /// Firewall rules in order.
    pub firewall: Vec<FirewallRule>,
    /// Lifecycle scripts: path in the repository to content.
    pub scripts: BTreeMap<String, Arc<[u8]>>,
}

/// One container or machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DesiredWorkload {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name in the tenant.
    pub name: Name,
    /// What runs it.
    pub class: WorkloadClass,
    /// The root file system.
    pub image: ResolvedImage,
    /// First process.
    pub init: Init,
    /// Environment of the first process.
    pub env: BTreeMap<String, String>,
    /// User of the command.
    pub user: Option<String>,
    /// Working directory of the command.
    pub workdir: Option<String>,
    /// Own ceilings, at most the tenant's.
    pub resources: Resources,
    /// Networks, in order.
    pub attachments: Vec<Attachment>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Credentials: name to ciphertext.
    pub credentials: BTreeMap<String, Arc<[u8]>>,
    /// Workloads that must be healthy first.
    pub depends_on: Vec<Name>,
    /// Restart policy.
    pub restart: Restart,
    /// Whether it starts with the tenant.
    pub autostart: bool,
    /// Health check.
    pub health: Option<Health>,
    /// Content of the script of a script check.
    pub health_script: Option<Arc<[u8]>>,
}

/// What runs a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadClass {
    /// systemd-nspawn.
    Container {
        /// Capabilities that it keeps, `CAP_...`, sorted.
        capabilities: Vec<String>,
        /// System-call groups or names beyond nspawn's default filter.
        system_calls: Vec<String>,
        /// Whether its root is read-only.
        read_only: bool,
        /// The tenant's own layer over the image.
        overlay: Option<Layer>,
    },
}

/// A directory of the repository that becomes a read-only layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Layer {
    /// Git tree object id: the layer's key in the tenant's `layers/`.
    pub key: String,
    /// Directory in the repository.
    pub path: String,
}

/// An image that is on the host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ResolvedImage {
    /// Name for people: the template's name.
    pub name: String,
    /// Content digest, hex.
    pub digest: String,
    /// Absolute path of the root directory on the host.
    pub root: String,
}

/// Templates that are on the host, by name; the host reads it, `resolve` looks things up in it.
pub type Templates = BTreeMap<Name, Template>;

/// A template of the host.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Template {
    /// The image.
    pub image: ResolvedImage,
    /// Default resources of its metadata.
    pub defaults: Resources,
}
