//! What a generation holds: rendered files, their origin, and what a change of each costs.

use crate::desired::{DirectBoot, Layer, ResolvedImage};
use crate::finding::Origin;
use crate::model::{Bytes, Name};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

mod manifest;

pub use manifest::{Provenance, hash, manifest};

/// The rendered set of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Artefacts {
    /// Files by path relative to the generation directory.
    pub files: BTreeMap<String, Artefact>,
    /// Units that the tenant owns, with what apply needs to know of them.
    pub units: Vec<OwnedUnit>,
    /// Layers that must exist before anything starts.
    pub layers: Vec<Layer>,
    /// Directories of the tenant that must exist, relative to `/var/lib/tenants/<id>/`.
    pub directories: Vec<OwnedDirectory>,
    /// Disks that must exist before anything starts.
    pub disks: Vec<OwnedDisk>,
}

/// One rendered file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artefact {
    /// Its bytes.
    pub content: Vec<u8>,
    /// Permission bits, `0o644`.
    pub mode: u32,
    /// The line that it comes from.
    pub origin: Option<Origin>,
    /// The unit that reads it, if a change concerns one unit.
    pub unit: Option<String>,
    /// What a change of the content costs.
    pub class: UpdateClass,
}

/// What a change costs, cheapest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpdateClass {
    /// Takes effect without touching a process.
    Live,
    /// The unit restarts.
    Restart,
    /// The unit stops, its storage is made anew, it starts.
    Recreate,
    /// It stops and does not come back.
    Destroy,
}

/// A unit of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedUnit {
    /// Full name: `systemd-nspawn@shop-web.service`.
    pub name: String,
    /// What it is.
    pub kind: UnitKind,
    /// The workload it belongs to.
    pub workload: Option<Name>,
    /// Whether it is started with the tenant.
    pub autostart: bool,
    /// Units that must be stopped before and started after this one (`Requires=`): mounts of a container.
    pub requires: Vec<String>,
    /// Units that must be healthy before this one starts: `dependsOn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// What it is given by DHCP, by the host's end of the link: `10.64.1.10/24 by 10.64.1.1`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub leases: BTreeMap<String, String>,
}

impl OwnedUnit {
    /// A unit that stands on nothing and waits for nobody.
    pub fn new(name: impl Into<String>, kind: UnitKind) -> Self {
        Self {
            name: name.into(),
            kind,
            workload: None,
            autostart: false,
            requires: Vec::new(),
            needs: Vec::new(),
            leases: BTreeMap::new(),
        }
    }
}

/// What an [`OwnedUnit`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnitKind {
    /// The tenant's slice.
    Slice,
    /// A mount of a layer or root.
    Mount,
    /// `tenant-network@`.
    Network,
    /// `netns-tenant@`.
    Namespace,
    /// A container or machine.
    Workload,
    /// A health timer.
    Health,
    /// `tenant@`.
    Tenant,
}

/// A directory that outlives generations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedDirectory {
    /// Path relative to `/var/lib/tenants/<id>/`.
    pub path: String,
    /// Owner uid and gid on the host.
    pub owner: u32,
    /// Permission bits.
    pub mode: u32,
}

/// The disk of a virtual machine, in `/var/lib/tenants/<id>/machines/<workload>/` with the kernel that it was made with.
/// It outlives generations and images: it is made once, grows, and is never made anew.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedDisk {
    /// The machine.
    pub workload: Name,
    /// What it is a copy of.
    pub image: ResolvedImage,
    /// What boots that.
    pub boot: DirectBoot,
    /// What its unit makes it grow to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Bytes>,
}

impl OwnedDisk {
    /// Its directory, relative to `/var/lib/tenants/<id>/`. One that is there is complete.
    pub fn directory(&self) -> String {
        format!("machines/{}", self.workload)
    }
}

/// `generation.json`: what a generation is, without the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version, 1.
    pub format: u32,
    /// The tenant.
    pub tenant: Name,
    /// Number of the generation, from 1.
    pub number: u64,
    /// Number of the generation it replaced.
    pub parent: Option<u64>,
    /// Commit it was compiled from, hex.
    pub commit: String,
    /// Ref that pointed at the commit.
    #[serde(rename = "ref")]
    pub reference: String,
    /// URL of the repository.
    pub repository: String,
    /// Commit of the system repository it was compiled with.
    pub system: String,
    /// Who signed the commit, when that was verified.
    pub signer: Option<String>,
    /// SHA-256 over everything that the compiler read: equal inputs, equal artefacts.
    pub inputs: String,
    /// SHA-256 over paths, modes and digests of the files: equal hash, equal generation.
    pub hash: String,
    /// The files.
    pub files: BTreeMap<String, FileRecord>,
    /// The units.
    pub units: Vec<OwnedUnit>,
    /// The layers.
    pub layers: Vec<Layer>,
    /// The directories.
    pub directories: Vec<OwnedDirectory>,
    /// The disks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<OwnedDisk>,
    /// Seconds since the epoch at which it was written.
    pub created: u64,
}

/// One file in a [`Manifest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// SHA-256 of the content, hex.
    pub sha256: String,
    /// Permission bits.
    pub mode: u32,
    /// The line that it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// The unit that reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What a change costs.
    pub class: UpdateClass,
}
