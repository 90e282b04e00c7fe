//! Virtual machines: what they get, and what this host refuses.

use super::build::{Case, machine};
use super::lines;
use crate::model::*;
use crate::resolve::HostFacts;
use crate::sample::{at, name};

const GIB: u64 = 1 << 30;

/// A host that runs virtual machines, and a tenant that has `machines`.
fn case(machines: &[&str]) -> Case {
    let mut case = Case::with(&[]);
    case.host.features.insert(HostFacts::MACHINES.to_owned());
    case.host.features.insert(HostFacts::KVM.to_owned());
    case.tenant.machines = machines.iter().map(|text| vm(text)).collect();
    case
}

fn vm(text: &str) -> Machine {
    let mut machine = machine(text);
    machine.workload.image.source = ImageSource::Template(name("tenant-machine"));
    machine
}

#[test]
fn the_implied_main_has_what_the_tenant_has() {
    let mut case = case(&[]);
    case.tenant.metadata.kind = TenantKind::Vm;
    case.tenant.metadata.resources = Resources {
        cpu: Some(MilliCores(1500)),
        memory: Some(Bytes(4 * GIB)),
        storage: Some(Bytes(50 * GIB)),
        tasks: None,
    };
    let checked = case.resolve();
    let said = [
        "warning limit-not-enforced metadata.json",
        "note limited metadata.json:5:1",
    ];
    assert_eq!(lines(&checked.findings), said);
    let desired = checked.value.unwrap();
    let main = &desired.workloads[0];
    let class = main.machine().unwrap();
    assert_eq!((class.cpus, class.kvm), (2, true));
    assert_eq!(class.ram, 4 * GIB - (256 << 20));
    assert_eq!(main.resources.memory, Some(Bytes(4 * GIB)));
    assert_eq!(class.disk, Some(Bytes(50 * GIB)));
    assert_eq!(main.image.name, "tenant-machine");
    assert_eq!(main.health.as_ref().unwrap().check, Check::Answers);
}

#[test]
fn a_limit_holds_for_the_guest_and_for_what_emulates_it() {
    let mut case = case(&["router"]);
    case.registration.limits.memory = Some(Bytes(300 << 20));
    let checked = case.resolve();
    let said = "error memory machines/router/config.yaml:1:1";
    assert_eq!(lines(&checked.findings), [said]);
    assert!(checked.value.is_none());
    case.registration.limits.memory = Some(Bytes(2 * GIB));
    let desired = case.resolve().value.unwrap();
    assert_eq!(desired.workloads[0].machine().unwrap().ram, GIB);
}

#[test]
fn a_disk_is_cut_to_limits_and_not_to_defaults() {
    let mut case = case(&["router"]);
    let disk = |size: u64| Disk {
        size: Some(Bytes(size * GIB)),
        format: DiskFormat::Raw,
    };
    case.tenant.machines[0].disk = Some(disk(20));
    let size = |case: &Case| {
        case.resolve().value.unwrap().workloads[0]
            .machine()
            .unwrap()
            .disk
    };
    assert_eq!(size(&case), Some(Bytes(20 * GIB)));
    case.registration.limits.storage = Some(Bytes(15 * GIB));
    assert_eq!(size(&case), Some(Bytes(15 * GIB)));
    case.tenant.machines[0].disk = None;
    assert_eq!(size(&case), Some(Bytes(10 * GIB)), "what the template says");
}

#[test]
fn without_kvm_it_is_emulated_or_refused() {
    let mut case = case(&["router"]);
    case.host.features.remove(HostFacts::KVM);
    let place = "machines/router/config.yaml:1:1";
    let says = |case: &Case| lines(&case.resolve().findings);
    assert_eq!(says(&case), [format!("note emulated {place}")]);
    case.tenant.machines[0].kvm = Some(false);
    assert_eq!(says(&case), [""; 0]);
    case.tenant.machines[0].kvm = Some(true);
    assert_eq!(says(&case), [format!("error not-available {place}")]);
}

/// Changes a machine to what this host does not do.
type Change = fn(&mut Machine);

#[test]
fn what_is_not_done_yet_is_refused_by_its_key() {
    let changes: [(&str, Change); 12] = [
        ("firmware: uefi", |m| m.firmware = Some(Firmware::Uefi)),
        ("firmware: bios", |m| m.firmware = Some(Firmware::Bios)),
        ("secureBoot", |m| m.secure_boot = true),
        ("tpm", |m| m.tpm = true),
        ("kernel", |m| m.kernel = Some("vmlinuz".into())),
        ("initrd", |m| m.initrd = Some("initrd".into())),
        ("cloud-init/", |m| {
            m.cloud_init = vec!["machines/router/cloud-init/user-data".into()]
        }),
        ("disk.format: qcow2", |m| {
            m.disk = Some(Disk {
                size: None,
                format: DiskFormat::Qcow2,
            });
        }),
        ("command", |m| {
            m.workload.init = Init::Command(vec!["/bin/x".into()])
        }),
        ("cmdline", |m| m.cmdline = Some("-x".into())),
        ("GREETING", |m| {
            m.workload.env = [("GREETING".to_owned(), "say \"hi\"".to_owned())].into();
        }),
        ("volumes", |m| {
            m.workload.volumes.push(Volume {
                origin: at("machines/router/config.yaml", 3),
                name: name("data"),
                mount: "/data".into(),
                size: None,
                read_only: false,
            });
        }),
    ];
    for (key, change) in changes {
        let mut case = case(&["router"]);
        change(&mut case.tenant.machines[0]);
        let findings = case.resolve().findings;
        let said = "error not-available machines/router/config.yaml:1:1";
        assert_eq!(lines(&findings), [said], "{key}");
        let message = &findings[0].message;
        assert!(message.contains(&format!("`{key}`")), "{key}: {message}");
    }
}

#[test]
fn an_image_is_of_a_class() {
    let mut case = case(&["router"]);
    case.tenant.machines[0].workload.image.source = ImageSource::Template(name("tenant-container"));
    let said = "error template-class machines/router/config.yaml:2:1";
    assert_eq!(lines(&case.resolve().findings), [said]);
    let mut case = Case::with(&["web"]);
    case.tenant.containers[0].workload.image.source = ImageSource::Template(name("tenant-machine"));
    let said = "error template-class containers/web/config.yaml:2:1";
    assert_eq!(lines(&case.resolve().findings), [said]);
}

#[test]
fn a_network_without_dhcp_cannot_have_machines() {
    let mut case = case(&["router"]);
    case.registration.allow.networks.push(NetworkMode::Private);
    case.tenant.metadata.network_mode = NetworkMode::Private;
    let findings = case.resolve().findings;
    let said = lines(&findings);
    assert!(
        said.iter()
            .any(|line| line.starts_with("error not-available")),
        "{said:?}"
    );
}
