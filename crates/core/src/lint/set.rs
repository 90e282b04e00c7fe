//! Places, modes and sizes; units, layers and directories.

use super::Lint;
use super::expected::Expected;
use crate::allocate::NetworkAllocation;
use crate::artefact::{OwnedUnit, UnitKind};
use crate::finding::{Finding, Origin};
use crate::model::Name;
use std::collections::BTreeSet;

/// Most files of a generation, and their sizes in bytes.
const FILES_MAX: usize = 50_000;
const FILE_MAX: usize = 32 << 20;
const TOTAL_MAX: usize = 128 << 20;
/// Longest component of a path, NAME_MAX, and longest path below the generation.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 1024;

pub(super) fn check(lint: &mut Lint<'_>) {
    sizes(lint);
    let paths: Vec<&String> = lint.artefacts.files.keys().collect();
    for path in paths {
        place(lint, path);
    }
    units(lint);
    layers(lint);
    disks(lint);
    directories(lint);
    allocation(lint);
}

fn sizes(lint: &mut Lint<'_>) {
    let files = &lint.artefacts.files;
    let total: usize = files.values().map(|file| file.content.len()).sum();
    let largest = files.iter().max_by_key(|(_, file)| file.content.len());
    let largest = largest.filter(|(_, file)| file.content.len() > FILE_MAX);
    let largest = largest.map(|(path, _)| path.as_str());
    if let Some(path) = largest {
        lint.refuse(
            path,
            "too-large",
            format!("it is larger than {FILE_MAX} bytes"),
        );
    }
    if total > TOTAL_MAX || files.len() > FILES_MAX {
        whole(
            lint,
            "too-large",
            format!("a generation has at most {FILES_MAX} files and {TOTAL_MAX} bytes"),
        );
    }
}

/// A finding about the set as a whole.
fn whole(lint: &mut Lint<'_>, rule: &str, message: String) {
    let origin = Origin::file("metadata.json");
    lint.findings.push(Finding::error(origin, rule, message));
}

fn place(lint: &mut Lint<'_>, path: &str) {
    if !is_inside(path) {
        lint.refuse(path, "path-outside", "the path leaves the generation");
        return;
    }
    let prefix = format!("{path}/");
    let mut after = lint.artefacts.files.range(prefix.clone()..);
    if after
        .next()
        .is_some_and(|(next, _)| next.starts_with(&prefix))
    {
        lint.refuse(path, "path-outside", "it is a file and a directory");
    }
    let Some(mode) = mode(lint.expected, path) else {
        lint.refuse(
            path,
            "unknown-file",
            "no generation of this tenant has such a file",
        );
        return;
    };
    let Some(file) = lint.artefacts.files.get(path) else {
        return;
    };
    lint.require(
        file.mode == mode,
        path,
        "mode",
        format!("its mode is {:o} and must be {mode:o}", file.mode),
    );
    if let Some(unit) = &file.unit {
        let known = lint.owns(unit) || is_check(lint.expected, unit);
        lint.require(
            known,
            path,
            "foreign-unit",
            format!("`{unit}` is no unit of this set"),
        );
    }
}

/// Whether a relative path stays where it is put.
fn is_inside(path: &str) -> bool {
    path.len() <= PATH_MAX
        && !path.chars().any(char::is_control)
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != ".." && part.len() <= NAME_MAX)
}

/// The permission bits of the file that belongs at `path`; `None` when none does.
fn mode(expected: &Expected<'_>, path: &str) -> Option<u32> {
    let (directory, rest) = path.split_once('/').unwrap_or(("", path));
    let workload = |name: &str| expected.machine(name).is_some();
    let known = match directory {
        "" => matches!(rest, "boot" | "mount-boot"),
        "system" => is_unit_file(expected, rest),
        "mounts" => expected.kind(rest) == Some(UnitKind::Mount),
        "network" => is_network_file(expected, rest),
        "nftables" => rest == "ruleset.json",
        "uplinks" => expected.uplink(rest).is_some(),
        "hosts" => workload(rest),
        "namespace" => expected.namespace.is_some() && matches!(rest, "host" | "inside"),
        "links" => rest.split_once('.').is_some_and(|(name, kind)| {
            workload(name) && (matches!(kind, "host" | "inside") || is_inner(kind))
        }),
        "health" => {
            return match rest.rsplit_once('.') {
                Some((name, "json")) if workload(name) => Some(0o644),
                Some((name, "sh")) if workload(name) => Some(0o755),
                _ => None,
            };
        }
        // Ciphertexts; a name without a slash stays in its directory.
        "wireguard" => return (rest.ends_with(".psk") && !rest.contains('/')).then_some(0o600),
        "credentials" => {
            let (name, credential) = rest.split_once('/')?;
            return (workload(name) && !credential.contains('/')).then_some(0o600);
        }
        "scripts" => return Some(0o755),
        _ => false,
    };
    known.then_some(0o644)
}

