//! What a template says of itself.

use super::{Name, Resources};

/// A checked `metadata.json` of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateMetadata {
    /// Name that workloads use.
    pub name: Name,
    /// What it is a template of.
    pub kind: TemplateKind,
    /// Version, for people.
    pub version: String,
    /// Oldest systemd that it works with.
    pub systemd: Option<u32>,
    /// Oldest kernel that it works with: major and minor number.
    pub kernel: Option<(u32, u32)>,
    /// What it needs of the host: `nspawn`, `networkd`.
    pub features: Vec<String>,
    /// What a workload gets that says nothing else.
    pub defaults: Resources,
}

/// What a template is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateKind {
    /// An infrastructure manager.
    Infrastructure,
    /// A virtual machine.
    Machine,
    /// A container: its `rootfs/` is an image.
    Container,
    /// A home directory.
    Homed,
    /// A system extension.
    Sysext,
    /// A configuration extension.
    Confext,
    /// A network.
    Network,
}
