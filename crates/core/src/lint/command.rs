//! Command lines of workloads, argument by argument.

use super::Lint;
use super::expected::{Expected, Machine};
use crate::resolve::{may_call, may_hold};
use crate::unitfile::read::command;

/// Capabilities that systemd-nspawn grants by itself and no tenant gets: they have to be dropped.
const DROPPED: [&str; 2] = ["CAP_MKNOD", "CAP_AUDIT_CONTROL"];

/// Options without a value of their own choice.
const PLAIN: [&str; 16] = [
    "--quiet",
    "--keep-unit",
    "--register=yes",
    "--settings=no",
    "--private-users-ownership=off",
    "--no-new-privileges=yes",
    "--private-network",
    "--resolv-conf=copy-uplink",
    "--resolv-conf=off",
    "--timezone=off",
    "--link-journal=no",
    "--read-only",
    "--notify-ready=yes",
    "--as-pid2",
    "--kill-signal=SIGRTMIN+3",
    "--kill-signal=SIGTERM",
];

/// A command line that a workload may run before it starts or after it stops.
pub(super) struct Line {
    prefix: &'static str,
    words: Vec<String>,
}

impl Line {
    /// Whether `value` is this line.
    pub(super) fn is(&self, value: &str) -> bool {
        let rest = value.strip_prefix(self.prefix);
        rest.is_some_and(|rest| command(rest).as_ref() == Some(&self.words))
    }
}

/// All such lines of `machine`.
pub(super) fn known(expected: &Expected<'_>, machine: &Machine<'_>) -> Vec<Line> {
    let (name, workload) = (machine.name, machine.workload);
    let line = |prefix, words: &[&str]| Line {
        prefix,
        words: words.iter().map(ToString::to_string).collect(),
    };
    let machine_option = format!("--machine={name}");
    let directory_option = format!("--directory={}", machine.root(expected));
    let clean = [
        "systemd-nspawn",
        "--quiet",
        "--cleanup",
        &machine_option,
        &directory_option,
    ];
    let from = expected.current(&format!("hosts/{workload}"));
    let to = format!("{}/hosts/{workload}", expected.home());
    let outer = expected.current(&format!("links/{workload}.host"));
    let inner = expected.current(&format!("links/{workload}.inside"));
    let own = machine.namespace.as_str();
    let namespace = format!("--net=/run/netns/{own}");
    let mut lines = vec![
        line("-", &clean),
        line("", &["cp", "-T", &from, &to]),
        line("-", &["ip", "netns", "delete", own]),
        line("", &["ip", "netns", "add", own]),
        line("", &["ip", "-batch", &outer]),
        line("", &["ip", "-netns", own, "-batch", &inner]),
        line("-", &["udevadm", "settle", "--timeout=10"]),
        line(
            "",
            &[
                "nsenter",
                &namespace,
                "sysctl",
                "-qw",
                "net.ipv4.ip_unprivileged_port_start=0",
                "net.ipv4.ping_group_range=0 2147483647",
            ],
        ),
    ];
    for interface in &machine.interfaces {
        let link = &interface.allocated.link;
        lines.push(line("-", &["ip", "link", "delete", "dev", link]));
    }
    lines
}

/// Whether `value` waits for a workload of this set.
pub(super) fn is_wait(lint: &Lint<'_>, value: &str) -> bool {
    let words = value
        .strip_prefix('+')
        .and_then(command)
        .unwrap_or_default();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["/usr/lib/bitbuilder/tenant-health", "wait", id, workload] => {
            let machine = lint.expected.machine(workload);
            *id == lint.expected.id.as_str()
                && machine.is_some_and(|m| lint.owns(&m.container()) || lint.owns(&m.vm()))
        }
        _ => false,
    }
}

