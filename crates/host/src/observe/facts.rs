//! What the host can do.

use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use bitbuilder_core::resolve::HostFacts;
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Controllers that limits of a slice need.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// What systemd-vmspawn starts.
#[cfg(target_arch = "x86_64")]
pub(crate) const QEMU: &str = "qemu-system-x86_64";
#[cfg(not(target_arch = "x86_64"))]
pub(crate) const QEMU: &str = concat!("qemu-system-", "aarch64");

/// What this host can do.
///
/// # Errors
/// When it cannot be found out.
pub fn facts(host: &dyn Host) -> Result<HostFacts, HostError> {
    host.facts()
}

/// The facts that files tell, beside the version of systemd: cgroup controllers, what runs virtual machines, what the
/// probe of KVM found, and the tags of machine-info(5).
///
/// # Errors
/// When a file is there and is unreadable.
pub(crate) fn facts_of(root: &HostRoot, systemd: u32) -> Result<HostFacts, HostError> {
    let controllers = read(&root.join("/sys/fs/cgroup/cgroup.controllers"))?;
    let has = |wanted: &&str| controllers.split_whitespace().any(|found| found == *wanted);
    let mut features = BTreeSet::new();
    if CONTROLLERS.iter().all(has) {
        features.insert(HostFacts::RESOURCE_CONTROL.to_owned());
    }
    let program = |name: &str| root.join("/usr/bin").join(name).is_file();
    if program("systemd-vmspawn") && program(QEMU) {
        features.insert(HostFacts::MACHINES.to_owned());
    }
    if read(&root.kvm())?.trim_end() == "yes" {
        features.insert(HostFacts::KVM.to_owned());
    }
    Ok(HostFacts {
        systemd,
        features,
        tags: tags(&read(&root.join("/etc/machine-info"))?),
    })
}

fn read(path: &Path) -> Result<String, HostError> {
    match fs::read(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(HostError::file(path)(error)),
    }
}

/// `TAGS=` of machine-info(5): tags separated by colons; the last assignment counts, quotes are the shell's.
fn tags(machine_info: &str) -> BTreeSet<String> {
    let value = machine_info
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("TAGS="))
        .next_back()
        .unwrap_or_default();
    value
        .trim()
        .trim_matches(['"', '\''])
        .split(':')
        .map(str::trim)
        .filter(|tag| !tag.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tags: &[&str]) -> BTreeSet<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn tags_are_separated_by_colons() {
        let text = "# comment\nPRETTY_HOSTNAME=\"x\"\nTAGS=\"zone=eu-1:rack=7\"\n";
        assert_eq!(tags(text), set(&["zone=eu-1", "rack=7"]));
        assert_eq!(tags("TAGS=a\nTAGS=b\n"), set(&["b"]));
        assert_eq!(tags("TAGS=\nXTAGS=a\n"), set(&[]));
    }

    #[test]
    fn resource_control_needs_all_controllers() {
        let dir = tempfile::tempdir().unwrap();
        let root = HostRoot::new(dir.path());
        let cgroup = dir.path().join("sys/fs/cgroup");
        assert_eq!(facts_of(&root, 262).unwrap().features, set(&[]));
        fs::create_dir_all(&cgroup).unwrap();
        let path = cgroup.join("cgroup.controllers");
        fs::write(&path, "cpuset cpu io memory\n").unwrap();
        assert!(
            !facts_of(&root, 262)
                .unwrap()
                .has(HostFacts::RESOURCE_CONTROL)
        );
        fs::write(&path, "cpuset cpu io memory pids\n").unwrap();
        let facts = facts_of(&root, 262).unwrap();
        assert!(facts.has(HostFacts::RESOURCE_CONTROL));
        assert_eq!(facts.systemd, 262);
    }
}
