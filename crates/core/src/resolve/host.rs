//! What the host can do, as the host's `observe` read it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Facts of a host that decide what can run there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostFacts {
    /// Major version of systemd.
    pub systemd: u32,
    /// What it can do beyond the minimum; see the constants of this type.
    pub features: BTreeSet<String>,
    /// Machine tags, `key=value`, of machine-info(5).
    pub tags: BTreeSet<String>,
}

impl HostFacts {
    /// The cgroup v2 controllers cpu, memory and pids are there: limits of a slice are enforced.
    pub const RESOURCE_CONTROL: &'static str = "resource-control";

    /// systemd-vmspawn and a QEMU that it can start are there.
    pub const MACHINES: &'static str = "machines";
    /// A guest was seen to run with KVM.
    pub const KVM: &'static str = "kvm";

    /// Whether the host has `feature`.
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }
}
