//! Results of health checks: `/run/bitbuilder/health/<tenant>/<workload>.json`.

use crate::atomic;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};

/// The last check of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// Format version, 1.
    pub format: u64,
    /// Invocation of the workload's unit that was checked: a result of an earlier one does not count.
    pub invocation: String,
    /// [`digest_of`] the check: a result of another one does not count either.
    #[serde(default)]
    pub check: String,
    /// `None` during the start period, while nothing is decided.
    pub healthy: Option<bool>,
    /// Failures in a row.
    pub failures: u64,
    /// Seconds since the epoch since which `healthy` is so.
    pub since: u64,
    /// Seconds since the epoch of the check.
    pub checked: u64,
    /// [`Host::uptime`](crate::host::Host::uptime) at the first check of this run: the start period begins then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<u64>,
    /// What it said, for people.
    pub message: String,
}

impl CheckResult {
    /// Whether it says something about this run of the workload, and answers this check.
    pub fn counts_for(&self, invocation: &str, check: &str) -> bool {
        self.invocation == invocation && self.check == check
    }
}

/// What tells one check of `workload` from another; `None` when it has none.
pub fn digest_of(manifest: &Manifest, workload: &Name) -> Option<String> {
    let digest = |kind| manifest.files.get(&format!("health/{workload}.{kind}"));
    let check = digest("json")?;
    Some(match digest("sh") {
        Some(script) => format!("{} {}", check.sha256, script.sha256),
        None => check.sha256.clone(),
    })
}

/// The last result; `None` when there was no check since the host started.
///
/// # Errors
/// When the file is unreadable.
pub fn read_result(
    root: &HostRoot,
    tenant: &Name,
    workload: &Name,
) -> Result<Option<CheckResult>, HostError> {
    atomic::read_json(&root.health(tenant, workload))
}

/// Records a result.
///
/// # Errors
/// When a file operation fails.
pub fn write_result(
    root: &HostRoot,
    tenant: &Name,
    workload: &Name,
    result: &CheckResult,
) -> Result<(), HostError> {
    atomic::write_json(&root.health(tenant, workload), result)
}
