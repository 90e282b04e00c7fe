//! The containers and machines of a tenant, complete.

use super::{
    Declared, Input, capabilities, content, image, limits, machines, main_workload, networks,
};
use crate::desired::{DesiredWorkload, Layer, ResolvedImage, Template, WorkloadClass};
use crate::digest::sha256_parts;
use crate::finding::{Finding, Origin};
use crate::model::{Check, Container, Name, Network, Resources, Workload};
use crate::tree::{Entry, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The workloads that run here, by name; what is wrong with one does not hide the findings of others.
pub(super) fn resolve(
    input: &Input<'_>,
    declared: &Declared<'_>,
    networks: &[Network],
    limits: &Resources,
    findings: &mut Vec<Finding>,
) -> Vec<DesiredWorkload> {
    let calls = capabilities::system_calls(&input.tenant.metadata.security, findings);
    let mut silent = Vec::new();
    let first = networks::declared(input, &mut silent).into_iter().next();
    let room = Room {
        networks,
        first: first.map(|network| network.name),
        limits,
        calls,
    };
    let mut workloads = Vec::new();
    for container in declared.containers {
        workloads.extend(of_container(input, container, &room, findings));
    }
    for machine in declared.machines {
        workloads.extend(machines::desired(input, machine, &room, findings));
    }
    workloads.sort_by(|one, other| one.name.cmp(&other.name));
    workloads
}

/// What all workloads of a tenant have in common.
pub(super) struct Room<'a> {
    networks: &'a [Network],
    /// First declared network, which may be one without packets.
    first: Option<Name>,
    pub(super) limits: &'a Resources,
    calls: Vec<String>,
}

impl Room<'_> {
    /// The network of this name.
    pub(super) fn network(&self, name: &Name) -> Option<&Network> {
        self.networks.iter().find(|network| network.name == *name)
    }
}

fn of_container(
    input: &Input<'_>,
    container: &Container,
    room: &Room<'_>,
    findings: &mut Vec<Finding>,
) -> Option<DesiredWorkload> {
    let workload = &container.workload;
    let security = &input.tenant.metadata.security;
    let class = WorkloadClass::Container {
        capabilities: capabilities::of(container, security, findings),
        system_calls: room.calls.clone(),
        read_only: container.read_only,
        overlay: overlay(input.tree, container),
    };
    let template = image::container(input, &workload.image, findings);
    let parts = template.map(|template| Parts {
        class,
        image: &template.image,
        resources: resources(input, workload, template, room, findings),
    });
    complete(input, workload, room, parts, findings)
}

/// What the class of a workload decides.
pub(super) struct Parts<'a> {
    pub(super) class: WorkloadClass,
    pub(super) image: &'a ResolvedImage,
    pub(super) resources: Resources,
}

/// The workload of these parts, with what containers and machines have in common; what is wrong there is found without
/// them too.
pub(super) fn complete(
    input: &Input<'_>,
    workload: &Workload,
    room: &Room<'_>,
    parts: Option<Parts<'_>>,
    findings: &mut Vec<Finding>,
) -> Option<DesiredWorkload> {
    let credentials = credentials(input, workload, findings);
    let health_script = health_script(input, workload, findings);
    let depends_on = depends_on(input, workload, findings);
    let parts = parts?;
    let implied = main_workload::is_implied(input.tenant);
    Some(DesiredWorkload {
        origin: workload.origin.clone(),
        name: workload.name.clone(),
        class: parts.class,
        image: parts.image.clone(),
        init: workload.init.clone(),
        env: workload.env.clone(),
        user: workload.user.clone(),
        workdir: workload.workdir.clone(),
        resources: parts.resources,
        attachments: networks::attachments(workload, room.networks, room.first.as_ref(), implied),
        volumes: workload.volumes.clone(),
        credentials,
        depends_on,
        restart: workload.restart,
        autostart: workload.autostart,
        health: workload.health.clone(),
        health_script,
    })
}

/// The implied `main` has the tenant's resources to itself.
pub(super) fn resources(
    input: &Input<'_>,
    workload: &Workload,
    template: &Template,
    room: &Room<'_>,
    findings: &mut Vec<Finding>,
) -> Resources {
    if main_workload::is_implied(input.tenant) {
        return *room.limits;
    }
    let wish = limits::Wish {
        name: &workload.name,
        origin: &workload.origin,
        wanted: workload.resources,
        defaults: template.defaults,
    };
    limits::of_workload(input, &wish, room.limits, findings)
}

/// The layer of `rootfs-overlay/`, by Git's own hash of the tree, or by one of its listing when the
/// documents were read from a plain directory.
fn overlay(tree: &Tree, container: &Container) -> Option<Layer> {
    let oid = container.overlay.as_ref()?;
    let path = format!("containers/{}/rootfs-overlay", container.workload.name);
    let key = if oid.is_empty() {
        listing(tree, &path)
    } else {
        oid.clone()
    };
    Some(Layer { key, path })
}

fn listing(tree: &Tree, path: &str) -> String {
    let below = format!("{path}/");
    let entries = tree.entries.range(below.clone()..);
    let lines: Vec<String> = entries
        .take_while(|(path, _)| path.starts_with(&below))
        .map(|(path, entry)| match entry {
            Entry::File(blob) => {
                let content = blob.content.as_deref().map(crate::digest::sha256);
                format!("{path} {} {} {content:?}", blob.size, blob.executable)
            }
            other => format!("{path} {other:?}"),
        })
        .collect();
    sha256_parts(lines.iter().map(String::as_bytes))
}

fn credentials(
    input: &Input<'_>,
    workload: &Workload,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, Arc<[u8]>> {
    let mut credentials = BTreeMap::new();
    for credential in &workload.credentials {
        let path = &credential.encrypted;
        match readable(input.tree, path, &credential.origin) {
            Ok(ciphertext) => {
                credentials.insert(credential.name.clone(), ciphertext);
            }
            Err(finding) => findings.push(*finding),
        }
    }
    credentials
}

fn health_script(
    input: &Input<'_>,
    workload: &Workload,
    findings: &mut Vec<Finding>,
) -> Option<Arc<[u8]>> {
    let Check::Script(path) = &workload.health.as_ref()?.check else {
        return None;
    };
    readable(input.tree, path, &workload.origin)
        .map_err(|finding| findings.push(*finding))
        .ok()
}

fn readable(tree: &Tree, path: &str, origin: &Origin) -> Result<Arc<[u8]>, Box<Finding>> {
    content(tree, path).ok_or_else(|| {
        let message = match tree.entries.get(path) {
            Some(Entry::File(_)) => format!("`{path}` is too large to be read"),
            Some(_) => format!("`{path}` is not a regular file"),
            None => format!("there is no file `{path}` in the repository"),
        };
        Box::new(Finding::error(origin.clone(), "missing-file", message))
    })
}

fn depends_on(input: &Input<'_>, workload: &Workload, findings: &mut Vec<Finding>) -> Vec<Name> {
    let left_out = input.left_out();
    for (name, origin) in &workload.depends_on {
        if left_out.contains(name) {
            let message = format!(
                "workload `{}` depends on `{name}`, which does not run on this host",
                workload.name
            );
            findings.push(Finding::error(
                origin.clone(),
                "depends-on-left-out",
                message,
            ));
        }
    }
    let names = workload.depends_on.iter();
    names.map(|(name, _)| name.clone()).collect()
}
