//! Files that are gone, changed, or somebody else's.

use super::{How, Item, Remedy, What};
use crate::artefact::UpdateClass;
use serde::{Deserialize, Serialize};

/// A file of a tenant that is not as it was placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFact {
    /// Absolute path on the host.
    pub path: String,
    /// Whose it is.
    pub place: Place,
    /// What is there.
    pub found: Found,
    /// What should be: a digest, a mode, a target.
    pub expected: String,
    /// What is.
    pub seen: String,
    /// When it was last changed, seconds since the epoch.
    pub since: Option<u64>,
    /// Owner of the file that is there.
    pub owner: Option<u32>,
}

/// Where a file of a tenant is, and who reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the generation.
    Generation {
        /// The unit that reads it, when that runs and was started after the change.
        running: Option<String>,
        /// What a change costs.
        class: UpdateClass,
    },
    /// Where the generators put it.
    Generated,
    /// Read by networkd, or shown to workloads.
    Network,
    /// Read by networkd in place of ours, or beside it.
    NetworkOverride,
    /// A directory or layer that outlives generations.
    Directory,
}

/// What is at the path of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// Nothing.
    Nothing,
    /// Something else.
    Other,
    /// Something where nothing should be.
    Stranger,
}

/// The differences that `found` are.
pub fn files(found: &[FileFact]) -> Vec<Item> {
    found.iter().map(item).collect()
}

fn item(fact: &FileFact) -> Item {
    let how = match fact.found {
        Found::Nothing => How::Missing,
        Found::Other => How::Changed,
        Found::Stranger => How::Foreign,
    };
    let remedy = match &fact.place {
        Place::Generation { running, class } => Remedy::Restore {
            restart: running
                .clone()
                .filter(|_| *class > UpdateClass::Live && how != How::Foreign),
        },
        Place::Generated => Remedy::Reload,
        Place::Network => Remedy::Network,
        Place::NetworkOverride => Remedy::Hand {
            command: format!("rm -r {} && networkctl reload", fact.path),
        },
        Place::Directory => Remedy::Converge,
    };
    Item {
        what: What::File,
        how,
        subject: fact.path.clone(),
        expected: fact.expected.clone(),
        seen: fact.seen.clone(),
        since: fact.since,
        by: fact
            .owner
            .map(|owner| format!("uid {owner}, which owns the file")),
        remedy,
    }
}
