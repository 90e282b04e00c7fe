//! What the units of a tenant do when they start and stop. Files that they read must be there, links and mounts that
//! they need must be up: a generation that would not start on a real host does not start here.

use super::SimHost;
use super::unit::{Unit, words};
use crate::generations;
use crate::host::HostError;
use crate::network;
use crate::observe::health::{self, CheckResult};
use crate::reconcile;
use bitbuilder_core::artefact::UnitKind;
use bitbuilder_core::model::Name;
use bitbuilder_core::render::HealthCheck;
use bitbuilder_core::unitfile::escape_path;
use std::collections::BTreeMap;
use std::fs;

/// Why a unit does not start, as its journal would say it.
pub(super) type Failure = String;

/// In the environment of a workload: it starts, and its health check fails.
const UNHEALTHY: &str = "BITBUILDER_SIM_UNHEALTHY=1";
/// In the environment of a workload: it does not start.
const BROKEN: &str = "BITBUILDER_SIM_FAIL_START=1";

/// Starts `name`.
pub(super) fn start(host: &SimHost, name: &str, unit: &Unit) -> Result<(), Failure> {
    if host.gate.faults.fails_to_start(name) {
        return Err("it was made to fail".to_owned());
    }
    match name.rsplit_once('.') {
        Some((_, "mount")) => mount(host, unit),
        Some((_, "service")) => service(host, unit),
        _ => Ok(()),
    }
}

/// Runs what a unit runs when it stops; a failure does not keep it from stopping.
pub(super) fn stop(host: &SimHost, unit: &Unit) {
    for line in unit.all("Service", "ExecStop") {
        // systemd goes on, and so does the next `unload`.
        let _ = command(host, line);
    }
}

fn mount(host: &SimHost, unit: &Unit) -> Result<(), Failure> {
    let get = |key| unit.get("Mount", key).unwrap_or_default();
    let mut needed = vec![get("Where")];
    if get("What").starts_with('/') {
        needed.push(get("What"));
    }
    for option in get("Options").split(',') {
        match option.split_once('=') {
            Some(("lowerdir", list)) => needed.extend(list.split(':')),
            Some(("upperdir" | "workdir", path)) => needed.push(path),
            _ => {}
        }
    }
    for path in needed {
        if !host.root.join(path).is_dir() {
            return Err(format!(
                "mount: {path}: special device or mount point does not exist"
            ));
        }
    }
    Ok(())
}

