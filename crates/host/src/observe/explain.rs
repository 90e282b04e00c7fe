//! Which tenant, commit, file and line something on the host comes from.
//!
//! - `catalogue`: who has which name. `unit`, `path`, `process`: what a question is about. `rootfs`: files of containers.
//! - Then the record of the generation says the rest.

mod catalogue;
mod path;
mod process;
mod rootfs;
#[cfg(test)]
mod tests;
mod unit;

use crate::generations;
use crate::host::{Host, HostError};
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::document::is_document;
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::Name;
use catalogue::Catalogue;
use serde::{Deserialize, Serialize};

/// Where something comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was asked about.
    pub what: String,
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub tenant: Name,
    /// The container or machine that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Name>,
    /// The network that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Name>,
    /// Name of the workload in machined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The unit concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// URL of the tenant's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Ref that pointed at the commit.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Commit of the tenant's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Commit of the system repository that it was compiled with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The generation; `None` when nothing was ever deployed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// File and line of the commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// What else is worth knowing, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What an [`Explanation`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A tenant as a whole.
    Tenant,
    /// A container or machine.
    Workload,
    /// A unit of systemd.
    Unit,
    /// A file that was rendered, or that the host keeps for a tenant.
    File,
    /// A read-only layer, or a file in it.
    Layer,
    /// The root file system of a container, or a file in it.
    Root,
    /// A volume, or a file in it.
    Volume,
    /// The bridge of a network.
    Bridge,
    /// The link that takes packets of a network out of this host.
    Uplink,
    /// The routing domain (VRF) of a network.
    Domain,
    /// The host's end of a workload's link.
    Interface,
    /// A process.
    Process,
}

/// Explains `what`: a unit (`tenant@shop.service`), a path of the host, a bridge or link, a machine (`shop-web`),
/// a workload (`shop/web`), a tenant, or the id of a process.
///
/// # Errors
/// [`HostError::Unrelated`] when it belongs to no tenant; else when the host's state is unreadable.
pub fn explain(host: &dyn Host, what: &str) -> Result<Explanation, HostError> {
    let catalogue = Catalogue::read(host.root())?;
    let subject = subject(&catalogue, what)?;
    finish(&catalogue, what, subject)
}

/// What a question is about, as far as its text tells.
struct Subject {
    kind: Kind,
    tenant: Name,
    workload: Option<Name>,
    network: Option<Name>,
    unit: Option<String>,
    /// `None` is the current one.
    generation: Option<u64>,
    /// Files of the generation whose origin counts: the first that is there.
    files: Vec<String>,
    /// An origin that is known without a record.
    origin: Option<Origin>,
    note: Option<String>,
}

impl Subject {
    fn new(kind: Kind, tenant: &Name) -> Self {
        Self {
            kind,
            tenant: tenant.clone(),
            workload: None,
            network: None,
            unit: None,
            generation: None,
            files: Vec::new(),
            origin: None,
            note: None,
        }
    }
}

fn unrelated(what: impl Into<String>, reason: impl Into<String>) -> HostError {
    HostError::Unrelated {
        what: what.into(),
        reason: reason.into(),
    }
}

fn subject(catalogue: &Catalogue<'_>, what: &str) -> Result<Subject, HostError> {
    if what.starts_with('/') {
        return path::subject(catalogue, what);
    }
    if !what.is_empty() && what.bytes().all(|byte| byte.is_ascii_digit()) {
        return process::subject(catalogue, what);
    }
    if let Some((tenant, workload)) = what.split_once('/') {
        return workload_subject(catalogue, what, tenant, workload);
    }
    if unit::is_unit(what) {
        return unit::subject(catalogue, what);
    }
    let found = catalogue
        .link(what)
        .or_else(|| catalogue.machine(what))
        .or_else(|| {
            catalogue
                .tenant(what)
                .map(|id| Subject::new(Kind::Tenant, id))
        });
    found.ok_or_else(|| {
        let reason = "is no unit, path, link, machine, tenant, tenant/workload or process of this host's tenants";
        unrelated(what, reason)
    })
}

