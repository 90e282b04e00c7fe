//! A workload that a person names: `TENANT/WORKLOAD`.

use crate::command::status::unknown;
use crate::error::CommandError;
use bitbuilder_core::artefact::UnitKind;
use bitbuilder_core::model::Name;
use bitbuilder_host::generations;
use bitbuilder_host::host::Host;
use std::fmt;
use std::str::FromStr;

/// `TENANT` or `TENANT/WORKLOAD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) tenant: Name,
    pub(crate) workload: Option<Name>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.workload {
            Some(workload) => write!(f, "{}/{workload}", self.tenant),
            None => write!(f, "{}", self.tenant),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let name = |text: &str| Name::new(text).map_err(|error| error.to_string());
        match text.split_once('/') {
            Some((tenant, workload)) => Ok(Self {
                tenant: name(tenant)?,
                workload: Some(name(workload)?),
            }),
            None => Ok(Self {
                tenant: name(text)?,
                workload: None,
            }),
        }
    }
}

/// A workload of a current generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// The unit that runs it.
    pub(crate) unit: String,
    /// Its name in machined.
    pub(crate) machine: String,
    /// What it is.
    pub(crate) class: Class,
}

/// What a workload is to those who want to enter it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A container with a system of its own, which can start commands.
    System,
    /// A container that runs a command.
    Command,
    /// A virtual machine.
    Machine,
}

/// The workload that `target` names; without a name, the only one of the tenant.
pub(crate) fn find(host: &dyn Host, target: &Target) -> Result<Workload, CommandError> {
    let (root, id) = (host.root(), &target.tenant);
    if !root.tenant(id).is_dir() {
        return Err(unknown(host, id)?.into());
    }
    let Some(manifest) = generations::read_current(root, id)? else {
        let error = CommandError::refused(format!("{id} has no generation, so nothing of it runs"));
        return Err(error.hint(format!("`bbctl status {id}` says why")));
    };
    let units = manifest.units.iter();
    let workloads: Vec<_> = units
        .filter(|unit| unit.kind == UnitKind::Workload)
        .collect();
    let found = match &target.workload {
        Some(name) => workloads
            .iter()
            .find(|unit| unit.workload.as_ref() == Some(name)),
        None if workloads.len() == 1 => workloads.first(),
        None => None,
    };
    let parsed = found.and_then(|unit| {
        let machine = unit.name.split_once('@')?.1.strip_suffix(".service")?;
        Some((machine, &unit.name))
    });
    let Some((machine, unit)) = parsed else {
        let known: Vec<String> = workloads
            .iter()
            .filter_map(|unit| Some(format!("{id}/{}", unit.workload.as_ref()?)))
            .collect();
        let error = CommandError::refused(match &target.workload {
            Some(name) => format!("{id} has no workload `{name}`"),
            None => format!("{id} has {} workloads", workloads.len()),
        });
        return Err(error.hint(format!("name one of {}", known.join(", "))));
    };
    let settings = root
        .generation(id, manifest.number)
        .join(format!("system/{unit}.d/50-bitbuilder.conf"));
    let settings = std::fs::read_to_string(&settings).map_err(CommandError::file(&settings))?;
    Ok(Workload {
        unit: unit.clone(),
        machine: machine.to_owned(),
        class: match settings.split_whitespace().any(|word| word == "--boot") {
            _ if unit.starts_with("systemd-vmspawn@") => Class::Machine,
            true => Class::System,
            false => Class::Command,
        },
    })
}
