//! What is in the unit of a container: what its start needs, and the commands around it.

use super::scene::{Placed, Scene};
use super::set::Set;
use super::{links, mounts, names, nspawn, service};
use crate::model::Init;
use crate::unitfile::UnitFile;

/// `50-bitbuilder.conf` of a container.
pub(super) fn main(scene: &Scene<'_>, workload: &Placed<'_>, set: &Set) -> UnitFile {
    let root = mounts::root_unit(scene, workload);
    let mut file = service::unit(scene, workload, "Container", Some(&root), set);
    service::service(scene, workload, &mut file);
    commands(scene, workload, &mut file);
    file
}

fn commands(scene: &Scene<'_>, workload: &Placed<'_>, file: &mut UnitFile) {
    let machine = workload.machine;
    // What a killed nspawn left behind would refuse the next start.
    let machine_option = format!("--machine={machine}");
    let directory_option = format!("--directory={}", mounts::root_path(scene, workload));
    let clean = [
        "systemd-nspawn",
        "--quiet",
        "--cleanup",
        &machine_option,
        &directory_option,
    ];
    file.command("ExecStartPre", "-", &clean);
    service::copy_names(scene, workload, file);
    unlink(workload, file, "ExecStartPre");
    link(scene, workload, file);
    file.reset("ExecStart")
        .command("ExecStart", "", &nspawn::command(scene, workload));
    file.reset("ExecStopPost")
        .command("ExecStopPost", "-", &clean);
    unlink(workload, file, "ExecStopPost");
}

fn link(scene: &Scene<'_>, workload: &Placed<'_>, file: &mut UnitFile) {
    if workload.ports.is_empty() || workload.shares {
        return;
    }
    let own = names::own_namespace(workload.machine);
    let path = |batch: String| names::current(&scene.tenant.id, &batch);
    let outer = path(links::host_batch(workload));
    match workload.desired.init {
        Init::Boot => {
            file.command("ExecStartPre", "", &["ip", "-batch", &outer])
                // nspawn refuses an interface that udev has not seen yet.
                .command("ExecStartPre", "-", &["udevadm", "settle", "--timeout=10"]);
        }
        Init::Command(_) => {
            let inner = path(links::inside_batch(workload));
            let namespace = format!("--net=/run/netns/{own}");
            file.command("ExecStartPre", "", &["ip", "netns", "add", &own])
                .command("ExecStartPre", "", &["ip", "-batch", &outer])
                .command(
                    "ExecStartPre",
                    "",
                    &["ip", "-netns", &own, "-batch", &inner],
                )
                // The namespace is the host's, so root inside is nobody special there.
                .command(
                    "ExecStartPre",
                    "",
                    &[
                        "nsenter",
                        &namespace,
                        "sysctl",
                        "-qw",
                        "net.ipv4.ip_unprivileged_port_start=0",
                        "net.ipv4.ping_group_range=0 2147483647",
                    ],
                );
        }
    }
}

/// Takes the links away. A namespace that goes takes them too, but only after a while.
fn unlink(workload: &Placed<'_>, file: &mut UnitFile, key: &str) {
    if workload.shares {
        return;
    }
    for port in &workload.ports {
        file.command(key, "-", &["ip", "link", "delete", "dev", port.link]);
    }
    if !workload.ports.is_empty() && matches!(workload.desired.init, Init::Command(_)) {
        let own = names::own_namespace(workload.machine);
        file.command(key, "-", &["ip", "netns", "delete", &own]);
    }
}
