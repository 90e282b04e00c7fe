//! The link `current`.

use super::index::unindex;
use super::{read::number, read_manifest};
use crate::atomic::{self, Written};
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::model::Name;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// The number that `current` points at; `None` when there is no link.
///
/// # Errors
/// When `current` is not a link to `generations/<number>`.
pub fn current(root: &HostRoot, id: &Name) -> Result<Option<u64>, HostError> {
    let link = root.current(id);
    let target = match fs::read_link(&link) {
        Ok(target) => target,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file(&link)(error)),
    };
    let name = target.strip_prefix("generations").ok();
    match name.and_then(Path::to_str).and_then(number) {
        Some(number) => Ok(Some(number)),
        None => {
            let reason = format!("points at {}, not at a generation", target.display());
            Err(HostError::damaged(&link, reason))
        }
    }
}

/// Points `current` at generation `number`, in one step.
///
/// # Errors
/// When that generation has no readable manifest; `current` is then as it was.
pub fn switch(root: &HostRoot, id: &Name, number: u64) -> Result<Written, HostError> {
    read_manifest(root, id, number)?;
    unindex(root)?;
    let target = Path::new("generations").join(number.to_string());
    atomic::write_link(&root.current(id), &target)
}

/// Removes `current`: the generators pass the tenant over. Whether it was there.
///
/// # Errors
/// When a file operation fails.
pub fn unlink(root: &HostRoot, id: &Name) -> Result<bool, HostError> {
    unindex(root)?;
    atomic::remove(&root.current(id))
}
