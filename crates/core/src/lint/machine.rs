//! The unit of a virtual machine: its sandbox is complete, and QEMU gets this machine's disk, links and user only.

use super::Lint;
use super::command;
use super::expected::{Expected, Machine};
use super::unit::{each, exactly, is_credential, is_log};
use crate::unitfile::read::{Assignment, command as split, words};

/// Settings that confine it: each has to be there, once.
const SANDBOX: [(&str, &str); 20] = [
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
    ("IPAddressDeny", "any"),
    ("RestrictNamespaces", "yes"),
    ("RestrictRealtime", "yes"),
    ("RestrictSUIDSGID", "yes"),
    ("LockPersonality", "yes"),
    ("SystemCallArchitectures", "native"),
    ("InaccessiblePaths", "-/var/lib/bitbuilder"),
    ("TemporaryFileSystem", "/var/lib/tenants:ro"),
    ("ReadWritePaths", "/run/systemd"),
];
/// What systemd-vmspawn may keep of root's powers, and the sockets that it may make.
const CAPABILITIES: [&str; 7] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_KILL",
    "CAP_NET_ADMIN",
    "CAP_SETGID",
    "CAP_SETUID",
];
const FAMILIES: [&str; 3] = ["AF_UNIX", "AF_NETLINK", "AF_INET"];

/// Options that every machine has as they are.
const FIXED: [&str; 10] = [
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
];
/// Offset in the tenant's range of who QEMU runs as.
const USER: u32 = 65_533;

pub(super) fn check(
    lint: &mut Lint<'_>,
    path: &str,
    settings: &[Assignment<'_>],
    machine: &Machine<'_>,
) {
    let expected: &Expected<'_> = lint.expected;
    let known = command::known(expected, machine);
    let among = |value: &str, list: &[&str]| value.split(' ').all(|word| list.contains(&word));
    each(lint, path, settings, |lint, s| match (s.section, s.key) {
        ("Unit", "PartOf") => s.value == expected.tenant(),
        ("Unit", "Requires" | "After") => s.value == expected.network(),
        ("Unit", "StartLimitIntervalSec") => s.value == "0",
        ("Service", "Slice") => s.value == expected.slice(),
        ("Service", "LogExtraFields") => is_log(s.value),
        ("Service", "LoadCredentialEncrypted") => is_credential(lint, machine, s.value),
        ("Service", "ExecStartPre" | "ExecStopPost") => known.iter().any(|line| line.is(s.value)),
        ("Service", "ExecStop") => is_power_off(machine, s.value),
        ("Service", "CapabilityBoundingSet") => among(s.value, &CAPABILITIES),
        ("Service", "RestrictAddressFamilies") => among(s.value, &FAMILIES),
        ("Service", "BindPaths") => s.value == expected.home(),
        // Checked below.
        ("Service", "ExecStart" | "Environment") => true,
        ("Service", key) => SANDBOX.contains(&(key, s.value)),
        _ => false,
    });
    exactly(lint, path, settings, "PartOf", &expected.tenant());
    exactly(lint, path, settings, "Slice", &expected.slice());
    exactly(lint, path, settings, "BindPaths", &expected.home());
    for (key, value) in SANDBOX {
        exactly(lint, path, settings, key, value);
    }
    for key in ["CapabilityBoundingSet", "RestrictAddressFamilies"] {
        let has = settings.iter().filter(|s| s.key == key).count() == 1;
        lint.require(has, path, "setting", format!("`{key}=` is missing"));
    }
    guarded(lint, path, settings);
    commands(lint, path, settings, machine);
}

/// Whether `value` asks this machine to power off, or waits for that.
fn is_power_off(machine: &Machine<'_>, value: &str) -> bool {
    let control = format!("/run/systemd/vmspawn/{}/control", machine.name);
    let words = value.strip_prefix('-').and_then(split).unwrap_or_default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        [
            "varlinkctl",
            "call",
            path,
            "io.systemd.MachineInstance.PowerOff",
            "{}",
        ]
        | [
            "timeout",
            "90",
            "varlinkctl",
            "call",
            "--more",
            "--quiet",
            path,
            "io.systemd.MachineInstance.SubscribeEvents",
            "{}",
        ] => *path == control,
        _ => false,
    }
}

/// Its links come after the packet rules.
fn guarded(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>]) {
    let network = lint.expected.network();
    let networked = settings.iter().any(|s| s.value.contains("-netdev"));
    let guarded = ["Requires", "After"].iter().all(|key| {
        let mut its = settings.iter().filter(|s| s.key == *key);
        its.any(|s| s.value == network)
    });
    lint.require(
        !networked || guarded,
        path,
        "setting",
        "it could start before its packet rules are there",
    );
}