/// `host1.network`.
fn is_inner(kind: &str) -> bool {
    let number = kind
        .strip_prefix("host")
        .and_then(|rest| rest.strip_suffix(".network"));
    number.is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_unit_file(expected: &Expected<'_>, rest: &str) -> bool {
    let Some((directory, name)) = rest.split_once('/') else {
        return expected.kind(rest) == Some(UnitKind::Slice);
    };
    let Some(unit) = directory.strip_suffix(".d") else {
        return false;
    };
    match (expected.kind(unit), name) {
        (
            Some(UnitKind::Workload),
            "50-bitbuilder.conf" | "60-limits.conf" | "65-restart.conf" | "70-dependencies.conf",
        ) => true,
        (
            Some(UnitKind::Tenant | UnitKind::Network | UnitKind::Namespace | UnitKind::Health),
            "50-bitbuilder.conf",
        ) => true,
        (None, "50-bitbuilder.conf") => is_check(expected, unit),
        _ => false,
    }
}

/// Whether `unit` is the service of a health check.
fn is_check(expected: &Expected<'_>, unit: &str) -> bool {
    expected
        .machine_of(unit)
        .is_some_and(|machine| machine.check() == unit)
}

fn is_network_file(expected: &Expected<'_>, name: &str) -> bool {
    let Some(rest) = name.strip_prefix("10-bitbuilder-") else {
        return false;
    };
    match rest.rsplit_once('.') {
        Some((link, "netdev")) => {
            let tunnel = |network: &NetworkAllocation| network.table().is_some();
            expected.bridge(link).is_some()
                || expected.vrf(link).is_some()
                || expected.uplink(link).is_some_and(tunnel)
        }
        Some((link, "network")) => {
            expected.bridge(link).is_some()
                || expected.vrf(link).is_some()
                || expected.uplink(link).is_some()
                || link == format!("ports-{}", expected.id)
        }
        _ => false,
    }
}

fn units(lint: &mut Lint<'_>) {
    let mut seen = BTreeSet::new();
    for unit in &lint.artefacts.units {
        let name = &unit.name;
        if lint.expected.kind(name) != Some(unit.kind) {
            whole(
                lint,
                "foreign-unit",
                format!("unit `{name}` is not this tenant's {:?}", unit.kind),
            );
            continue;
        }
        if !seen.insert(name) {
            whole(lint, "unit-twice", format!("unit `{name}` is there twice"));
        }
        let workload = lint
            .expected
            .machine_of(name)
            .map(|machine| machine.workload);
        if unit.kind != UnitKind::Mount && unit.workload.as_ref() != workload {
            whole(
                lint,
                "foreign-unit",
                format!("unit `{name}` is of another workload"),
            );
        }
        for required in &unit.requires {
            let kind = lint.expected.kind(required);
            let known =
                matches!(kind, Some(UnitKind::Mount | UnitKind::Namespace)) && lint.owns(required);
            if !known {
                whole(
                    lint,
                    "unknown-unit",
                    format!("unit `{name}` requires `{required}`, which is not in this set"),
                );
            }
        }
        if !is_within(lint, unit) {
            let message = format!("unit `{name}` waits for, or is lent, what is not this tenant's");
            whole(lint, "foreign-unit", message);
        }
        let file = match unit.kind {
            UnitKind::Mount => format!("mounts/{name}"),
            UnitKind::Slice => format!("system/{name}"),
            _ => format!("system/{name}.d/50-bitbuilder.conf"),
        };
        if !lint.has(&file) {
            whole(
                lint,
                "missing-file",
                format!("unit `{name}` has no `{file}`"),
            );
        }
    }
    for needed in [
        lint.expected.slice(),
        lint.expected.tenant(),
        lint.expected.network(),
    ] {
        if !lint.owns(&needed) {
            whole(
                lint,
                "missing-file",
                format!("the set has no unit `{needed}`"),
            );
        }
    }
}

/// Whether `unit` waits only for workloads of this set, and its leases are on links of its own.
fn is_within(lint: &Lint<'_>, unit: &OwnedUnit) -> bool {
    let machine = lint.expected.machine_of(&unit.name);
    let workload = |needed: &String| {
        lint.expected.kind(needed) == Some(UnitKind::Workload) && lint.owns(needed)
    };
    let own = |link: &String| machine.is_some_and(|machine| machine.interface(link).is_some());
    unit.needs.iter().all(workload) && unit.leases.keys().all(own)
}

fn layers(lint: &mut Lint<'_>) {
    for layer in &lint.artefacts.layers {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let key = matches!(layer.key.len(), 40 | 64) && layer.key.bytes().all(hex);
        if !key || !is_inside(&layer.path) {
            whole(
                lint,
                "layer",
                format!("`{}` is no layer of the repository", layer.key),
            );
        }
    }
}

/// Disks of this tenant's machines, each a copy of an image of this host.
fn disks(lint: &mut Lint<'_>) {
    let mut seen = BTreeSet::new();
    for disk in &lint.artefacts.disks {
        let expected = lint.expected;
        let known = expected.templates.values().any(|template| {
            template.image == disk.image && template.boot.as_ref() == Some(&disk.boot)
        });
        let most = expected.registration.limits.storage;
        let fits = disk
            .size
            .is_none_or(|size| most.is_none_or(|most| size <= most));
        let machine = expected.machine(disk.workload.as_str());
        let owned = machine.is_some_and(|machine| lint.owns(&machine.vm()));
        if !known || !fits || !owned || !seen.insert(&disk.workload) {
            let message = format!("`{}` is no disk of this tenant", disk.directory());
            whole(lint, "disk", message);
        }
    }
    for machine in &lint.expected.machines {
        if lint.owns(&machine.vm()) && lint.owns(&machine.container()) {
            let message = format!("`{}` is a machine and a container", machine.workload);
            whole(lint, "unit-twice", message);
        }
        if lint.owns(&machine.vm()) && !seen.contains(machine.workload) {
            let message = format!("machine `{}` has no disk", machine.workload);
            whole(lint, "disk", message);
        }
    }
}

fn directories(lint: &mut Lint<'_>) {
    for directory in &lint.artefacts.directories {
        let path = directory.path.as_str();
        let root = directory.owner == 0 && directory.mode == 0o755;
        let tenants = directory.owner == lint.expected.uid_base && directory.mode == 0o755;
        let parts: Vec<&str> = path.split('/').collect();
        let known = match parts.as_slice() {
            ["layers" | "containers" | "hosts" | "machines" | "volumes"] => root,
            ["layers", digest] => root && lint.expected.images().contains_key(digest),
            ["containers", name] => root && lint.expected.machine(name).is_some(),
            ["containers", name, part] => {
                lint.expected.machine(name).is_some()
                    && match *part {
                        "rootfs" => root,
                        "upper" | "work" => tenants,
                        _ => false,
                    }
            }
            ["volumes", name] => tenants && Name::new(*name).is_ok(),
            _ => false,
        };
        if !known {
            whole(
                lint,
                "directory",
                format!(
                    "`{path}` (owner {}, mode {:o}) is no directory of this tenant",
                    directory.owner, directory.mode
                ),
            );
        }
    }
}

/// The tenant's own interfaces: nothing twice, every name fits.
fn allocation(lint: &mut Lint<'_>) {
    let expected = lint.expected;
    let mut links: BTreeSet<&str> = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    let mut macs = BTreeSet::new();
    let networks = expected.networks.iter();
    let machines = expected.machines.iter().flat_map(|one| &one.interfaces);
    let machines = machines.map(|interface| interface.allocated.link.as_str());
    for link in networks.flat_map(|network| network.links()).chain(machines) {
        if !links.insert(link) || link.len() > super::host::LINK_MAX {
            whole(
                lint,
                "link-name",
                format!("link `{link}` is there twice or longer than 15 bytes"),
            );
        }
    }
    for interface in expected.interfaces() {
        let allocated = interface.allocated;
        if !macs.insert(&allocated.mac) {
            whole(
                lint,
                "mac-twice",
                format!("two interfaces have the MAC address {}", allocated.mac),
            );
        }
        let inside = interface.network.subnet.contains(allocated.address)
            && Some(allocated.address) != interface.network.gateway();
        if !addresses.insert(allocated.address) || !inside {
            whole(
                lint,
                "address-twice",
                format!(
                    "address {} is there twice or not of its network",
                    allocated.address
                ),
            );
        }
    }
}
