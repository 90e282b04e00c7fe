//! The command line of systemd-nspawn(1) for one container.

use super::scene::{Placed, Scene};
use super::{capabilities, links, mounts, names};
use crate::desired::WorkloadClass;
use crate::model::{Init, Volume};

/// Program and arguments; nothing is read from `.nspawn` files, which an image may bring.
pub(super) fn command(scene: &Scene<'_>, workload: &Placed<'_>) -> Vec<String> {
    let mut line: Vec<String> = [
        "systemd-nspawn",
        "--quiet",
        "--keep-unit",
        "--register=yes",
        "--settings=no",
    ]
    .map(String::from)
    .into();
    line.push(format!("--machine={}", workload.machine));
    line.push(format!("--hostname={}", workload.desired.name));
    line.push(format!(
        "--directory={}",
        mounts::root_path(scene, workload)
    ));
    line.extend(confinement(scene, workload));
    line.extend(network(scene, workload));
    line.extend(files(scene, workload));
    line.extend(init(workload));
    line
}

fn confinement(scene: &Scene<'_>, workload: &Placed<'_>) -> Vec<String> {
    let system_calls = match &workload.desired.class {
        WorkloadClass::Container { system_calls, .. } => system_calls.as_slice(),
        WorkloadClass::Machine(_) => &[],
    };
    let mut options = vec![
        format!("--private-users={}:65536", scene.uid_base),
        // The layers are idmapped already; nspawn must not touch ownership.
        "--private-users-ownership=off".to_owned(),
        "--no-new-privileges=yes".to_owned(),
    ];
    options.extend(capabilities::options(&capabilities::kept(workload)));
    if !system_calls.is_empty() {
        options.push(format!("--system-call-filter={}", system_calls.join(" ")));
    }
    // A DHCP client in the container needs packet sockets; a command has no client.
    let packet = if workload.desired.init == Init::Boot {
        " AF_PACKET"
    } else {
        ""
    };
    options.push(format!(
        "--restrict-address-families=AF_UNIX AF_INET AF_INET6 AF_NETLINK{packet}"
    ));
    options
}

/// Whether it runs in a network namespace that was made for it before.
pub(super) fn joins_namespace(workload: &Placed<'_>) -> bool {
    let command = matches!(workload.desired.init, Init::Command(_));
    !workload.ports.is_empty() && (workload.shares || command)
}

fn network(scene: &Scene<'_>, workload: &Placed<'_>) -> Vec<String> {
    let mut options = Vec::new();
    if workload.ports.is_empty() {
        options.push("--private-network".to_owned());
    } else if joins_namespace(workload) {
        let namespace = match workload.shares {
            true => names::namespace(&scene.tenant.id),
            false => names::own_namespace(workload.machine),
        };
        options.push(format!("--network-namespace-path=/run/netns/{namespace}"));
    } else {
        let ports = workload.ports.iter();
        options
            .extend(ports.map(|port| format!("--network-interface={}:{}", port.peer, port.name)));
    }
    // Outside names are asked of whom the host asks, where outside can be reached at all.
    let outside = workload
        .ports
        .iter()
        .any(|port| scene.bridges[port.bridge].network.nat);
    options.push(format!(
        "--resolv-conf={}",
        if outside { "copy-uplink" } else { "off" }
    ));
    options
}

fn files(scene: &Scene<'_>, workload: &Placed<'_>) -> Vec<String> {
    let desired = workload.desired;
    let home = names::home(&scene.tenant.id);
    let read_only = matches!(
        &desired.class,
        WorkloadClass::Container {
            read_only: true,
            ..
        }
    );
    let mut options = vec![
        "--timezone=off".to_owned(),
        "--link-journal=no".to_owned(),
        format!("--bind-ro={home}/hosts/{}:/etc/hosts", desired.name),
    ];
    if read_only {
        options.push("--read-only".to_owned());
    }
    options.extend(desired.volumes.iter().map(|volume| bind(&home, volume)));
    options.extend(
        desired
            .credentials
            .keys()
            .map(|name| format!("--load-credential={name}:{name}")),
    );
    if desired.init == Init::Boot {
        // A credential would need systemd-network-generator in the image, which distributions leave off.
        options.extend(links::configured(scene, workload).map(|(port, path)| {
            format!(
                "--bind-ro={}:/run/systemd/network/50-{}.network",
                names::current(&scene.tenant.id, &path),
                port.name
            )
        }));
    }
    options
}

fn bind(home: &str, volume: &Volume) -> String {
    let option = if volume.read_only { "bind-ro" } else { "bind" };
    // Colons separate, so one in the path needs a backslash, and so does a backslash.
    let target = volume.mount.replace('\\', "\\\\").replace(':', "\\:");
    format!("--{option}={home}/volumes/{}:{target}", volume.name)
}

fn init(workload: &Placed<'_>) -> Vec<String> {
    let desired = workload.desired;
    match &desired.init {
        // Further arguments are systemd's command line, kernel-command-line(7): the image's /etc/hostname must not
        // win, and services see the environment.
        Init::Boot => ["--boot".to_owned(), "--notify-ready=yes".to_owned()]
            .into_iter()
            .chain([format!("systemd.hostname={}", desired.name)])
            .chain(
                desired
                    .env
                    .iter()
                    .map(|(name, value)| format!("systemd.setenv={name}={value}")),
            )
            .collect(),
        Init::Command(command) => {
            let mut line: Vec<String> = desired
                .env
                .iter()
                .map(|(name, value)| format!("--setenv={name}={value}"))
                .collect();
            line.extend(desired.user.iter().map(|user| format!("--uid={user}")));
            line.extend(desired.workdir.iter().map(|path| format!("--chdir={path}")));
            // Credentials of another user than root are readable only without the stub init, systemd-nspawn(1).
            if desired.user.is_none() || desired.credentials.is_empty() {
                line.push("--as-pid2".to_owned());
                // What the stub understands as: end everything, politely first.
                line.push("--kill-signal=SIGRTMIN+3".to_owned());
            } else {
                line.push("--kill-signal=SIGTERM".to_owned());
            }
            line.push("--".to_owned());
            line.extend(command.iter().cloned());
            line
        }
    }
}
