//! Making hosts for tests, and removing those that failed tests left.

use super::repository;
use crate::bed::Bed;
use crate::host::Host;
use crate::system::System;
use anyhow::Result;
use std::path::Path;
use std::sync::OnceLock;

/// Once per test program; the first to need it prepares, the others wait.
fn system() -> Result<&'static System> {
    static SYSTEM: OnceLock<Result<System, String>> = OnceLock::new();
    SYSTEM
        .get_or_init(|| System::prepare(&repository()).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// A host for the test `name`, not booted.
pub(super) fn host(name: &str) -> Result<Bed> {
    let system = system()?;
    remove_stale(system, name)?;
    system.create(&format!("{name}-{}", std::process::id()))
}

/// Destroys hosts of this test whose test program is gone.
fn remove_stale(system: &System, name: &str) -> Result<()> {
    for bed in Bed::all(system.lab())? {
        let owner = bed.name().strip_prefix(name).and_then(|rest| {
            let digits = rest.strip_prefix('-')?;
            digits.parse::<u32>().ok()
        });
        if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            bed.destroy()?;
        }
    }
    Ok(())
}
