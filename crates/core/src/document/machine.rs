//! `machines/<name>/config.yaml`.

use super::decode::{At, Cx, Table, words, written};
use super::facts::Facts;
use super::metadata::ResourcesDoc;
use super::scalar::{AbsolutePath, Argument, EnvValue, Line, RepoPath, UserSpec};
use super::value;
use super::workload::{
    AttachmentDoc, CredentialDoc, HealthDoc, ImageDoc, VolumeDoc, common, workload,
};
use crate::model::{Bytes, Disk, DiskFormat, Firmware, Machine, Name, Restart};

words!(Firmware {
    "uefi" => Firmware::Uefi,
    "bios" => Firmware::Bios,
    "none" => Firmware::None,
});

words!(DiskFormat { "raw" => DiskFormat::Raw, "qcow2" => DiskFormat::Qcow2 });

/// `kvm`: hardware virtualisation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kvm(Option<bool>);

words!(Kvm {
    "auto" => Kvm(None),
    "yes" => Kvm(Some(true)),
    "no" => Kvm(Some(false)),
});

written! {
    /// `machines/<name>/config.yaml`: a virtual machine, run by systemd-vmspawn.
    struct MachineDoc {
        /// Disk image; the template `tenant-machine` by default.
        optional "image" image: ImageDoc,
        /// Whether the image's init runs; true unless there is a command.
        optional "boot" boot: bool,
        /// Program and arguments that run as a service of the machine.
        optional "command" command: Vec<At<Argument>>,
        /// Environment, handed in as credentials.
        optional "env" env: Table<EnvValue>,
        /// User of the command.
        optional "user" user: UserSpec,
        /// Working directory of the command.
        optional "workdir" workdir: AbsolutePath,
        /// What it wants.
        optional "resources" resources: ResourcesDoc,
        /// Networks, in order; the tenant's first network by default.
        optional "networks" networks: Vec<AttachmentDoc>,
        /// Persistent volumes.
        optional "volumes" volumes: Vec<VolumeDoc>,
        /// Credentials by name.
        optional "credentials" credentials: Table<CredentialDoc>,
        /// Extensions to merge.
        optional "extensions" extensions: Vec<At<Name>>,
        /// Containers and machines that must be healthy first.
        optional "dependsOn" depends_on: Vec<At<Name>>,
        /// When it is started again; on-failure by default.
        optional "restart" restart: Restart,
        /// Whether it starts with the tenant; true by default.
        optional "autostart" autostart: bool,
        /// Health check.
        optional "health" health: HealthDoc,
        /// Firmware; what the image boots with by default.
        optional "firmware" firmware: Firmware,
        /// Secure Boot; false by default, needs uefi.
        optional "secureBoot" secure_boot: bool,
        /// Virtual TPM; false by default.
        optional "tpm" tpm: bool,
        /// Hardware virtualisation; auto by default.
        optional "kvm" kvm: Kvm,
        /// Kernel in the repository, for direct boot.
        optional "kernel" kernel: RepoPath,
        /// Initrd in the repository, for direct boot.
        optional "initrd" initrd: RepoPath,
        /// Kernel command line.
        optional "cmdline" cmdline: Line,
        /// Root disk.
        optional "disk" disk: DiskDoc,
        /// Whether changes to the disk are dropped at power-off; false by default.
        optional "ephemeral" ephemeral: bool,
    }
}

written! {
    /// Root disk.
    struct DiskDoc {
        /// Size, as `20G`; the image's own by default.
        optional "size" size: Bytes,
        /// Format; raw by default.
        optional "format" format: DiskFormat,
    }
}

/// The machine that `doc` says.
pub(crate) fn machine(
    doc: MachineDoc,
    name: &Name,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Machine> {
    boot_path(&doc, cx);
    let kernel = doc.kernel.as_ref().and_then(|path| facts.file(path, cx));
    let initrd = doc.initrd.as_ref().and_then(|path| facts.file(path, cx));
    let prefix = format!("machines/{name}/cloud-init/");
    let cloud_init = facts.below(&prefix).map(str::to_owned).collect();
    let cmdline = doc.cmdline.map(|line| line.value.0);
    let disk = doc.disk.map(|disk| Disk {
        size: disk.value.size.map(|size| size.value),
        format: value(disk.value.format, DiskFormat::Raw),
    });
    Some(Machine {
        firmware: doc.firmware.map(|word| word.value),
        secure_boot: value(doc.secure_boot, false),
        tpm: value(doc.tpm, false),
        kvm: value(doc.kvm, Kvm(None)).0,
        kernel,
        initrd,
        cmdline,
        disk,
        ephemeral: value(doc.ephemeral, false),
        cloud_init,
        workload: workload(common!(doc), name, "tenant-machine", facts, cx)?,
    })
}

/// Firmware, Secure Boot and direct boot that do not go together.
fn boot_path(doc: &MachineDoc, cx: &mut Cx<'_>) {
    let firmware = doc
        .firmware
        .as_ref()
        .map_or(Firmware::Uefi, |word| word.value);
    if let Some(secure) = doc.secure_boot.as_ref().filter(|flag| flag.value)
        && firmware != Firmware::Uefi
    {
        let help = "write `firmware: uefi`, or `secureBoot: false`".to_owned();
        cx.error_help(
            secure.span,
            "secure-boot",
            "Secure Boot needs UEFI firmware",
            help,
        );
    }
    if let (Some(word), None) = (&doc.firmware, &doc.kernel)
        && firmware == Firmware::None
        && doc.clean
    {
        let help = "add `kernel`, or write `firmware: uefi`".to_owned();
        cx.error_help(
            word.span,
            "direct-boot",
            "a machine without firmware needs a kernel",
            help,
        );
    }
    if let (Some(initrd), None) = (&doc.initrd, &doc.kernel) {
        let help = "add `kernel`, or remove `initrd`".to_owned();
        cx.error_help(initrd.span, "direct-boot", "an initrd needs a kernel", help);
    }
}
