//! A host's first minute.

use super::PassError;
use crate::atomic;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::source::{Mirror, embedded};
use bitbuilder_core::model::Verify;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What the hooks of an embedded repository run, as the process that pushes sees it.
const HOOK_PROGRAM: &str = "/usr/lib/bitbuilder/agent";
/// Id under which the system repository is embedded.
pub(super) const SYSTEM: &str = "system";

/// Where the system repository is: `/var/lib/bitbuilder/host.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Format version, 1.
    pub format: u64,
    /// URL of the system repository.
    pub repository: String,
    /// Branch, tag or commit.
    #[serde(rename = "ref")]
    pub reference: String,
    /// How commits of the system repository are verified, whatever they say themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
}

/// Makes the state directories and the mirror of the system repository. `repository` is its URL; `None` makes an
/// embedded one, which accepts pushes. Done twice, the second time changes what differs.
///
/// # Errors
/// When the URL is refused or a file cannot be written.
pub fn init(
    host: &dyn Host,
    repository: Option<&str>,
    reference: &str,
) -> Result<HostConfig, PassError> {
    let root = host.root();
    for directory in [root.state().join("git"), root.tenants(), root.runtime()] {
        atomic::make_directories(&directory)?;
    }
    let config = HostConfig {
        format: atomic::FORMAT,
        repository: match repository {
            Some(url) => url.to_owned(),
            None => embedded_url(SYSTEM),
        },
        reference: reference.to_owned(),
        verify: read_config(root)?.and_then(|before| before.verify),
    };
    ensure_embedded(root, &config.repository)?;
    Mirror::ensure(&root.system_mirror(), &root.url(&config.repository))?;
    atomic::write_json(&config_path(root), &config)?;
    Ok(config)
}

/// From now on commits of the system repository are verified so, whatever they say themselves.
///
/// # Errors
/// When the host is not initialised, or a file cannot be written.
pub fn require_signatures(host: &dyn Host, verify: Verify) -> Result<HostConfig, PassError> {
    let root = host.root();
    let mut config = read_config(root)?.ok_or(PassError::NotInitialised)?;
    config.verify = Some(verify);
    atomic::write_json(&config_path(root), &config)?;
    Ok(config)
}

/// What [`init`] wrote; `None` before.
///
/// # Errors
/// When the file is unreadable.
pub fn read_config(root: &HostRoot) -> Result<Option<HostConfig>, HostError> {
    atomic::read_json(&config_path(root))
}

/// URL of the repository `id` that the host itself keeps.
pub fn embedded_url(id: &str) -> String {
    format!("file://{}/{id}.git", HostRoot::EMBEDDED)
}

/// Makes the embedded repository that `url` names; any other URL is somebody else's affair.
///
/// # Errors
/// When a file cannot be written.
pub fn ensure_embedded(root: &HostRoot, url: &str) -> Result<(), PassError> {
    if let Some(path) = root.embedded_path(url) {
        embedded::create(&path, Path::new(HOOK_PROGRAM))?;
    }
    Ok(())
}

fn config_path(root: &HostRoot) -> std::path::PathBuf {
    root.state().join("host.json")
}
