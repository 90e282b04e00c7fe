//! A host's first minute.

use super::PassError;
use crate::atomic;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use serde::{Deserialize, Serialize};

/// Where the system repository is: `/var/lib/bitbuilder/host.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostConfig {
    /// Format version, 1.
    pub format: u64,
    /// URL of the system repository; of an embedded one, `file://` and its path.
    pub repository: String,
    /// Branch, tag or commit.
    #[serde(rename = "ref")]
    pub reference: String,
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
    let _ = (host, repository, reference);
    todo!()
}

/// What [`init`] wrote; `None` before.
///
/// # Errors
/// When the file is unreadable.
pub fn read_config(root: &HostRoot) -> Result<Option<HostConfig>, HostError> {
    atomic::read_json(&root.state().join("host.json"))
}
