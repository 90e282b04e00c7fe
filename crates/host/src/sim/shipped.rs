//! What the package and systemd itself put on a host, as far as a simulated one needs it.

use crate::atomic;
use crate::host::HostError;
use crate::observe::QEMU;
use crate::paths::HostRoot;
use bitbuilder_core::digest::sha256;

macro_rules! unit {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../units/", $name)))
    };
}

/// Version of the simulated systemd.
pub(super) const SYSTEMD: u32 = 262;

/// cgroup controllers of the simulated kernel.
const CONTROLLERS: &str = "cpuset cpu io memory pids\n";

/// Our units.
const UNITS: [(&str, &str); 23] = [
    unit!("bitbuilder-discover.service"),
    unit!("bitbuilder-kvm.service"),
    unit!("bitbuilder-notify-command@.service"),
    unit!("bitbuilder-notify-webhook@.service"),
    unit!("bitbuilder-notify.service"),
    unit!("bitbuilder-notify@.service"),
    unit!("bitbuilder-online.service"),
    unit!("bitbuilder-path@.path"),
    unit!("bitbuilder-path@.service"),
    unit!("bitbuilder-requests.path"),
    unit!("bitbuilder-requests.service"),
    unit!("bitbuilder-sync.service"),
    unit!("bitbuilder-sync.timer"),
    unit!("bitbuilder-sync@.service"),
    unit!("bitbuilder-webhook.socket"),
    unit!("bitbuilder-webhook@.service"),
    unit!("netns-tenant@.service"),
    unit!("setup-tenant@.service"),
    unit!("tenant-health@.service"),
    unit!("tenant-health@.timer"),
    unit!("tenant-network@.service"),
    unit!("tenant-rollback@.service"),
    unit!("tenant@.service"),
];

/// systemd's template of containers: what of it matters here.
const NSPAWN: &str = "[Unit]
Description=Container %i

[Service]
ExecStart=systemd-nspawn --quiet --keep-unit --boot --machine=%i
Type=notify
RestartForceExitStatus=133
SuccessExitStatus=133
Slice=machine.slice
";

/// systemd's template of virtual machines: what of it matters here.
const VMSPAWN: &str = "[Unit]
Description=Virtual Machine %i

[Service]
ExecStart=systemd-vmspawn --quiet --register=yes --keep-unit --network-tap --machine=%i
Type=notify
Slice=machine.slice
";

/// Metadata of the template of containers.
const TEMPLATE: &str = include_str!("../../../../templates/tenant-container/metadata.json");
/// The same of machines, and the files of it.
const MACHINE: &str = include_str!("../../../../templates/tenant-machine/metadata.json");
const MACHINE_FILES: [&str; 3] = ["disk.raw", "initrd", "kernel"];

/// Writes all of it; what is there already, equal, stays.
pub(super) fn install(root: &HostRoot) -> Result<(), HostError> {
    let put = |path: std::path::PathBuf, content: &str| {
        atomic::write(&path, content.as_bytes(), 0o644).map(drop)
    };
    let units = root.join("/usr/lib/systemd/system");
    for (name, text) in UNITS {
        put(units.join(name), text)?;
    }
    put(units.join("systemd-nspawn@.service"), NSPAWN)?;
    put(units.join("systemd-vmspawn@.service"), VMSPAWN)?;
    put(root.join("/sys/fs/cgroup/cgroup.controllers"), CONTROLLERS)?;
    for program in ["systemd-vmspawn", QEMU] {
        put(root.join("/usr/bin").join(program), "simulated\n")?;
    }
    for (name, metadata) in [("tenant-container", TEMPLATE), ("tenant-machine", MACHINE)] {
        let template = root.templates().join(name);
        let digest = sha256(metadata.as_bytes());
        put(template.join("metadata.json"), metadata)?;
        put(template.join("digest"), &format!("sha256:{digest}\n"))?;
    }
    for file in MACHINE_FILES {
        put(
            root.templates().join("tenant-machine").join(file),
            "simulated\n",
        )?;
    }
    atomic::make_directories(&root.templates().join("tenant-container/rootfs/usr"))
}
