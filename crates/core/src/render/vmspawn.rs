//! The command line of systemd-vmspawn(1) for one machine, and what QEMU gets beside it.

use super::names;
use super::scene::{Placed, Scene};
use crate::desired::MachineClass;

/// Who QEMU runs as, in the tenant's range: nobody in a container has this uid, so what QEMU could reach is its own only.
const USER: u32 = 65_533;

/// Program and arguments. Its answers to what a host happens to have (KVM, VSOCK, swtpm) are given here, not found out.
pub(super) fn command(
    scene: &Scene<'_>,
    workload: &Placed<'_>,
    class: &MachineClass,
) -> Vec<String> {
    let mut line: Vec<String> = [
        "systemd-vmspawn",
        "--quiet",
        "--keep-unit",
        "--register=yes",
        "--vsock=no",
        "--notify-ready=no",
        "--pass-ssh-key=no",
        "--tpm=no",
        "--firmware=none",
        "--console=read-only",
        "--console-transport=serial",
    ]
    .map(String::from)
    .into();
    line.push(format!("--machine={}", workload.machine));
    line.push(format!("--cpus={}", class.cpus));
    line.push(format!("--ram={}", class.ram));
    line.push(format!("--kvm={}", if class.kvm { "yes" } else { "no" }));
    line.extend(disk(scene, workload, class));
    let desired = workload.desired;
    let names = desired.credentials.keys();
    line.extend(names.map(|name| format!("--load-credential={name}:{name}")));
    let home = names::home(&scene.tenant.id);
    line.push(format!(
        "--load-credential=network.hosts:{home}/hosts/{}",
        desired.name
    ));
    line.extend(kernel(workload, class));
    line
}

fn disk(scene: &Scene<'_>, workload: &Placed<'_>, class: &MachineClass) -> Vec<String> {
    let home = names::machine_home(&scene.tenant.id, &workload.desired.name);
    let mut options = vec![
        format!("--linux={home}/kernel"),
        format!("--initrd={home}/initrd"),
        format!("--image={home}/disk.raw"),
    ];
    options.extend(class.disk.map(|size| format!("--grow-image={}", size.0)));
    if class.ephemeral {
        options.push("--ephemeral".to_owned());
    }
    options
}

/// Words of the kernel's command line. A kernel that panics ends the machine, which is started again.
fn kernel(workload: &Placed<'_>, class: &MachineClass) -> Vec<String> {
    let desired = workload.desired;
    let mut words = vec![
        "rw".to_owned(),
        "panic=-1".to_owned(),
        format!("systemd.hostname={}", desired.name),
    ];
    let env = desired.env.iter();
    words.extend(env.map(|(name, value)| {
        let word = format!("systemd.setenv={name}={value}");
        match word.contains(char::is_whitespace) {
            true => format!("\"{word}\""),
            false => word,
        }
    }));
    words.extend(class.cmdline.clone());
    words
}

/// Further arguments of QEMU: it runs as a user of the tenant's, may start nothing, and has one card for each tap.
pub(super) fn qemu(scene: &Scene<'_>, workload: &Placed<'_>) -> String {
    let user = scene.uid_base + USER;
    let mut words = vec![
        format!("-run-with user={user}:{user}"),
        "-sandbox on,obsolete=deny,spawn=deny,resourcecontrol=deny".to_owned(),
    ];
    words.extend(workload.ports.iter().map(|port| {
        format!(
            "-netdev tap,id={0},ifname={1},script=no,downscript=no -device virtio-net-pci,netdev={0},mac={2},romfile=",
            port.name, port.link, port.mac
        )
    }));
    words.push(format!(
        "-chardev socket,id=terminal,path=/run/systemd/vmspawn/{}/terminal,server=on,wait=off \
         -device virtio-serial-pci -device virtconsole,chardev=terminal",
        workload.machine
    ));
    words.join(" ")
}
