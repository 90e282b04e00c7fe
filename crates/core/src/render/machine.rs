//! What is in the unit of a virtual machine: the sandbox of QEMU, and the commands around it.

use super::scene::{Placed, Scene};
use super::set::Set;
use super::{links, names, service, vmspawn};
use crate::artefact::OwnedDisk;
use crate::desired::MachineClass;
use crate::unitfile::UnitFile;

/// Settings of the unit: systemd-vmspawn is root and opens what QEMU gets; QEMU gives up its rights before the guest
/// runs. Both see the tenant's own directory and nothing of other tenants. Code is made at run time where there is no KVM.
const SANDBOX: [(&str, &str); 20] = [
    (
        "CapabilityBoundingSet",
        "CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_KILL CAP_NET_ADMIN CAP_SETGID CAP_SETUID",
    ),
    ("NoNewPrivileges", "yes"),
    ("ProtectSystem", "strict"),
    ("ProtectHome", "yes"),
    ("PrivateTmp", "yes"),
    ("ProtectControlGroups", "yes"),
    ("ProtectKernelModules", "yes"),
    ("ProtectKernelTunables", "yes"),
    ("ProtectKernelLogs", "yes"),
    ("ProtectClock", "yes"),
    ("ProtectHostname", "yes"),
    ("ProtectProc", "invisible"),
    ("RestrictAddressFamilies", "AF_UNIX AF_NETLINK AF_INET"),
    ("IPAddressDeny", "any"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("SystemCallArchitectures", "native"),
    ("InaccessiblePaths", "-/var/lib/bitbuilder"),
];

/// `50-bitbuilder.conf` of a machine.
pub(super) fn main(
    scene: &Scene<'_>,
    workload: &Placed<'_>,
    class: &MachineClass,
    set: &mut Set,
) -> UnitFile {
    set.directory("machines".into(), 0, 0o755);
    set.disk(OwnedDisk {
        workload: workload.desired.name.clone(),
        image: workload.desired.image.clone(),
        boot: class.boot.clone(),
        size: class.disk,
    });
    let mut file = service::unit(scene, workload, "Machine", None, set);
    service::service(scene, workload, &mut file);
    sandbox(scene, &mut file);
    commands(scene, workload, class, &mut file);
    file
}

fn sandbox(scene: &Scene<'_>, file: &mut UnitFile) {
    for (key, value) in SANDBOX {
        file.verbatim(key, value);
    }
    file.verbatim("TemporaryFileSystem", "/var/lib/tenants:ro")
        .text("BindPaths", &names::home(&scene.tenant.id))
        .verbatim("ReadWritePaths", "/run/systemd");
}

fn commands(scene: &Scene<'_>, workload: &Placed<'_>, class: &MachineClass, file: &mut UnitFile) {
    file.environment(
        "SYSTEMD_VMSPAWN_QEMU_EXTRA",
        &vmspawn::qemu(scene, workload),
    );
    service::copy_names(scene, workload, file);
    unlink(workload, file, "ExecStartPre");
    if !workload.ports.is_empty() {
        let batch = names::current(&scene.tenant.id, &links::host_batch(workload));
        file.command("ExecStartPre", "", &["ip", "-batch", &batch]);
    }
    let command = vmspawn::command(scene, workload, class);
    file.reset("ExecStart").command("ExecStart", "", &command);
    power_off(workload, file);
    unlink(workload, file, "ExecStopPost");
}

/// Presses the power button and waits until QEMU has gone. Asked to end, systemd-vmspawn kills a guest that it cannot reach
/// by VSOCK; so it is not asked before the guest has had its time.
fn power_off(workload: &Placed<'_>, file: &mut UnitFile) {
    let control = format!("/run/systemd/vmspawn/{}/control", workload.machine);
    let method = |name: &str| format!("io.systemd.MachineInstance.{name}");
    let press = ["varlinkctl", "call", &control, &method("PowerOff"), "{}"];
    let until = [
        "timeout",
        "90",
        "varlinkctl",
        "call",
        "--more",
        "--quiet",
        &control,
        &method("SubscribeEvents"),
        "{}",
    ];
    file.command("ExecStop", "-", &press)
        .command("ExecStop", "-", &until);
}

/// Takes the taps away: they outlive QEMU.
fn unlink(workload: &Placed<'_>, file: &mut UnitFile, key: &str) {
    for port in &workload.ports {
        file.command(key, "-", &["ip", "link", "delete", "dev", port.link]);
    }
}
