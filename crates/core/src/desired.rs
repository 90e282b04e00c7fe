//! The desired state of one tenant: documents, registry and templates brought together, limits applied.
//!
//! What the host cannot run is not in here; `resolve` says so with a finding.

use crate::allocate::Partner;
use crate::finding::Origin;
use crate::model::{
    Attachment, Bytes, FirewallRule, Health, Init, Limits, Name, Network, Peering, Publish,
    Resources, Restart, Volume,
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

impl DesiredWorkload {
    /// What it is made of when it is a virtual machine.
    pub fn machine(&self) -> Option<&MachineClass> {
        match &self.class {
            WorkloadClass::Machine(machine) => Some(machine),
            WorkloadClass::Container { .. } => None,
        }
    }
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
    /// systemd-vmspawn.
    Machine(MachineClass),
}

/// What a virtual machine is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineClass {
    /// Processors that it sees.
    pub cpus: u64,
    /// Memory that it sees, in bytes.
    pub ram: u64,
    /// Whether the processor runs its instructions; QEMU does otherwise.
    pub kvm: bool,
    /// Size of its disk; that of the image when it is larger.
    pub disk: Option<Bytes>,
    /// Whether changes to the disk are dropped at power-off.
    pub ephemeral: bool,
    /// What its image boots.
    pub boot: DirectBoot,
    /// Further words of the kernel's command line.
    pub cmdline: Option<String>,
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ResolvedImage {
    /// Name for people: the template's name.
    pub name: String,
    /// Content digest, hex.
    pub digest: String,
    /// Absolute path on the host: of the root directory, or of the disk of a machine.
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
    /// What boots its image, which is a disk then; a container's is a directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot: Option<DirectBoot>,
}

/// A kernel that is started without firmware, and its initrd: absolute paths on the host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct DirectBoot {
    /// The kernel.
    pub kernel: String,
    /// The initrd.
    pub initrd: String,
}
