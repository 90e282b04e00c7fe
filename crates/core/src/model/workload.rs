//! Containers and virtual machines of a tenant.

use super::{Bytes, Millis, Name, Resources};
use crate::finding::Origin;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// What containers and machines have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// `containers/web/config.yaml`.
    pub origin: Origin,
    /// Name of its directory.
    pub name: Name,
    /// Root file system.
    pub image: Image,
    /// What runs as the first process.
    pub init: Init,
    /// Environment of the first process; machines get it as credentials.
    pub env: BTreeMap<String, String>,
    /// User of the command.
    pub user: Option<String>,
    /// Working directory of the command.
    pub workdir: Option<String>,
    /// What it wants.
    pub resources: Resources,
    /// Networks, in order; `None` when not written: the tenant's first network.
    pub networks: Option<Vec<Attachment>>,
    /// Persistent volumes.
    pub volumes: Vec<Volume>,
    /// Credentials: name to path of the ciphertext in the repository.
    pub credentials: Vec<Credential>,
    /// Extensions to merge, with where they are named.
    pub extensions: Vec<(Name, Origin)>,
    /// Workloads that must be healthy first, with where they are named.
    pub depends_on: Vec<(Name, Origin)>,
    /// Restart policy.
    pub restart: Restart,
    /// Whether it starts with the tenant.
    pub autostart: bool,
    /// Health check.
    pub health: Option<Health>,
}

/// `containers/<name>/config.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The common part.
    pub workload: Workload,
    /// Capabilities beyond the default set, `CAP_...`.
    pub capabilities: Vec<String>,
    /// Whether its root is read-only.
    pub read_only: bool,
    /// Git tree id of `rootfs-overlay/`; `None` when there is none.
    pub overlay: Option<String>,
}

/// `machines/<name>/config.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// The common part.
    pub workload: Workload,
    /// Firmware; `None`: as its image boots.
    pub firmware: Option<Firmware>,
    /// Secure Boot.
    pub secure_boot: bool,
    /// Virtual TPM.
    pub tpm: bool,
    /// Hardware virtualisation: `None` is `auto`.
    pub kvm: Option<bool>,
    /// Path of a kernel for direct boot.
    pub kernel: Option<String>,
    /// Path of an initrd for direct boot.
    pub initrd: Option<String>,
    /// Kernel command line.
    pub cmdline: Option<String>,
    /// Root disk.
    pub disk: Option<Disk>,
    /// Whether changes to the disk are dropped at power-off.
    pub ephemeral: bool,
    /// Paths of `cloud-init/*` that exist.
    pub cloud_init: Vec<String>,
}

/// Where a root file system comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it is declared.
    pub origin: Origin,
    /// The source.
    pub source: ImageSource,
    /// How it is verified; `None` when not written.
    pub verify: Option<ImageVerify>,
}

/// The source of an [`Image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ImageSource {
    /// A template of the host.
    Template(Name),
    /// A download.
    Url {
        /// Where from.
        url: String,
        /// SHA-256 in hex.
        sha256: String,
    },
    /// An OCI reference.
    Oci(String),
    /// A path in the repository.
    Path(String),
    /// A discoverable disk image in the repository.
    Ddi(String),
}

/// How an image is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImageVerify {
    /// SHA256SUMS.
    Checksum,
    /// SHA256SUMS and its signature.
    Signature,
    /// VOA.
    Voa,
    /// Not at all.
    None,
}

/// What runs as the first process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Init {
    /// The image's init.
    Boot,
    /// A command: program and arguments.
    Command(Vec<String>),
}

/// A network that a workload is attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Where it is declared.
    pub origin: Origin,
    /// The network.
    pub network: Name,
    /// Fixed address; `None` is `dhcp`: the host picks one and keeps it.
    pub address: Option<Ipv4Addr>,
    /// Fixed MAC address, lower-case hex with colons; `None`: the host derives one.
    pub mac: Option<String>,
    /// Megabits a second, each way; `None`: as much as there is.
    pub bandwidth: Option<u64>,
}

/// A persistent volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    /// Where it is declared.
    pub origin: Origin,
    /// Its name, in the tenant.
    pub name: Name,
    /// Absolute, normalised path in the workload.
    pub mount: String,
    /// Wanted size.
    pub size: Option<Bytes>,
    /// Whether the workload only reads it.
    pub read_only: bool,
}

/// A credential in encrypted form, systemd-creds(1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Where it is declared.
    pub origin: Origin,
    /// Name in the workload.
    pub name: String,
    /// Path of the ciphertext in the repository.
    pub encrypted: String,
}

/// Restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Restart {
    /// Whenever it ends.
    Always,
    /// When it fails.
    OnFailure,
    /// Never.
    No,
}

/// Firmware of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Firmware {
    /// UEFI.
    Uefi,
    /// BIOS.
    Bios,
    /// None: direct kernel boot.
    None,
}

/// Root disk of a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Disk {
    /// Size.
    pub size: Option<Bytes>,
    /// Format.
    pub format: DiskFormat,
}

/// Format of a disk image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskFormat {
    /// Raw.
    Raw,
    /// qcow2.
    Qcow2,
}

/// A health check and when it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is asked.
    pub check: Check,
    /// Between two checks.
    pub interval: Millis,
    /// Of one check.
    pub timeout: Millis,
    /// Failures in a row that make it unhealthy.
    pub retries: u64,
    /// After the start, during which failures do not count.
    pub start_period: Millis,
}

/// What a health check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// A script of the repository, run inside the workload by its `/bin/sh`.
    Script(String),
    /// A command in the workload.
    Command(Vec<String>),
    /// A TCP port of the workload that must accept.
    Tcp(u16),
    /// An HTTP request that must be answered with a status below 400.
    Http {
        /// Port of the workload.
        port: u16,
        /// Path of the request.
        path: String,
    },
    /// Whether anything at the address of the workload answers, be it that nobody listens: its kernel is up.
    Answers,
}
