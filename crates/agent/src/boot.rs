//! The first pass after a boot. The timer that makes all other regular passes makes it, too: what is first is known by a
//! mark in `/run`.

use crate::child;
use crate::failure::Result;
use bitbuilder_host::host::{Host, HostError};
use std::fs::File;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::time::Duration;

/// A pass that was started by a boot that is still under way would find its tenants down.
const BOOT: Duration = Duration::from_secs(600);
/// One more pass, once the network is there.
const ONLINE: &str = "bitbuilder-online.service";

/// Whether this is the first regular pass since the boot.
///
/// # Errors
/// When the mark cannot be made.
pub(crate) fn is_first(host: &dyn Host) -> Result<bool> {
    let mark = host.root().runtime().join("booted");
    match File::create_new(&mark) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(HostError::file(&mark)(error).into()),
    }
}

/// Waits until the manager has no job left: our own unit has none, its program is its only part.
pub(crate) fn wait_done() {
    let mut command = Command::new("systemctl");
    command
        .args(["is-system-running", "--wait"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .stdin(Stdio::null());
    // Running or degraded is the same here; and when it is not to be known, the pass is made all the same.
    let _ = child::run(command, BOOT, 0);
}

/// Has the pass repeated once the network is there.
///
/// # Errors
/// When the manager refuses.
pub(crate) fn repeat_online(host: &dyn Host) -> Result {
    Ok(host.start_no_block(&[ONLINE.to_owned()])?)
}