fn workload_subject(
    catalogue: &Catalogue<'_>,
    what: &str,
    tenant: &str,
    workload: &str,
) -> Result<Subject, HostError> {
    let Some(id) = catalogue.tenant(tenant) else {
        return Err(unrelated(
            what,
            format!("there is no tenant {tenant} on this host"),
        ));
    };
    let manifest = generations::read_current(catalogue.root, id)?;
    let mut names = manifest.iter().flat_map(workloads);
    match names.find(|name| name.as_str() == workload) {
        Some(name) => Ok(Subject {
            workload: Some(name.clone()),
            ..Subject::new(Kind::Workload, id)
        }),
        None => {
            let known: Vec<&str> = manifest
                .iter()
                .flat_map(workloads)
                .map(Name::as_str)
                .collect();
            let reason = match known.as_slice() {
                [] => format!("tenant {id} has no workloads"),
                known => format!(
                    "tenant {id} has no workload {workload}, it has {}",
                    known.join(", ")
                ),
            };
            Err(unrelated(what, reason))
        }
    }
}

fn workloads(manifest: &Manifest) -> impl Iterator<Item = &Name> {
    let units = manifest.units.iter();
    units
        .filter(|unit| unit.kind == UnitKind::Workload)
        .filter_map(|unit| unit.workload.as_ref())
}

/// Adds what the generation's record says.
fn finish(
    catalogue: &Catalogue<'_>,
    what: &str,
    mut subject: Subject,
) -> Result<Explanation, HostError> {
    let id = &subject.tenant;
    let manifest = match subject.generation {
        Some(number) => Some(generations::read_manifest(catalogue.root, id, number)?),
        None => generations::read_current(catalogue.root, id)?,
    };
    if let Some(manifest) = &manifest {
        complete(&mut subject, manifest);
    }
    let workload = subject.workload.as_ref();
    let machine = workload.and_then(|workload| catalogue.machine_of(&subject.tenant, workload));
    let note = subject.note.or_else(|| {
        manifest
            .is_none()
            .then(|| "nothing of this tenant is deployed".to_owned())
    });
    let repository = catalogue.repository(&subject.tenant);
    let manifest = manifest.as_ref();
    Ok(Explanation {
        what: what.to_owned(),
        kind: subject.kind,
        machine: machine.map(str::to_owned),
        workload: subject.workload,
        network: subject.network,
        unit: subject.unit,
        repository: manifest
            .map(|manifest| manifest.repository.clone())
            .or(repository),
        reference: manifest.map(|manifest| manifest.reference.clone()),
        commit: manifest.map(|manifest| manifest.commit.clone()),
        signer: manifest.and_then(|manifest| manifest.signer.clone()),
        system: manifest.map(|manifest| manifest.system.clone()),
        generation: manifest.map(|manifest| manifest.number),
        origin: subject.origin,
        note,
        tenant: subject.tenant,
    })
}

/// Unit, workload and origin, as far as `subject` does not have them.
fn complete(subject: &mut Subject, manifest: &Manifest) {
    let mut files = subject.files.iter();
    let record = files.find_map(|path| manifest.files.get(path));
    if let Some(record) = record {
        subject.origin = subject.origin.take().or_else(|| record.origin.clone());
        subject.unit = subject.unit.take().or_else(|| record.unit.clone());
    }
    let owned = |name: &str| manifest.units.iter().find(|unit| unit.name == name);
    if subject.workload.is_none() {
        let unit = subject.unit.as_deref().and_then(owned);
        subject.workload = unit.and_then(|unit| unit.workload.clone());
    }
    let mut units = manifest.units.iter();
    let runs = units.find(|unit| {
        unit.kind == UnitKind::Workload
            && unit.workload.is_some()
            && unit.workload == subject.workload
    });
    if let (Some(unit), None) = (runs, &subject.unit) {
        subject.unit = Some(unit.name.clone());
    }
    if subject.origin.is_none() {
        let dropin = |unit: &str| format!("system/{unit}.d/50-bitbuilder.conf");
        let record = runs.and_then(|unit| manifest.files.get(&dropin(&unit.name)));
        subject.origin = record
            .and_then(|record| record.origin.clone())
            .or_else(|| Some(Origin::file("metadata.json")));
    }
    // A document as a whole begins with its first line.
    let document = |origin: &&mut Origin| origin.line == 0 && is_document(&origin.file);
    if let Some(origin) = subject.origin.as_mut().filter(document) {
        (origin.line, origin.column) = (1, 1);
    }
}