/// Checks the command line that runs a container.
pub(super) fn nspawn(lint: &mut Lint<'_>, path: &str, line: &str, machine: &Machine<'_>) {
    let Some(words) = command(line) else {
        lint.refuse(path, "command", "`ExecStart=` could be read in two ways");
        return;
    };
    if words.first().map(String::as_str) != Some("systemd-nspawn") {
        lint.refuse(path, "command", "`ExecStart=` does not run systemd-nspawn");
        return;
    }
    // systemd-nspawn stops reading options at the first word that is none.
    let options: Vec<&str> = words[1..]
        .iter()
        .map(String::as_str)
        .take_while(|word| word.starts_with('-') && *word != "--")
        .collect();
    for option in &options {
        if !is_option(lint, machine, option) {
            lint.refuse(
                path,
                "command",
                format!("`{option}` is not what a tenant may have"),
            );
        }
    }
    let expected = lint.expected;
    let needed = [
        "--keep-unit".to_owned(),
        "--settings=no".to_owned(),
        "--private-users-ownership=off".to_owned(),
        "--no-new-privileges=yes".to_owned(),
        format!("--machine={}", machine.name),
        format!("--directory={}", machine.root(expected)),
        format!("--private-users={}:65536", expected.uid_base),
    ];
    for option in needed {
        let has = options.contains(&option.as_str());
        lint.require(has, path, "command", format!("`{option}` is missing"));
    }
    let value = |name: &str| options.iter().find_map(|option| option.strip_prefix(name));
    let dropped: Vec<&str> = value("--drop-capability=")
        .unwrap_or("")
        .split(',')
        .collect();
    let confined = DROPPED.iter().all(|name| dropped.contains(name));
    lint.require(
        confined,
        path,
        "command",
        format!("{} are not dropped", DROPPED.join(" and ")),
    );
    let families = value("--restrict-address-families=").is_some();
    lint.require(
        families,
        path,
        "command",
        "address families are not restricted",
    );
    let apart = options.contains(&"--private-network")
        || value("--network-interface=").is_some()
        || value("--network-namespace-path=").is_some();
    lint.require(
        apart,
        path,
        "command",
        "it would have the network of the host",
    );
}

fn is_option(lint: &Lint<'_>, machine: &Machine<'_>, option: &str) -> bool {
    let expected = lint.expected;
    if PLAIN.contains(&option) || option == "--boot" {
        return true;
    }
    let Some((name, value)) = option.split_once('=') else {
        return false;
    };
    match name {
        "--machine" => value == machine.name,
        "--hostname" => value == machine.workload.as_str(),
        "--directory" => value == machine.root(expected),
        "--private-users" => value == format!("{}:65536", expected.uid_base),
        "--capability" => value.split(',').all(may_hold),
        "--drop-capability" => value.split(',').all(|name| name.starts_with("CAP_")),
        "--system-call-filter" => value.split(' ').all(may_call),
        "--restrict-address-families" => value.split(' ').all(|family| {
            matches!(
                family,
                "AF_UNIX" | "AF_INET" | "AF_INET6" | "AF_NETLINK" | "AF_PACKET"
            )
        }),
        "--network-interface" => value.split_once(':').is_some_and(|(peer, inner)| {
            is_inner(inner) && machine.interfaces.iter().any(|own| own.peer == peer)
        }),
        "--network-namespace-path" => value
            .strip_prefix("/run/netns/")
            .is_some_and(|name| name == expected.shared(machine).unwrap_or(&machine.namespace)),
        "--bind" | "--bind-ro" => is_bind(lint, machine, name, value),
        "--load-credential" => is_credential(lint, machine, value),
        // Without a value nspawn would take that of its own environment.
        "--setenv" => value.contains('='),
        "--uid" | "--chdir" => !value.is_empty(),
        _ => false,
    }
}

/// `host0`.
fn is_inner(name: &str) -> bool {
    let number = name.strip_prefix("host").map(str::parse::<u8>);
    number.is_some_and(|number| number.is_ok())
}

/// `source:target`, no further options; the source is a volume or the table of names.
fn is_bind(lint: &Lint<'_>, machine: &Machine<'_>, option: &str, value: &str) -> bool {
    let home = lint.expected.home();
    let hosts = format!("{home}/hosts/{}:/etc/hosts", machine.workload);
    if value == hosts || is_interface(lint, machine, value) {
        return option == "--bind-ro";
    }
    let volumes = format!("{home}/volumes/");
    let Some((volume, target)) = value
        .strip_prefix(&volumes)
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let known = lint.artefacts.directories.iter();
    let path = format!("volumes/{volume}");
    known.clone().any(|directory| directory.path == path)
        && target.starts_with('/')
        && !has_separator(target)
}

/// The configuration of an inner interface.
fn is_interface(lint: &Lint<'_>, machine: &Machine<'_>, value: &str) -> bool {
    let known = || {
        let (source, target) = value.split_once(':')?;
        let inner = target.strip_prefix("/run/systemd/network/50-")?;
        let inner = inner.strip_suffix(".network")?;
        let file = format!("links/{}.{inner}.network", machine.workload);
        let own = is_inner(inner) && lint.has(&file);
        Some(own && source == lint.expected.current(&file))
    };
    known().unwrap_or(false)
}

/// Whether a colon is in `text` that no backslash takes as it is.
fn has_separator(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ':' => return true,
            '\\' => drop(chars.next()),
            _ => {}
        }
    }
    false
}

/// A credential of the unit by its name.
fn is_credential(lint: &Lint<'_>, machine: &Machine<'_>, value: &str) -> bool {
    value.split_once(':').is_some_and(|(name, source)| {
        let known = lint.has(&format!("credentials/{}/{name}", machine.workload));
        known && source == name && !name.contains('/')
    })
}
