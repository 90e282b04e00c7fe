//! Which workload a machine is, and whether it runs.

use anyhow::Context;
use bitbuilder_core::allocate::Allocations;
use bitbuilder_core::artefact::{Manifest, UnitKind};
use bitbuilder_core::model::Name;
use bitbuilder_core::render::HealthCheck;
use bitbuilder_host::atomic;
use bitbuilder_host::generations;
use bitbuilder_host::observe::health::digest_of;
use bitbuilder_host::paths::HostRoot;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A workload that has a health check, in the current generation of its tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The check.
    pub check: HealthCheck,
    /// Its unit.
    pub unit: String,
    /// Directory of the generation.
    pub generation: PathBuf,
    /// What tells this check from another.
    pub digest: String,
}

/// One run of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// systemd's id of it, hexadecimal.
    pub id: String,
}

impl Target {
    /// The workload that is `machine` in machined; `None` when no current generation has such a one with a check.
    ///
    /// # Errors
    /// When the host's state is unreadable.
    pub fn of_machine(root: &HostRoot, machine: &str) -> anyhow::Result<Option<Self>> {
        let allocations: Allocations = atomic::read_json(&root.allocations())?.unwrap_or_default();
        let owner = allocations.tenants.iter().find_map(|(tenant, allocation)| {
            let mut machines = allocation.machines.iter();
            let (workload, _) = machines.find(|(_, given)| given.machine == machine)?;
            Some((tenant, workload))
        });
        let Some((tenant, workload)) = owner else {
            return Ok(None);
        };
        let Some(manifest) = generations::read_current(root, tenant)? else {
            return Ok(None);
        };
        let target = Self::of_workload(root, &manifest, workload)?;
        Ok(target.filter(|target| target.check.machine == machine))
    }

    /// The workload of a generation; `None` when it has no check.
    ///
    /// # Errors
    /// When the generation is damaged.
    pub fn of_workload(
        root: &HostRoot,
        manifest: &Manifest,
        workload: &Name,
    ) -> anyhow::Result<Option<Self>> {
        let Some(unit) = unit_of(manifest, workload) else {
            return Ok(None);
        };
        // One number for everything: `current` may move meanwhile.
        let generation = root.generation(&manifest.tenant, manifest.number);
        let path = generation.join("health").join(format!("{workload}.json"));
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context(path.display().to_string()),
        };
        let check: HealthCheck =
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?;
        Ok(Some(Self {
            check,
            unit: unit.to_owned(),
            generation,
            digest: digest_of(manifest, workload).unwrap_or_default(),
        }))
    }

    /// The run of its unit that goes on; `None` when it does not run.
    pub fn invocation(&self, root: &HostRoot) -> Option<Invocation> {
        invocation(root, &self.unit)
    }

    /// The script of a script check, in the generation.
    pub(super) fn script(&self) -> Option<PathBuf> {
        let relative = Path::new(self.check.script.as_ref()?);
        Some(self.generation.join(relative))
    }
}

/// The unit that runs `workload`.
pub(super) fn unit_of<'m>(manifest: &'m Manifest, workload: &Name) -> Option<&'m str> {
    let unit = manifest
        .units
        .iter()
        .find(|unit| unit.kind == UnitKind::Workload && unit.workload.as_ref() == Some(workload))?;
    Some(&unit.name)
}

/// The run of `unit`: the manager leaves a link for the journal when it starts one, and takes it away afterwards.
fn invocation(root: &HostRoot, unit: &str) -> Option<Invocation> {
    let link = root
        .join("/run/systemd/units")
        .join(format!("invocation:{unit}"));
    let id = fs::read_link(&link).ok()?;
    Some(Invocation {
        id: id.to_str()?.to_owned(),
    })
}
