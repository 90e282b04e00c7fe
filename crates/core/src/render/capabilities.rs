//! What a container keeps of root's powers inside its user namespace.

use super::nspawn::joins_namespace;
use super::scene::Placed;
use crate::desired::WorkloadClass;
use crate::model::CAPABILITIES;

/// What systemd-nspawn grants by itself with a network of its own, systemd-nspawn(1) `--capability=`.
const NSPAWN: [&str; 26] = [
    "CAP_AUDIT_CONTROL",
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_IPC_OWNER",
    "CAP_KILL",
    "CAP_LEASE",
    "CAP_LINUX_IMMUTABLE",
    "CAP_MKNOD",
    "CAP_NET_ADMIN",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_CHROOT",
    "CAP_SYS_NICE",
    "CAP_SYS_PTRACE",
    "CAP_SYS_RESOURCE",
];

/// Also granted by systemd-nspawn; apart from [`NSPAWN`] only to keep that list readable.
const NSPAWN_TTY: &str = "CAP_SYS_TTY_CONFIG";

/// Means nothing in a network namespace that the container's user namespace does not own; systemd-nspawn takes it away
/// from who joins one. The rendered namespace leaves every port to everybody instead.
const LOW_PORTS: &str = "CAP_NET_BIND_SERVICE";

/// Capabilities of the bounding set, by number.
pub(super) fn kept(workload: &Placed<'_>) -> Vec<&'static str> {
    let WorkloadClass::Container { capabilities, .. } = &workload.desired.class else {
        return Vec::new();
    };
    let joins = joins_namespace(workload);
    CAPABILITIES
        .into_iter()
        .filter(|name| capabilities.iter().any(|wanted| wanted == name))
        .filter(|name| !(joins && *name == LOW_PORTS))
        .collect()
}

/// The bounding set as the kernel prints it: hexadecimal, `/proc/PID/status`.
pub(super) fn mask(kept: &[&str]) -> String {
    let bits = CAPABILITIES
        .iter()
        .enumerate()
        .filter(|(_, name)| kept.contains(name))
        .fold(0u64, |bits, (number, _)| bits | 1 << number);
    format!("{bits:016x}")
}

/// Options for systemd-nspawn that leave exactly `kept`.
pub(super) fn options(kept: &[&str]) -> Vec<String> {
    let granted = |name: &&str| NSPAWN.contains(name) || *name == NSPAWN_TTY;
    let dropped: Vec<&str> = CAPABILITIES
        .into_iter()
        .filter(|name| granted(name) && !kept.contains(name))
        .collect();
    let added: Vec<&str> = kept.iter().copied().filter(|name| !granted(name)).collect();
    let mut options = Vec::new();
    if !added.is_empty() {
        options.push(format!("--capability={}", added.join(",")));
    }
    if !dropped.is_empty() {
        options.push(format!("--drop-capability={}", dropped.join(",")));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_the_kernels() {
        assert_eq!(mask(&["CAP_CHOWN"]), "0000000000000001");
        assert_eq!(mask(&["CAP_SYS_ADMIN", "CAP_SETFCAP"]), "0000000080200000");
    }

    #[test]
    fn what_is_not_kept_is_dropped() {
        let options = options(&["CAP_CHOWN", "CAP_BPF"]);
        assert_eq!(options[0], "--capability=CAP_BPF");
        assert!(options[1].contains("CAP_SYS_ADMIN"));
        assert!(!options[1].contains("CAP_CHOWN"));
    }
}
