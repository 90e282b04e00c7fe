//! What of a tenant's network is in place: `/run/bitbuilder/network/<id>.json`, gone with a reboot as the network is.

use crate::atomic;
use crate::disk;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::model::Name;
use bitbuilder_core::nftables::{self, Object};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Files, links and packet rules of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Placed {
    /// Format version, 1.
    format: u32,
    /// Names in `/run/systemd/network/`.
    pub(super) files: BTreeSet<String>,
    /// Links that the files make.
    pub(super) links: BTreeSet<String>,
    /// Links that networkd cannot make, with the batch that makes each.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) uplinks: BTreeMap<String, String>,
    /// Public keys of WireGuard links.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) keys: BTreeMap<String, String>,
    /// What the tenant has in the tables of packet rules.
    #[serde(default)]
    pub(super) rules: BTreeSet<Object>,
    /// Somebody began to change it and did not get to the end.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    unsettled: bool,
}

impl Default for Placed {
    fn default() -> Self {
        Self {
            format: 1,
            files: BTreeSet::new(),
            links: BTreeSet::new(),
            uplinks: BTreeMap::new(),
            keys: BTreeMap::new(),
            rules: BTreeSet::new(),
            unsettled: false,
        }
    }
}

impl Placed {
    /// What `files` and `ruleset` put in place.
    pub(super) fn describe(
        files: &BTreeMap<String, Vec<u8>>,
        uplinks: &BTreeMap<String, Vec<u8>>,
        ruleset: Option<&[u8]>,
    ) -> Self {
        Self {
            format: 1,
            files: files.keys().cloned().collect(),
            links: files
                .iter()
                .filter(|(name, _)| name.ends_with(".netdev"))
                .filter_map(|(_, text)| netdev_name(text))
                .chain(uplinks.keys().cloned())
                .collect(),
            uplinks: uplinks
                .iter()
                .map(|(link, batch)| (link.clone(), String::from_utf8_lossy(batch).into_owned()))
                .collect(),
            keys: BTreeMap::new(),
            rules: ruleset.map(nftables::made).unwrap_or_default(),
            unsettled: false,
        }
    }

    /// Both, on the way to `other`.
    pub(super) fn union(&self, other: &Self) -> Self {
        Self {
            format: 1,
            files: self.files.union(&other.files).cloned().collect(),
            links: self.links.union(&other.links).cloned().collect(),
            uplinks: other.uplinks.clone(),
            keys: other.keys.clone(),
            rules: self.rules.union(&other.rules).cloned().collect(),
            unsettled: self.unsettled || other.unsettled,
        }
    }

    /// The same, while it is being changed.
    pub(super) fn unsettled(&self) -> Self {
        Self {
            unsettled: true,
            ..self.clone()
        }
    }

    /// Whether the last change got to its end.
    pub(super) fn is_settled(&self) -> bool {
        !self.unsettled
    }

    /// Whether nothing is in place.
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn read(root: &HostRoot, id: &Name) -> Result<Self, HostError> {
        Ok(atomic::read_json(&path(root, id))?.unwrap_or_default())
    }

    pub(super) fn write(&self, root: &HostRoot, id: &Name) -> Result<(), HostError> {
        atomic::write_json(&path(root, id), self)
    }

    /// Whether no other tenant has anything in place.
    pub(super) fn is_alone(root: &HostRoot, id: &Name) -> Result<bool, HostError> {
        let own = path(root, id);
        let directory = root.runtime().join("network");
        for entry in fs::read_dir(&directory).map_err(HostError::file(&directory))? {
            let other = entry.map_err(HostError::file(&directory))?.path();
            if other != own && other.extension().is_some_and(|kind| kind == "json") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(super) fn forget(root: &HostRoot, id: &Name) -> Result<(), HostError> {
        disk::remove_file(&path(root, id)).map(drop)
    }
}

fn path(root: &HostRoot, id: &Name) -> PathBuf {
    root.runtime().join("network").join(format!("{id}.json"))
}

/// `Name=` of a `.netdev` file, systemd.netdev(5); our own writer made it.
fn netdev_name(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("Name="))
        .map(str::to_owned)
}
