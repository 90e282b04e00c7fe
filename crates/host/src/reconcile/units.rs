//! The host's own units, as the system repository in force wants them: files, then a reload, then stops and starts. The hash
//! of what was done is remembered last, so that whatever interrupts it, the next pass does it again.

use super::init::{HostConfig, read_config};
use super::webhooks;
use super::{PassError, Revision, SystemState};
use crate::atomic;
use crate::disk;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::source::local_refs;
use bitbuilder_core::sync::units::{BOOT, HostUnits, REQUESTS, Receiver, SYSTEM, WEBHOOKS, Watch};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the files are.
const DIRECTORY: &str = "/var/lib/bitbuilder/units";
/// Units of the host that are started and stopped here.
const OURS: [&str; 3] = [
    "bitbuilder-path@*.path",
    REQUESTS,
    "bitbuilder-webhook.socket",
];

/// Brings the host's own units there, under the host's lock.
pub(super) fn converge(host: &dyn Host, revision: &Revision) -> Result<(), PassError> {
    let root = host.root();
    let Some(config) = read_config(root)? else {
        return Ok(());
    };
    let watches = watches(root, &config, revision);
    let mut receiver = webhooks::receiver(root, revision)?;
    let render = |receiver: Option<&Receiver>| {
        HostUnits::render(&revision.system.policy.sync, &watches, receiver, DIRECTORY)
            .map_err(|error| HostError::damaged(&directory(root), error.to_string()))
    };
    let mut state = SystemState::read(root)?;
    let units = render(receiver.as_ref())?;
    let wanted = (!units.is_empty()).then(|| units.digest());
    if state.units == wanted {
        return Ok(());
    }
    // One secret that does not open must not keep the deliveries of the others from being received.
    let opened = match &mut receiver {
        Some(receiver) => webhooks::keep_usable(host, receiver),
        None => Ok(()),
    };
    change(host, &render(receiver.as_ref())?)?;
    opened?;
    state.units = wanted;
    Ok(state.write(root)?)
}

fn directory(root: &HostRoot) -> PathBuf {
    root.join(DIRECTORY)
}

/// Repositories on this host that somebody else writes to: the embedded ones tell us themselves.
fn watches(root: &HostRoot, config: &HostConfig, revision: &Revision) -> Vec<Watch> {
    let system = [(SYSTEM, &config.repository, &config.reference)];
    let tenants = revision
        .system
        .tenants
        .iter()
        .filter(|tenant| tenant.enabled);
    let tenants = tenants.map(|t| (t.id.as_str(), &t.repository, &t.reference));
    system
        .into_iter()
        .chain(tenants)
        .filter(|(_, repository, _)| root.embedded_path(repository).is_none())
        .filter_map(|(instance, repository, reference)| {
            let refs = local_refs(repository, reference)?;
            Some(Watch {
                instance: instance.to_owned(),
                git_dir: refs.git_dir.to_str()?.to_owned(),
                reference: reference.clone(),
                reftable: refs.reftable,
            })
        })
        .collect()
}

/// Stops come before the files and starts after the reload: who is started again has read what is there.
fn change(host: &dyn Host, units: &HostUnits) -> Result<(), HostError> {
    let directory = directory(host.root());
    let changed = changed(&directory, units)?;
    let up = host.units(&OURS)?;
    let up = up
        .iter()
        .filter(|(_, state)| state.is_active() || state.active == "failed");
    let stop = up.filter(|(name, _)| !units.active.contains(*name) || changed.contains(*name));
    let stop: Vec<String> = stop.map(|(name, _)| name.clone()).collect();
    if !stop.is_empty() {
        host.stop(&stop)?;
    }
    write(&directory, units)?;
    host.daemon_reload()?;
    // One by one: a port that is taken keeps no path from being watched.
    let starts = units
        .active
        .iter()
        .map(|unit| host.start(std::slice::from_ref(unit)));
    let results: Vec<_> = starts.collect();
    results.into_iter().collect()
}

/// Units whose files are not as they shall be.
fn changed(directory: &Path, units: &HostUnits) -> Result<BTreeSet<String>, HostError> {
    let mut names = BTreeSet::new();
    for (path, text) in &units.files {
        let differs = fs::read(directory.join(path)).map_or(true, |old| old != text.as_bytes());
        let unit = path
            .strip_prefix("system/")
            .and_then(|rest| rest.split_once(".d/"));
        if let Some((unit, _)) = unit.filter(|_| differs) {
            names.insert(unit.to_owned());
        }
    }
    Ok(names)
}

/// Writes the files, removes those that are not wanted any more, and then says what the generator shall link.
fn write(directory: &Path, units: &HostUnits) -> Result<(), HostError> {
    for (path, text) in &units.files {
        atomic::write(&directory.join(path), text.as_bytes(), 0o644)?;
    }
    atomic::write(&directory.join(BOOT), units.boot().as_bytes(), 0o644)?;
    for below in ["system", "credentials"] {
        for entry in fs::read_dir(directory.join(below))
            .into_iter()
            .flatten()
            .flatten()
        {
            let name = entry.file_name();
            let place = format!("{below}/{}", name.to_string_lossy());
            let mut files = units.files.keys();
            let is_wanted = |path: &String| {
                let rest = path.strip_prefix(&place);
                rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            if !files.any(is_wanted) {
                disk::remove_tree(&entry.path())?;
            }
        }
    }
    match units.files.contains_key(WEBHOOKS) {
        true => Ok(()),
        false => disk::remove_tree(&directory.join(WEBHOOKS)),
    }
}
