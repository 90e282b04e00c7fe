//! What every command needs: the host, real or simulated, and the terminal.

use crate::cli::Global;
use crate::error::CommandError;
use crate::ui::Ui;
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::paths::HostRoot;
use bitbuilder_host::sim::SimHost;
use bitbuilder_host::systemd::SystemdHost;
use std::path::PathBuf;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    sim: Option<PathBuf>,
    pub(crate) ui: Ui,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            sim: global.sim.clone(),
            ui: Ui::new(global.color),
        }
    }

    /// The directory of the simulated host, if it is one.
    pub(crate) fn simulated(&self) -> Option<&PathBuf> {
        self.sim.as_ref()
    }

    /// The host that the command is about.
    pub(crate) fn host(&self) -> Result<Box<dyn Host>, CommandError> {
        if let Some(directory) = &self.sim {
            return Ok(Box::new(SimHost::open(directory)?));
        }
        Ok(Box::new(SystemdHost::new(HostRoot::new("/"))))
    }
}

/// A tenant's id from the command line.
pub(crate) fn tenant(text: &str) -> Result<Name, String> {
    Name::new(text).map_err(|error| error.to_string())
}
