//! The virtual machines of a tenant, complete.
//!
//! What a document may say of a machine and this host does not do yet is an error that names the key: a machine that
//! runs is the one that was written.

use super::workloads::{Parts, Room, complete, resources};
use super::{HostFacts, Input, amount, image};
use crate::desired::{DesiredWorkload, MachineClass, Template, WorkloadClass};
use crate::finding::Finding;
use crate::model::{
    Bytes, Check, DiskFormat, Firmware, Health, Init, Machine, Millis, NetworkMode, Resources,
};

/// Memory that QEMU needs beside that of the guest.
const OVERHEAD: u64 = 256 << 20;
/// Memory below which no Linux starts.
const LEAST: u64 = 64 << 20;
/// What a machine gets when neither it nor its template says how much.
const MEMORY: u64 = 1 << 30;

/// `machine` as it runs here.
pub(super) fn desired(
    input: &Input<'_>,
    machine: &Machine,
    room: &Room<'_>,
    findings: &mut Vec<Finding>,
) -> Option<DesiredWorkload> {
    let workload = &machine.workload;
    unavailable(input, machine, findings);
    let found = image::machine(input, &workload.image, findings);
    let parts = found.and_then(|(template, boot)| {
        let wanted = resources(input, workload, template, room, findings);
        let ram = ram(machine, template, &wanted, room, findings)?;
        let class = MachineClass {
            cpus: wanted.cpu.map_or(1, |cpu| cpu.0.div_ceil(1000)).max(1),
            ram,
            kvm: machine.kvm != Some(false) && input.host.has(HostFacts::KVM),
            disk: disk(machine, &wanted, room, findings),
            ephemeral: machine.ephemeral,
            boot: boot.clone(),
            cmdline: machine.cmdline.clone(),
        };
        Some(Parts {
            class: WorkloadClass::Machine(class),
            image: &template.image,
            resources: Resources {
                memory: Some(Bytes(ram + OVERHEAD)),
                ..wanted
            },
        })
    });
    let mut desired = complete(input, workload, room, parts, findings)?;
    alone(&desired, room, findings);
    emulated(input, machine, findings);
    if desired.health.is_none() && !desired.attachments.is_empty() {
        desired.health = Some(answers());
    }
    Some(desired)
}

/// Memory of the guest: what was wished for, as far as the tenant's limit has room for QEMU too.
fn ram(
    machine: &Machine,
    template: &Template,
    wanted: &Resources,
    room: &Room<'_>,
    findings: &mut Vec<Finding>,
) -> Option<u64> {
    let workload = &machine.workload;
    let default = template.defaults.memory.map_or(MEMORY, |bytes| bytes.0);
    let wish = wanted.memory.map_or(default, |bytes| bytes.0);
    let ceiling = room.limits.memory.map_or(u64::MAX, |bytes| bytes.0);
    let ram = wish.min(ceiling.saturating_sub(OVERHEAD));
    let (name, origin) = (&workload.name, workload.origin.clone());
    if ram < LEAST {
        let message = format!(
            "machine `{name}` would get memory {}: at least {} are needed, and {} for QEMU",
            amount::bytes(ram),
            amount::bytes(LEAST),
            amount::bytes(OVERHEAD)
        );
        findings.push(Finding::error(origin, "memory", message));
        return None;
    }
    if ram < wish {
        let message = format!(
            "machine `{name}` asks for memory {} and gets {}: {} of the tenant's {} are for QEMU",
            amount::bytes(wish),
            amount::bytes(ram),
            amount::bytes(OVERHEAD),
            amount::bytes(ceiling)
        );
        findings.push(Finding::note(origin, "limited", message));
    }
    Some(ram)
}