fn service(host: &SimHost, unit: &Unit) -> Result<(), Failure> {
    for credential in unit.all("Service", "LoadCredentialEncrypted") {
        let path = credential.split_once(':').map_or("", |(_, path)| path);
        if !host.root.join(path).is_file() {
            return Err(format!(
                "Failed to set up credentials: {path}: no such file"
            ));
        }
    }
    for key in ["ExecStartPre", "ExecStart"] {
        for line in unit.all("Service", key) {
            let may_fail = line.starts_with('-');
            match command(host, line) {
                Err(failure) if !may_fail => return Err(failure),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Does what one command line does to the host; most do nothing that is simulated.
fn command(host: &SimHost, line: &str) -> Result<(), Failure> {
    let line = line.trim_start_matches(['-', '@', ':', '+', '!', '|']);
    let words = words(line);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some((program, arguments)) = words.split_first() else {
        return Ok(());
    };
    let program = program.rsplit('/').next().unwrap_or(program);
    match (program, arguments) {
        ("cp", ["-T", from, to]) => copy(host, from, to),
        ("ip", [.., "-batch", file]) => batch(host, file),
        ("systemd-nspawn", options) if !options.contains(&"--cleanup") => nspawn(host, options),
        ("systemd-vmspawn", options) => vmspawn(host, options),
        ("tenant-provision", [id, ..]) => {
            reconcile::end_stale(host, &tenant(id)?).map_err(|error| error.to_string())?;
            host.registered.require(&host.root, id).map_err(said)
        }
        ("tenant-manager", [id, ..]) => host.registered.require(&host.root, id).map_err(said),
        ("setup-tenant-network", [id, ..]) => network::load(host, &tenant(id)?).map_err(said),
        ("teardown-tenant-network", [id, ..]) => network::unload(host, &tenant(id)?).map_err(said),
        ("tenant-health", ["wait", id, workload]) => wait(host, &tenant(id)?, &tenant(workload)?),
        _ => Ok(()),
    }
}

fn said(error: HostError) -> Failure {
    error.to_string()
}

fn tenant(id: &str) -> Result<Name, Failure> {
    Name::new(id).map_err(|_| format!("`{id}` is no name"))
}

fn copy(host: &SimHost, from: &str, to: &str) -> Result<(), Failure> {
    fs::copy(host.root.join(from), host.root.join(to))
        .map(drop)
        .map_err(|error| format!("cp: cannot copy '{from}' to '{to}': {error}"))
}

/// ip(8) reads a file of commands; the bridges in it must be there.
fn batch(host: &SimHost, file: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(host.root.join(file))
        .map_err(|error| format!("Cannot open file \"{file}\" for reading: {error}"))?;
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let bridge = words
            .find(|word| *word == "master")
            .and_then(|_| words.next());
        if let Some(bridge) = bridge
            && !host
                .store
                .read(|state| state.links.contains_key(bridge))
                .map_err(said)?
        {
            return Err(format!("Cannot find device \"{bridge}\" ({file})"));
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let bridge = bridge.unwrap_or_default();
        if let ["link", "set", "dev", port, "addrgenmode", ..] = words.as_slice() {
            let added = |state: &mut super::state::State| {
                state.ports.insert((*port).to_owned(), bridge.to_owned());
                Ok(())
            };
            host.store.change(added).map_err(said)?;
        }
    }
    Ok(())
}

fn nspawn(host: &SimHost, options: &[&str]) -> Result<(), Failure> {
    if options.iter().any(|option| option.ends_with(BROKEN)) {
        return Err(format!("the workload asks for it with {BROKEN}"));
    }
    let directory = options
        .iter()
        .find_map(|option| option.strip_prefix("--directory="));
    if let Some(directory) = directory {
        let mount = format!("{}.mount", escape_path(directory));
        if !host.is_active(&mount).map_err(said)? {
            return Err(format!(
                "Directory {directory} doesn't look like an OS root directory"
            ));
        }
    }
    Ok(())
}

/// Every file that it is told of must be there.
fn vmspawn(host: &SimHost, options: &[&str]) -> Result<(), Failure> {
    if options.iter().any(|option| option.ends_with(BROKEN)) {
        return Err(format!("the workload asks for it with {BROKEN}"));
    }
    for option in options {
        let (name, path) = option.split_once('=').unwrap_or((option, ""));
        let is_file = matches!(name, "--image" | "--linux" | "--initrd");
        if is_file && !host.root.join(path).is_file() {
            return Err(format!(
                "Failed to open '{path}': No such file or directory"
            ));
        }
    }
    Ok(())
}

/// Waits until a workload is healthy: here it is at once, or never.
fn wait(host: &SimHost, id: &Name, workload: &Name) -> Result<(), Failure> {
    let check = host
        .root
        .current(id)
        .join("health")
        .join(format!("{workload}.json"));
    if !check.exists() {
        return Ok(());
    }
    let result = health::read_result(&host.root, id, workload).map_err(said)?;
    match result.and_then(|result| result.healthy) {
        Some(true) => Ok(()),
        _ => Err(format!("{id}/{workload} did not become healthy in time")),
    }
}

/// Makes the check that the timer of a workload would make, when both run: health is known at once here.
pub(super) fn check(host: &SimHost, started: &str) -> Result<(), HostError> {
    let machine = ["systemd-nspawn@", "systemd-vmspawn@", "tenant-health@"]
        .iter()
        .find_map(|prefix| started.strip_prefix(prefix))
        .and_then(|rest| Some(rest.rsplit_once('.')?.0));
    let Some(machine) = machine else {
        return Ok(());
    };
    let timer = format!("tenant-health@{machine}.timer");
    let classes = ["nspawn", "vmspawn"];
    let mut unit = None;
    for name in classes.map(|class| format!("systemd-{class}@{machine}.service")) {
        if host.is_active(&name)? {
            unit = Some(name);
        }
    }
    let Some(unit) = unit else { return Ok(()) };
    if !host.is_active(&timer)? {
        return Ok(());
    }
    let Some((check, digest)) = find_check(host, &unit)? else {
        return Ok(());
    };
    let settings = host.catalog()?.unit(&host.root, &unit);
    let sick = settings
        .all("Service", "ExecStart")
        .any(|line| line.contains(UNHEALTHY));
    let (invocation, now) = host.store.read(|state| {
        let state_of = state.units.get(&unit);
        let invocation = state_of.map(|unit| unit.invocation.clone());
        (invocation.unwrap_or_default(), state.clock)
    })?;
    let result = CheckResult {
        format: crate::atomic::FORMAT,
        invocation,
        check: digest,
        healthy: Some(!sick),
        failures: if sick { check.health.retries.max(1) } else { 0 },
        since: now,
        checked: now,
        begun: None,
        message: if sick { UNHEALTHY } else { "simulated" }.to_owned(),
    };
    health::write_result(&host.root, &check.tenant, &check.workload, &result)
}

/// The check of the workload that `unit` runs, from the generation that is current, and its digest.
fn find_check(host: &SimHost, unit: &str) -> Result<Option<(HealthCheck, String)>, HostError> {
    let settings = host.catalog()?.unit(&host.root, unit);
    let id = settings.get("Unit", "X-BitBuilder-Tenant").map(Name::new);
    let Some(Ok(id)) = id else {
        return Ok(None);
    };
    let Some(manifest) = generations::read_current(&host.root, &id)? else {
        return Ok(None);
    };
    let mut units = manifest.units.iter();
    let owned = units.find(|owned| owned.name == unit);
    let Some(workload) = owned.and_then(|owned| owned.workload.as_ref()) else {
        return Ok(None);
    };
    let Some(digest) = health::digest_of(&manifest, workload) else {
        return Ok(None);
    };
    let path = host
        .root
        .current(&id)
        .join(format!("health/{workload}.json"));
    let text = fs::read(&path).map_err(HostError::file(&path))?;
    let check = serde_json::from_slice(&text)
        .map_err(|error| HostError::damaged(&path, error.to_string()))?;
    Ok(Some((check, digest)))
}

/// Makes the checks of tenants whose generation is another one than in `before`: a check may change without a start.
pub(super) fn check_again(host: &SimHost, before: &BTreeMap<String, u64>) -> Result<(), HostError> {
    let now = host.store.read(|state| (*state.generations).clone())?;
    let changed = now
        .iter()
        .filter(|(id, number)| before.get(*id) != Some(number));
    for (id, _) in changed {
        let Ok(id) = Name::new(id) else { continue };
        let Some(manifest) = generations::read_current(&host.root, &id)? else {
            continue;
        };
        for unit in manifest
            .units
            .iter()
            .filter(|unit| unit.kind == UnitKind::Health)
        {
            check(host, &unit.name)?;
        }
    }
    Ok(())
}
