//! Units of systemd.

use super::catalogue::Catalogue;
use super::{Kind, Subject, unrelated};
use crate::host::HostError;
use bitbuilder_core::model::Name;
use bitbuilder_core::unitfile::{escape_path, escape_unit_name};

/// Whether `what` looks like a unit's name.
pub(super) fn is_unit(what: &str) -> bool {
    let suffixes = [".service", ".timer", ".slice", ".mount"];
    suffixes.iter().any(|suffix| what.ends_with(suffix))
}

/// The tenant and workload of `unit`.
pub(super) fn subject(catalogue: &Catalogue<'_>, unit: &str) -> Result<Subject, HostError> {
    let found = instance(catalogue, unit)
        .or_else(|| slice(catalogue, unit))
        .or_else(|| mount(catalogue, unit));
    let subject = found.ok_or_else(|| unrelated(unit, "is no unit of a tenant of this host"))?;
    Ok(Subject {
        kind: Kind::Unit,
        unit: Some(unit.to_owned()),
        files: vec![
            format!("system/{unit}.d/50-bitbuilder.conf"),
            format!("system/{unit}"),
            format!("mounts/{unit}"),
        ],
        ..subject
    })
}

/// `<template>@<machine or tenant>.<type>`.
fn instance(catalogue: &Catalogue<'_>, unit: &str) -> Option<Subject> {
    let (template, rest) = unit.split_once('@')?;
    let (instance, kind) = rest.rsplit_once('.')?;
    match (template, kind) {
        ("systemd-nspawn" | "systemd-vmspawn", "service")
        | ("tenant-health", "service" | "timer") => catalogue.machine(instance),
        ("tenant" | "setup-tenant" | "tenant-network" | "netns-tenant", "service") => {
            catalogue.tenant(instance).map(tenant)
        }
        _ => None,
    }
}

fn tenant(id: &Name) -> Subject {
    Subject::new(Kind::Tenant, id)
}

fn slice(catalogue: &Catalogue<'_>, unit: &str) -> Option<Subject> {
    let escaped = unit.strip_prefix("tenant-")?.strip_suffix(".slice")?;
    let mut ids = catalogue.ids();
    ids.find(|id| escape_unit_name(id.as_str()) == escaped)
        .map(tenant)
}

fn mount(catalogue: &Catalogue<'_>, unit: &str) -> Option<Subject> {
    let path = unit.strip_suffix(".mount")?;
    let below = |id: &&Name| {
        let home = escape_path(&format!("/var/lib/tenants/{id}"));
        path.strip_prefix(&home)
            .is_some_and(|rest| rest.starts_with('-'))
    };
    catalogue.ids().find(below).map(tenant)
}
