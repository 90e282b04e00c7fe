//! Making hosts for tests, and removing those that failed tests left.

use super::repository;
use crate::bed::Bed;
use crate::host::Host;
use crate::system::System;
use crate::vm::{Vm, VmSystem};
use anyhow::Result;
use std::path::Path;
use std::sync::OnceLock;

/// What hosts are made from, once per test program; the first to need it prepares, the others wait.
type Prepared<T> = OnceLock<Result<T, String>>;

fn prepared<T>(lock: &'static Prepared<T>, make: fn(&Path) -> Result<T>) -> Result<&'static T> {
    lock.get_or_init(|| make(&repository()).map_err(|error| format!("{error:#}")))
        .as_ref()
        .map_err(|error| anyhow::anyhow!("{error}"))
}

/// A container host for the test `name`, not booted.
pub(super) fn container(name: &str) -> Result<Bed> {
    static SYSTEM: Prepared<System> = OnceLock::new();
    let system = prepared(&SYSTEM, System::prepare)?;
    for bed in Bed::all(system.lab())? {
        remove_stale(&bed, name)?;
    }
    system.create(&own(name))
}

/// A VM host for the test `name`, whose first start goes on from a snapshot.
pub(super) fn vm(name: &str) -> Result<Vm> {
    static SYSTEM: Prepared<VmSystem> = OnceLock::new();
    let system = prepared(&SYSTEM, VmSystem::prepare)?;
    for vm in Vm::all(system.cache())? {
        remove_stale(&vm, name)?;
    }
    system.create(&own(name))
}

fn own(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// Destroys a host of this test whose test program is gone.
fn remove_stale(host: &dyn Host, name: &str) -> Result<()> {
    let owner = host.name().strip_prefix(name).and_then(|rest| {
        let digits = rest.strip_prefix('-')?;
        digits.parse::<u32>().ok()
    });
    if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
        host.destroy()?;
    }
    Ok(())
}
