//! Processes, by their control groups.

use super::catalogue::Catalogue;
use super::{Kind, Subject, unit, unrelated};
use crate::host::HostError;
use std::fs;
use std::io::ErrorKind;

/// The tenant and workload that process `pid` belongs to.
pub(super) fn subject(catalogue: &Catalogue<'_>, pid: &str) -> Result<Subject, HostError> {
    let path = catalogue.root.join(format!("/proc/{pid}/cgroup"));
    let groups = match fs::read_to_string(&path) {
        Ok(groups) => groups,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(unrelated(pid, "there is no such process"));
        }
        Err(error) => return Err(HostError::file(&path)(error)),
    };
    // cgroups(7): the line of the unified hierarchy.
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let found = group.and_then(|group| control_group(catalogue, group));
    let mut subject = found.ok_or_else(|| {
        let shown = group.unwrap_or("no control group");
        unrelated(pid, format!("runs for no tenant: it is in {shown}"))
    })?;
    subject.kind = Kind::Process;
    Ok(subject)
}

/// What the control group at `path` belongs to, from the outside in: names below a unit's own group are the tenant's to
/// choose, and prove nothing.
pub(super) fn control_group(catalogue: &Catalogue<'_>, path: &str) -> Option<Subject> {
    let mut found = None;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        if !name.ends_with(".slice") {
            return unit::subject(catalogue, name).ok().or(found);
        }
        found = unit::subject(catalogue, name).ok().or(found);
    }
    found
}
