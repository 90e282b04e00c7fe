//! What a compiler in the hands of a tenant could say of virtual machines.

use crate::Case;
use crate::fixtures::*;
use bitbuilder_core::artefact::OwnedUnit;
use bitbuilder_core::model::Bytes;

const MAIN: &str = "system/systemd-vmspawn@vms-main.service.d/50-bitbuilder.conf";
const BATCH: &str = "links/main.host";

/// After `edit` the tenant is refused by `rule`.
#[track_caller]
fn refused(rule: &str, edit: impl FnOnce(&mut Case)) {
    let mut case = Case::of(&vm());
    edit(&mut case);
    let findings = case.findings();
    assert!(
        findings.iter().any(|finding| finding.rule == rule),
        "{rule}: {findings:#?}"
    );
}

#[track_caller]
fn edited(rule: &str, from: &str, to: &str) {
    refused(rule, |case| case.edit(MAIN, from, to));
}

#[test]
fn the_sandbox_is_complete() {
    for (setting, instead) in [
        ("ProtectSystem=strict", "ProtectSystem=no"),
        ("NoNewPrivileges=yes\n", ""),
        ("ProtectHome=yes\n", ""),
        ("CAP_CHOWN ", "CAP_SYS_ADMIN CAP_CHOWN "),
        (
            "RestrictAddressFamilies=AF_UNIX",
            "RestrictAddressFamilies=AF_PACKET AF_UNIX",
        ),
        (
            "BindPaths=/var/lib/tenants/vms",
            "BindPaths=/var/lib/tenants/other",
        ),
        ("BindPaths=/var/lib/tenants/vms", "BindPaths=/"),
        ("TemporaryFileSystem=/var/lib/tenants:ro\n", ""),
        ("IPAddressDeny=any", "IPAddressAllow=any"),
        ("vmspawn/vms-main/control", "vmspawn/other-main/control"),
        ("ExecStop=-varlinkctl call", "ExecStop=-varlinkctl exec"),
        ("Slice=tenant-vms.slice", "Slice=system.slice"),
        ("Requires=tenant-network@vms.service\n", ""),
    ] {
        edited("setting", setting, instead);
    }
}

#[test]
fn the_command_line_is_of_this_machine() {
    for (option, instead) in [
        ("--machine=vms-main", "--machine=other-main"),
        (
            "machines/main/disk.raw",
            "machines/../../other/machines/main/disk.raw",
        ),
        ("--image=", "--extra-drive="),
        ("--vsock=no", "--bind=/etc"),
        ("--tpm=no ", ""),
        ("--firmware=none", "--firmware=/tmp/x.json"),
        ("--console=read-only", "--console=native"),
        (" rw panic", " rw --bind=/ panic"),
        ("--cpus=2", "--cpus=0"),
        (
            "network.hosts:/var/lib/tenants/vms/hosts/main",
            "x:/etc/shadow",
        ),
    ] {
        edited("command", option, instead);
    }
}

#[test]
fn qemu_gets_what_is_of_this_machine() {
    for (word, instead) in [
        ("-run-with user=", "-run-with user=0:0,x="),
        ("-sandbox on,", "-sandbox off,"),
        ("spawn=deny", "spawn=allow"),
        ("ifname=v1-main-0", "ifname=v1-web-0"),
        ("script=no", "script=/tmp/x"),
        (",romfile=", ",romfile=/etc/shadow"),
        ("-chardev socket", "-drive file=/etc/shadow -chardev socket"),
        (
            "/run/systemd/vmspawn/vms-main/",
            "/run/systemd/vmspawn/other-main/",
        ),
        ("Environment=", "Environment=LD_PRELOAD=/tmp/x "),
    ] {
        edited("command", word, instead);
    }
}

#[test]
fn links_are_taps_of_this_machine() {
    for (line, instead) in [
        (
            "tuntap add dev v1-main-0 mode tap",
            "tuntap add dev eth0 mode tap",
        ),
        (
            "tuntap add dev v1-main-0 mode tap",
            "tuntap del dev v1-main-0 mode tap",
        ),
        ("master br-vms", "master br-other"),
        ("# v1-main-0 172.", "# v1-main-0 9."),
    ] {
        refused("link-command", |case| case.edit(BATCH, line, instead));
    }
}

#[test]
fn a_disk_is_a_copy_of_an_image_of_the_host() {
    refused("disk", |case| case.artefacts.disks.clear());
    refused("disk", |case| {
        case.artefacts.disks[0].image.root = "/etc/shadow".into();
    });
    refused("disk", |case| {
        case.artefacts.disks[0].boot.kernel = "/etc/shadow".into();
    });
    refused("disk", |case| {
        case.artefacts.disks[0].workload = name("web")
    });
    refused("disk", |case| {
        case.registration.limits.storage = Some(Bytes(1 << 30));
    });
    refused("disk", |case| {
        let again = case.artefacts.disks[0].clone();
        case.artefacts.disks.push(again);
    });
}

#[test]
fn a_workload_is_of_one_class() {
    refused("unit-twice", |case| {
        let mut units = case.artefacts.units.iter();
        let vm = units.find(|unit| unit.name.contains("vmspawn"));
        let twin = OwnedUnit {
            name: "systemd-nspawn@vms-main.service".into(),
            ..vm.unwrap().clone()
        };
        case.artefacts.units.push(twin);
    });
}
