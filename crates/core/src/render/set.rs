//! Collects artefacts, and what cannot be written.

use crate::artefact::{Artefact, Artefacts, OwnedDirectory, OwnedDisk, OwnedUnit, UpdateClass};
use crate::desired::DesiredTenant;
use crate::finding::{Finding, Origin};
use crate::model::Name;
use crate::unitfile::UnitFile;

/// Where a file comes from, who reads it and what its change costs.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) origin: &'a Origin,
    pub(super) unit: Option<&'a str>,
    pub(super) class: UpdateClass,
}

impl<'a> Source<'a> {
    /// A file whose change touches no process.
    pub(super) fn live(origin: &'a Origin) -> Self {
        Self {
            origin,
            unit: None,
            class: UpdateClass::Live,
        }
    }

    /// A file whose change restarts `unit`.
    pub(super) fn restart(origin: &'a Origin, unit: &'a str) -> Self {
        Self {
            origin,
            unit: Some(unit),
            class: UpdateClass::Restart,
        }
    }

    /// The same, read by `unit`.
    pub(super) fn of(self, unit: &'a str) -> Self {
        Self {
            unit: Some(unit),
            ..self
        }
    }
}

/// The artefacts so far.
pub(super) struct Set {
    tenant: Name,
    artefacts: Artefacts,
    findings: Vec<Finding>,
}

impl Set {
    pub(super) fn new(tenant: &DesiredTenant) -> Self {
        Self {
            tenant: tenant.id.clone(),
            artefacts: Artefacts::default(),
            findings: Vec::new(),
        }
    }

    /// A unit file that says in a comment where it comes from. `section` is its first section.
    pub(super) fn unit_file(&self, origin: &Origin, section: &'static str) -> UnitFile {
        let mut file = UnitFile::new(&format!(
            "Made by BitBuilder from {} of tenant {}; a change here is lost.",
            origin.file, self.tenant
        ));
        file.section(section)
            .verbatim("X-BitBuilder-Tenant", &self.tenant)
            .verbatim("X-BitBuilder-File", &origin.file);
        file
    }

    /// Adds a file in systemd's syntax.
    pub(super) fn add_unit_file(&mut self, path: String, file: &UnitFile, source: Source<'_>) {
        match file.finish() {
            Ok(text) => self.add(path, text.into_bytes(), 0o644, source),
            Err(error) => self.findings.push(
                Finding::error(source.origin.clone(), "unwritable-value", error.to_string())
                    .help("remove the characters that systemd cannot read back"),
            ),
        }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, path: String, content: Vec<u8>, mode: u32, source: Source<'_>) {
        let artefact = Artefact {
            content,
            mode,
            origin: Some(source.origin.clone()),
            unit: source.unit.map(str::to_owned),
            class: source.class,
        };
        self.artefacts.files.insert(path, artefact);
    }

    /// Adds a unit of the tenant.
    pub(super) fn own(&mut self, unit: OwnedUnit) {
        if !self
            .artefacts
            .units
            .iter()
            .any(|known| known.name == unit.name)
        {
            self.artefacts.units.push(unit);
        }
    }

    /// Adds a directory below `/var/lib/tenants/<id>/` that must exist.
    pub(super) fn directory(&mut self, path: String, owner: u32, mode: u32) {
        let directory = OwnedDirectory { path, owner, mode };
        if !self.artefacts.directories.contains(&directory) {
            self.artefacts.directories.push(directory);
        }
    }

    /// Adds a disk that must exist.
    pub(super) fn disk(&mut self, disk: OwnedDisk) {
        self.artefacts.disks.push(disk);
    }

    /// Adds a layer that must exist.
    pub(super) fn layer(&mut self, layer: &crate::desired::Layer) {
        if !self.artefacts.layers.contains(layer) {
            self.artefacts.layers.push(layer.clone());
        }
    }

    /// Adds something that stands in the way.
    pub(super) fn refuse(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Paths of the files so far that begin with `prefix`.
    pub(super) fn paths<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.artefacts
            .files
            .keys()
            .map(String::as_str)
            .filter(move |path| path.starts_with(prefix))
    }

    pub(super) fn finish(mut self) -> Result<Artefacts, Vec<Finding>> {
        if !self.findings.is_empty() {
            self.findings.sort();
            return Err(self.findings);
        }
        self.artefacts
            .units
            .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
        self.artefacts.layers.sort();
        // A parent sorts before what is in it.
        self.artefacts.directories.sort();
        Ok(self.artefacts)
    }
}
