//! Paths of the host.

use super::catalogue::Catalogue;
use super::{Kind, Subject, process, rootfs, unit, unrelated};
use crate::generations;
use crate::host::HostError;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::Name;
use bitbuilder_core::unitfile::escape_path;
use std::fs;
use std::path::{Component, Path};

/// The tenant, and what of it is at `what`.
pub(super) fn subject(catalogue: &Catalogue<'_>, what: &str) -> Result<Subject, HostError> {
    // Of a simulated host both its own paths and those of the machine below its directory are understood.
    let path = Path::new(what);
    let path = path.strip_prefix(catalogue.root.path()).unwrap_or(path);
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part.to_str().unwrap_or_default()),
            Component::ParentDir => return Err(unrelated(what, "write it without `..`")),
            _ => {}
        }
    }
    let found = match parts.as_slice() {
        ["var", "lib", "tenants", id, rest @ ..] => match catalogue.tenant(id) {
            Some(id) => tenant(catalogue, what, id, rest)?,
            None => None,
        },
        ["run", "systemd", "network", file] => network(catalogue, file),
        [
            "run",
            "systemd",
            "generator" | "generator.early" | "generator.late",
            rest @ ..,
        ] => generated(catalogue, rest),
        ["run", "bitbuilder", "health", id, file] => {
            state(catalogue, id, file.strip_suffix(".json"))
        }
        ["run", "bitbuilder", "network", file] => file
            .strip_suffix(".json")
            .and_then(|id| state(catalogue, id, None)),
        ["run" | "var", "netns", name] | ["var", "run", "netns", name] => {
            namespace(catalogue, name)
        }
        ["var", "lib", "bitbuilder", "git", repository, ..] => repository
            .strip_suffix(".git")
            .and_then(|id| state(catalogue, id, None)),
        ["sys", "fs", "cgroup", group @ ..] => process::control_group(catalogue, &group.join("/")),
        ["proc", pid, ..] if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some(process::subject(catalogue, pid)?)
        }
        _ => None,
    };
    found.ok_or_else(|| unrelated(what, "belongs to no tenant of this host"))
}

/// A file that the host keeps for tenant `id`.
fn state(catalogue: &Catalogue<'_>, id: &str, workload: Option<&str>) -> Option<Subject> {
    let id = catalogue.tenant(id)?;
    Some(Subject {
        workload: workload.and_then(|workload| Name::new(workload).ok()),
        ..Subject::new(Kind::File, id)
    })
}

/// `tenant-<id>`, which workloads share, or `machine-<machine>`, that of one.
fn namespace(catalogue: &Catalogue<'_>, name: &str) -> Option<Subject> {
    if let Some(id) = name.strip_prefix("tenant-") {
        let id = catalogue.tenant(id)?;
        return Some(Subject {
            unit: Some(format!("netns-tenant@{id}.service")),
            files: vec!["namespace/inside".to_owned()],
            ..Subject::new(Kind::Tenant, id)
        });
    }
    catalogue.machine(name.strip_prefix("machine-")?)
}

/// A file in `/run/systemd/network/`.
fn network(catalogue: &Catalogue<'_>, file: &str) -> Option<Subject> {
    let (stem, _) = file.strip_prefix("10-bitbuilder-")?.rsplit_once('.')?;
    let ports = stem
        .strip_prefix("ports-")
        .and_then(|id| catalogue.tenant(id));
    let subject = match ports {
        Some(id) => Subject::new(Kind::File, id),
        None => catalogue.link(stem)?,
    };
    Some(Subject {
        kind: Kind::File,
        unit: Some(format!("tenant-network@{}.service", subject.tenant)),
        files: vec![format!("network/{file}")],
        ..subject
    })
}

/// A link that a generator of ours made.
fn generated(catalogue: &Catalogue<'_>, parts: &[&str]) -> Option<Subject> {
    let (name, file) = match parts {
        [directory, file] if directory.ends_with(".d") => {
            (directory.strip_suffix(".d")?, Some(*file))
        }
        [_, unit] => (*unit, None),
        [name] => (name.strip_suffix(".d").unwrap_or(name), None),
        _ => return None,
    };
    let mut subject = unit::subject(catalogue, name).ok()?;
    if let Some(file) = file {
        subject.kind = Kind::File;
        subject.files.insert(0, format!("system/{name}.d/{file}"));
    }
    Some(subject)
}

