//! What is kept of a host whose test failed.

use super::repository;
use crate::host::Host;
use anyhow::Result;
use std::fs;
use std::path::PathBuf;

/// Journal, units and state of a host whose test failed, in `target/itest/<name>/`.
pub(super) fn keep(host: &dyn Host) -> Result<PathBuf> {
    let directory = repository().join("target/itest").join(host.name());
    fs::create_dir_all(&directory)?;
    host.keep_logs(&directory)?;
    fs::write(
        directory.join("journal"),
        host.journal(&["-o", "short-precise"])?,
    )?;
    if !host.is_running() {
        return Ok(directory);
    }
    let look = "systemctl list-units --failed --no-pager; systemctl list-jobs --no-pager; \
        bbctl status; networkctl; nft list ruleset";
    let looked = host.exec(&["sh", "-c", look])?;
    fs::write(
        directory.join("state"),
        [looked.stdout, looked.stderr].concat(),
    )?;
    let pack = "cd /; tar -cf - --ignore-failed-read --exclude=containers --exclude=machines --exclude=volumes --exclude=layers \
        --exclude='*.git' $(ls -d var/lib/tenants var/lib/bitbuilder run/bitbuilder 2>/dev/null)";
    let packed = host.exec(&["sh", "-c", pack])?;
    fs::write(directory.join("state.tar"), packed.stdout)?;
    Ok(directory)
}