fn commands(lint: &mut Lint<'_>, path: &str, settings: &[Assignment<'_>], machine: &Machine<'_>) {
    let values = |key: &str| -> Vec<&str> {
        let its = settings.iter().filter(|setting| setting.key == key);
        its.map(|setting| setting.value).collect()
    };
    match values("ExecStart").as_slice() {
        ["", line] => vmspawn(lint, path, line, machine),
        _ => lint.refuse(path, "command", "`ExecStart=` is not reset and set once"),
    }
    let environment = values("Environment");
    let qemu = match environment.as_slice() {
        [line] => words(line).filter(|words| words.len() == 1),
        _ => None,
    };
    let extra = qemu.as_ref().and_then(|words| {
        let extra = words[0].strip_prefix("SYSTEMD_VMSPAWN_QEMU_EXTRA=")?;
        Some(extra.split(' ').collect::<Vec<&str>>())
    });
    let known = extra.is_some_and(|extra| is_qemu(lint.expected, machine, &extra));
    lint.require(
        known,
        path,
        "command",
        "QEMU would get what is not this machine's",
    );
}

fn vmspawn(lint: &mut Lint<'_>, path: &str, line: &str, machine: &Machine<'_>) {
    let Some(words) = split(line) else {
        lint.refuse(path, "command", "`ExecStart=` could be read in two ways");
        return;
    };
    if words.first().map(String::as_str) != Some("systemd-vmspawn") {
        lint.refuse(path, "command", "`ExecStart=` does not run systemd-vmspawn");
        return;
    }
    // What follows the options is the kernel's command line: the guest's own business. getopt(3) would take options from
    // among it, so there must be none.
    let rest = &words[1..];
    let border = rest.iter().position(|word| !word.starts_with('-'));
    let (options, kernel) = rest.split_at(border.unwrap_or(rest.len()));
    for word in kernel.iter().filter(|word| word.starts_with('-')) {
        lint.refuse(path, "command", format!("`{word}` is behind the options"));
    }
    for option in options {
        if !is_option(lint, machine, option) {
            let message = format!("`{option}` is not what a machine may have");
            lint.refuse(path, "command", message);
        }
    }
    let disk = machine.disk(lint.expected);
    let needed = FIXED.map(str::to_owned).into_iter().chain([
        format!("--machine={}", machine.name),
        format!("--image={disk}/disk.raw"),
        format!("--linux={disk}/kernel"),
        format!("--initrd={disk}/initrd"),
    ]);
    for option in needed {
        let has = options.contains(&option);
        lint.require(has, path, "command", format!("`{option}` is missing"));
    }
}

fn is_option(lint: &Lint<'_>, machine: &Machine<'_>, option: &str) -> bool {
    if FIXED.contains(&option) || option == "--ephemeral" {
        return true;
    }
    let Some((name, value)) = option.split_once('=') else {
        return false;
    };
    let disk = machine.disk(lint.expected);
    let number = || value.parse::<u64>().ok();
    let limits = lint.expected.registration.limits;
    match name {
        "--machine" => value == machine.name,
        "--image" => value == format!("{disk}/disk.raw"),
        "--linux" => value == format!("{disk}/kernel"),
        "--initrd" => value == format!("{disk}/initrd"),
        "--kvm" => matches!(value, "yes" | "no"),
        "--cpus" => number().is_some_and(|cpus| cpus > 0),
        "--ram" => number().is_some_and(|ram| limits.memory.is_none_or(|most| ram < most.0)),
        "--grow-image" => number().is_some_and(|to| limits.storage.is_none_or(|most| to <= most.0)),
        "--load-credential" => is_loaded(lint, machine, value),
        _ => false,
    }
}

/// A credential of the unit by its name, or the table of names.
fn is_loaded(lint: &Lint<'_>, machine: &Machine<'_>, value: &str) -> bool {
    let hosts = format!("{}/hosts/{}", lint.expected.home(), machine.workload);
    value.split_once(':').is_some_and(|(name, source)| {
        let file = format!("credentials/{}/{name}", machine.workload);
        let own = source == name && !name.contains('/') && lint.has(&file);
        own || name == "network.hosts" && source == hosts
    })
}

/// Whether `words` are: a user of the tenant's, no further programs, a card for each of some of its links, a terminal.
fn is_qemu(expected: &Expected<'_>, machine: &Machine<'_>, words: &[&str]) -> bool {
    let user = expected.uid_base.saturating_add(USER);
    let user = format!("user={user}:{user}");
    let sandbox = "on,obsolete=deny,spawn=deny,resourcecontrol=deny";
    let terminal = format!(
        "socket,id=terminal,path=/run/systemd/vmspawn/{}/terminal,server=on,wait=off",
        machine.name
    );
    let end = [
        "-chardev",
        &terminal,
        "-device",
        "virtio-serial-pci",
        "-device",
        "virtconsole,chardev=terminal",
    ];
    let cards = words
        .strip_prefix(&["-run-with", &user, "-sandbox", sandbox])
        .and_then(|rest| rest.strip_suffix(&end));
    let Some(cards) = cards else { return false };
    let (cards, rest) = cards.as_chunks::<4>();
    rest.is_empty()
        && cards.iter().enumerate().all(|(index, card)| {
            machine.interfaces.iter().any(|own| {
                let (link, mac) = (&own.allocated.link, &own.allocated.mac);
                let tap = format!("tap,id=host{index},ifname={link},script=no,downscript=no");
                let device = format!("virtio-net-pci,netdev=host{index},mac={mac},romfile=");
                *card == ["-netdev", tap.as_str(), "-device", device.as_str()]
            })
        })
}