/// Size of the disk: what is written, at most the storage of the machine and of the tenant; else all of that, or what the
/// template says.
fn disk(
    machine: &Machine,
    wanted: &Resources,
    room: &Room<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Bytes> {
    let workload = &machine.workload;
    let written = machine.disk.and_then(|disk| disk.size);
    let limits = [workload.resources.storage, room.limits.storage];
    let most = limits.into_iter().flatten().min();
    match (written, most) {
        (Some(size), Some(most)) if size > most => {
            let message = format!(
                "machine `{}` asks for a disk of {} and gets {}, the limit of its storage",
                workload.name,
                amount::bytes(size.0),
                amount::bytes(most.0)
            );
            findings.push(Finding::note(workload.origin.clone(), "limited", message));
            Some(most)
        }
        (written, _) => written.or(wanted.storage),
    }
}

/// Where a machine is alone on its link, or nobody answers DHCP, its address would have to be configured inside.
fn alone(desired: &DesiredWorkload, room: &Room<'_>, findings: &mut Vec<Finding>) {
    for attachment in &desired.attachments {
        let network = room.network(&attachment.network);
        let Some(network) = network else { continue };
        let alone = matches!(network.mode, NetworkMode::Private | NetworkMode::Netns);
        if alone || !network.dhcp {
            let message = format!(
                "machine `{}` cannot be in network `{}`: it is told its address by DHCP only, which this network does not have",
                desired.name, network.name
            );
            findings.push(Finding::error(
                attachment.origin.clone(),
                "not-available",
                message,
            ));
        }
    }
}

/// A machine that nobody wants without the processor's help is slow, and its owner should know why.
fn emulated(input: &Input<'_>, machine: &Machine, findings: &mut Vec<Finding>) {
    if machine.kvm.is_none() && !input.host.has(HostFacts::KVM) {
        let workload = &machine.workload;
        let message = format!(
            "machine `{}` is emulated, which is slow: no guest runs with KVM on this host",
            workload.name
        );
        findings.push(Finding::note(workload.origin.clone(), "emulated", message));
    }
}

/// What a machine is asked that names no check: whether its kernel answers at its address.
fn answers() -> Health {
    Health {
        check: Check::Answers,
        interval: Millis(30_000),
        timeout: Millis(5_000),
        retries: 3,
        start_period: Millis(120_000),
    }
}

/// Keys that mean something this host does not do yet.
fn unavailable(input: &Input<'_>, machine: &Machine, findings: &mut Vec<Finding>) {
    let workload = &machine.workload;
    let inside = workload
        .health
        .as_ref()
        .is_some_and(|health| matches!(health.check, Check::Script(_) | Check::Command(_)));
    let qcow2 = machine
        .disk
        .is_some_and(|disk| disk.format == DiskFormat::Qcow2);
    let firmware = match machine.firmware {
        Some(Firmware::Uefi) => Some("firmware: uefi"),
        Some(Firmware::Bios) => Some("firmware: bios"),
        Some(Firmware::None) | None => None,
    };
    let keys = [
        firmware,
        machine.secure_boot.then_some("secureBoot"),
        machine.tpm.then_some("tpm"),
        machine.kernel.as_ref().map(|_| "kernel"),
        machine.initrd.as_ref().map(|_| "initrd"),
        qcow2.then_some("disk.format: qcow2"),
        (!machine.cloud_init.is_empty()).then_some("cloud-init/"),
        (!workload.volumes.is_empty()).then_some("volumes"),
        matches!(workload.init, Init::Command(_)).then_some("command"),
        inside.then_some("health.script or health.command"),
    ];
    let mut refuse = |message: String| {
        let origin = workload.origin.clone();
        findings.push(Finding::error(origin, "not-available", message));
    };
    for key in keys.into_iter().flatten() {
        refuse(format!(
            "machine `{}`: `{key}` is not available for machines on this host yet",
            workload.name
        ));
    }
    if machine
        .cmdline
        .as_ref()
        .is_some_and(|line| line.starts_with('-'))
    {
        refuse(format!(
            "machine `{}`: `cmdline` begins with a dash, which would be an option of systemd-vmspawn",
            workload.name
        ));
    }
    for (name, value) in &workload.env {
        if value.contains(|c: char| c == '"' || c.is_control()) {
            refuse(format!(
                "machine `{}`: the value of `{name}` has a quote or a line break, which the kernel's command line cannot carry",
                workload.name
            ));
        }
    }
    if machine.kvm == Some(true) && !input.host.has(HostFacts::KVM) {
        refuse(format!(
            "machine `{}`: `kvm: yes`, but no guest runs with KVM on this host",
            workload.name
        ));
    }
}
