//! Who may deliver: credentials of this service, in memory that only it sees (systemd.exec(5), `$CREDENTIALS_DIRECTORY`).

use bitbuilder_core::model::Name;
use bitbuilder_core::sync::units::{ALL, WEBHOOKS};
use bitbuilder_host::host::HostError;
use bitbuilder_host::paths::HostRoot;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of a credential that the host has by itself: for all, or with `.ID` for one.
const OF_THE_HOST: &str = "bitbuilder.webhook";

/// Secrets, by target.
pub(super) struct Secrets {
    by_target: BTreeMap<String, Vec<u8>>,
}

impl Secrets {
    /// Reads what systemd loaded. Which secret is whose is in a list beside the units for those of the system repository,
    /// and in the name for those of the host.
    pub(super) fn read(root: &HostRoot) -> Result<Self, HostError> {
        let directory = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
        let list = root.state().join("units").join(WEBHOOKS);
        let list = match fs::read_to_string(&list) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.map_err(HostError::file(&list))?,
        };
        match directory {
            Some(directory) => Self::from(&directory, &list),
            None => Ok(Self {
                by_target: BTreeMap::new(),
            }),
        }
    }

    pub(super) fn from(directory: &Path, list: &str) -> Result<Self, HostError> {
        let mut by_target = BTreeMap::new();
        let entries = fs::read_dir(directory).map_err(HostError::file(directory))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let target = match name.strip_prefix(OF_THE_HOST) {
                Some("") => ALL,
                Some(rest) => rest.trim_start_matches('.'),
                None => continue,
            };
            by_target.insert(target.to_owned(), secret(&entry.path())?);
        }
        // What the operators committed wins.
        for (target, name) in list.lines().filter_map(|line| line.split_once('\t')) {
            let path = directory.join(name);
            // It could not be opened, which the pass has said.
            if path.exists() {
                by_target.insert(target.to_owned(), secret(&path)?);
            }
        }
        by_target.retain(|_, secret| !secret.is_empty());
        Ok(Self { by_target })
    }

    /// The secret for `target`: its own, or that of all who have none.
    pub(super) fn of(&self, target: &Name) -> Option<&[u8]> {
        let own = self.by_target.get(target.as_str());
        own.or_else(|| self.by_target.get(ALL)).map(Vec::as_slice)
    }
}

/// Without the newline that editors leave.
fn secret(path: &Path) -> Result<Vec<u8>, HostError> {
    let content = fs::read(path).map_err(HostError::file(path))?;
    Ok(content.trim_ascii_end().to_vec())
}