/// What is below `/var/lib/tenants/<id>/`.
fn tenant(
    catalogue: &Catalogue<'_>,
    what: &str,
    id: &Name,
    rest: &[&str],
) -> Result<Option<Subject>, HostError> {
    let subject = match rest {
        [] => Subject::new(Kind::Tenant, id),
        ["current", file @ ..] => return generation(catalogue, what, id, None, file).map(Some),
        ["generations", number, file @ ..] => {
            let Ok(number) = number.parse() else {
                return Err(unrelated(what, "is no generation"));
            };
            return generation(catalogue, what, id, Some(number), file).map(Some);
        }
        ["layers", key, inside @ ..] => return layer(catalogue, what, id, key, inside).map(Some),
        ["containers", name, part, inside @ ..] => {
            let Some(manifest) = generations::read_current(catalogue.root, id)? else {
                return Ok(None);
            };
            return rootfs::subject(catalogue, what, &manifest, name, part, inside).map(Some);
        }
        ["containers", name] => match Name::new(*name) {
            Ok(name) => Subject {
                workload: Some(name),
                ..Subject::new(Kind::Workload, id)
            },
            Err(_) => return Ok(None),
        },
        ["volumes", volume, ..] => self::volume(catalogue, id, volume)?,
        _ => Subject::new(Kind::File, id),
    };
    Ok(Some(subject))
}

/// A generation, or a file or directory of it.
fn generation(
    catalogue: &Catalogue<'_>,
    what: &str,
    id: &Name,
    number: Option<u64>,
    file: &[&str],
) -> Result<Subject, HostError> {
    let manifest = match number {
        Some(number) => generations::read_manifest(catalogue.root, id, number)?,
        None => generations::read_current(catalogue.root, id)?
            .ok_or_else(|| unrelated(what, format!("nothing of tenant {id} is deployed")))?,
    };
    let file = file.join("/");
    let subject = Subject {
        generation: Some(manifest.number),
        ..Subject::new(Kind::File, id)
    };
    if file.is_empty() || file == generations::MANIFEST {
        return Ok(subject);
    }
    let below = format!("{file}/");
    let known = manifest
        .files
        .keys()
        .find(|path| **path == file || path.starts_with(&below));
    let Some(known) = known else {
        let reason = format!(
            "generation {} of tenant {id} has no such file",
            manifest.number
        );
        return Err(unrelated(what, reason));
    };
    Ok(Subject {
        workload: workload_of(&manifest, known),
        files: vec![known.clone()],
        ..subject
    })
}

/// The workload whose name is in the path of a file: `hosts/web`, `links/web.host`, `credentials/web/token`.
fn workload_of(manifest: &Manifest, path: &str) -> Option<Name> {
    let (directory, rest) = path.split_once('/')?;
    if !["credentials", "health", "hosts", "links"].contains(&directory) {
        return None;
    }
    // Names have no dots.
    let name = rest.split(['.', '/']).next()?;
    super::workloads(manifest)
        .find(|known| known.as_str() == name)
        .cloned()
}

/// A layer, or a file in it: of the tenant's repository, or of an image.
fn layer(
    catalogue: &Catalogue<'_>,
    what: &str,
    id: &Name,
    key: &str,
    inside: &[&str],
) -> Result<Subject, HostError> {
    let subject = Subject::new(Kind::Layer, id);
    let Some(manifest) = generations::read_current(catalogue.root, id)? else {
        return Ok(subject);
    };
    if let Some(layer) = manifest.layers.iter().find(|layer| layer.key == key) {
        return Ok(rootfs::in_layer(subject, layer, inside));
    }
    let mount = escape_path(&format!("/var/lib/tenants/{id}/layers/{key}"));
    let file = format!("mounts/{mount}.mount");
    if !manifest.files.contains_key(&file) {
        let reason = format!("the current generation of tenant {id} has no such layer");
        return Err(unrelated(what, reason));
    }
    Ok(Subject {
        unit: Some(format!("{mount}.mount")),
        note: rootfs::image(catalogue, id, &file),
        files: vec![file],
        ..subject
    })
}

/// A volume: that of the first workload that mounts it.
fn volume(catalogue: &Catalogue<'_>, id: &Name, volume: &str) -> Result<Subject, HostError> {
    let subject = Subject::new(Kind::Volume, id);
    let Some(manifest) = generations::read_current(catalogue.root, id)? else {
        return Ok(subject);
    };
    let mount = format!("/var/lib/tenants/{id}/volumes/{volume}:");
    for name in super::workloads(&manifest) {
        let unit = manifest
            .units
            .iter()
            .find(|unit| unit.workload.as_ref() == Some(name) && unit.name.ends_with(".service"));
        let Some(unit) = unit else { continue };
        let dropin = format!("system/{}.d/50-bitbuilder.conf", unit.name);
        let text = fs::read_to_string(catalogue.root.current(id).join(&dropin)).unwrap_or_default();
        if text.contains(&mount) {
            return Ok(Subject {
                workload: Some(name.clone()),
                ..subject
            });
        }
    }
    Ok(Subject {
        origin: Some(Origin::file("metadata.json")),
        note: Some("no workload of the current generation mounts it".to_owned()),
        ..subject
    })
}
