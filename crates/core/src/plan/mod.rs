//! From one generation to another: steps with reasons. Everything is decided here; execution makes no choice.
//!
//! - [`plan`] decides, from an [`Input`]; [`is_same`] tells whether a new generation is needed at all.
//! - [`restart`] is the plan that starts units of a generation anew.
//! - [`inputs_hash`] tells whether the compiler has to run at all.
//! - [`text`] shows a [`Plan`] to people; for programs it is serde's.

mod causes;
mod changes;
mod decide;
mod diff;
mod disks;
mod input;
mod inputs;
mod prepare;
mod start;
mod stop;
mod text;
mod waiting;
mod words;

pub use decide::{erase, plan, restart};
pub use input::{Input, is_same};
pub use inputs::{COMPILER, Inputs, inputs_hash};
pub use text::{TextOptions, text};
pub use waiting::{Gate, Waiting};

use crate::artefact::{OwnedDirectory, OwnedDisk, UpdateClass};
use crate::desired::Layer;
use crate::digest::sha256;
use crate::finding::{Finding, Origin};
use crate::model::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What a pass will do to one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The tenant.
    pub tenant: Name,
    /// Current generation; `None` before the first.
    pub from: Option<u64>,
    /// Target generation; `None` when the tenant goes away.
    pub to: Option<u64>,
    /// Commit of the target.
    pub commit: Option<String>,
    /// What is done, in this order; empty when nothing would change.
    pub steps: Vec<Step>,
    /// Files that differ.
    pub changes: Vec<FileChange>,
    /// What people should know of it: `vm not available on this host`.
    pub findings: Vec<Finding>,
    /// What of it comes later, or not on this host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
}

impl Plan {
    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// SHA-256 over what is done to whom, in JSON: two plans with one digest have the same effect.
    pub fn digest(&self) -> String {
        let steps = (&self.tenant, self.from, self.to, &self.commit, &self.steps);
        // Texts and numbers, which JSON can always say.
        sha256(&serde_json::to_vec(&steps).unwrap_or_default())
    }
}

/// What of a tenant is on the host now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Observed {
    /// Units of the tenant that are active, activating, reloading or deactivating; mounts included.
    pub active: BTreeSet<String>,
    /// Keys of the layers that exist completely.
    pub layers: BTreeSet<String>,
    /// Directories that exist, relative to `/var/lib/tenants/<id>/`.
    pub directories: BTreeSet<String>,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, relative to other tenants of the same pass.
    pub phase: Phase,
    /// What.
    pub action: Action,
    /// Why, for people: `environment changed (containers/web/config.yaml:7)`.
    pub reason: String,
    /// What it costs.
    pub class: UpdateClass,
    /// The line that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// Phases of a pass: all tenants finish one before the next begins, so that the manager reloads once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Layers, directories, the new generation: nothing running is touched.
    Prepare,
    /// Units that change or go away stop, while the manager still knows them.
    Stop,
    /// `current` points at the new generation.
    Switch,
    /// Networks, live properties, starts.
    Start,
}

/// What a [`Step`] does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Action {
    /// Copy a directory of the commit to a layer of the tenant.
    PrepareLayer(Layer),
    /// Make a directory that outlives generations.
    MakeDirectory(OwnedDirectory),
    /// Make the disk of a machine, a copy of its image.
    MakeDisk(OwnedDisk),
    /// Write the generation beside the current one.
    WriteGeneration {
        /// Its number.
        number: u64,
    },
    /// Stop units, and wait.
    Stop {
        /// In one transaction.
        units: Vec<String>,
    },
    /// Rename `current`.
    Switch {
        /// The number it points at.
        number: u64,
    },
    /// Remove `current` and the tenant's links: it is disabled or gone.
    Unlink,
    /// Load network files and packet rules of the current generation.
    ReloadNetwork,
    /// Let DHCP clients behind these links ask again: what they are given changed.
    RenewLeases {
        /// The host's ends.
        links: Vec<String>,
    },
    /// Apply limits without a restart.
    SetProperties {
        /// The unit.
        unit: String,
        /// `Name=value` pairs.
        properties: Vec<(String, String)>,
    },
    /// Start units that are to run.
    Start {
        /// In one transaction.
        units: Vec<String>,
    },
    /// Delete what was made for a tenant that is gone. What it made itself stays.
    Erase {
        /// The manager forgets that these failed.
        units: Vec<String>,
    },
    /// Write files of the current generation again that are not as its record says.
    RestoreFiles {
        /// Its number.
        number: u64,
    },
    /// Remove masks and drop-ins of others.
    Revert {
        /// Of these units.
        units: Vec<String>,
    },
    /// Have the manager reload: generators run again.
    Reload,
    /// Put links right.
    FixLinks {
        /// In this order.
        fixes: Vec<LinkFix>,
    },
}

/// How a link is put right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fix")]
pub enum LinkFix {
    /// networkd sets it up again.
    Reconfigure {
        /// The link.
        link: String,
    },
    /// It becomes a port of a bridge, and goes up.
    Attach {
        /// The link.
        link: String,
        /// The bridge.
        bridge: String,
    },
    /// It leaves its bridge.
    Detach {
        /// The link.
        link: String,
    },
}

impl LinkFix {
    /// The link.
    pub fn link(&self) -> &str {
        match self {
            Self::Reconfigure { link } | Self::Attach { link, .. } | Self::Detach { link } => link,
        }
    }
}

/// How one file of the generation differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path in the generation.
    pub path: String,
    /// What happened.
    pub change: Change,
    /// What it costs.
    pub class: UpdateClass,
    /// The unit concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Unified diff, when what there is of both sides is text and known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It differs.
    Modified,
    /// It is gone.
    Removed,
}
