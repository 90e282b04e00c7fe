//! Checks of a template directory: `metadata.json`, and the trees that its type must have.
//!
//! - [`check`]: all findings at once. A root file system is checked as the file hierarchy and os-release(5) want it,
//!   an extension as systemd-sysext(8) and extension-release(5) want it.

mod extension;
mod metadata;
mod rootfs;

use crate::host::HostError;
use bitbuilder_core::finding::{Finding, Origin};
use std::fs::{self, Metadata};
use std::io::ErrorKind;
use std::path::Path;

/// Everything that is wrong with the template at `directory`, sorted by place.
///
/// # Errors
/// When `directory` is not a directory or cannot be read.
pub fn check(directory: &Path) -> Result<Vec<Finding>, HostError> {
    let listed = entries(directory, "")?;
    let mut findings = Vec::new();
    let template = metadata::check(directory, &mut findings)?;
    match template.kind.as_deref() {
        Some("infrastructure" | "container") => rootfs::check(directory, "rootfs", &mut findings)?,
        Some("machine") => rootfs::check(directory, "disk-image/rootfs", &mut findings)?,
        Some("sysext") => {
            extension::check(
                directory,
                template.name.as_deref(),
                &extension::SYSEXT,
                &mut findings,
            )?;
        }
        Some("confext") => {
            extension::check(
                directory,
                template.name.as_deref(),
                &extension::CONFEXT,
                &mut findings,
            )?;
        }
        Some("homed") if !listed.iter().any(|name| name == "home-skeleton") => {
            findings.push(missing(
                "home-skeleton",
                "directory",
                "it becomes the home of a new user",
            ));
        }
        _ => {}
    }
    findings.sort();
    Ok(findings)
}

/// What is at `path` of the template, links not followed.
fn look(directory: &Path, path: &str) -> Result<Option<Metadata>, HostError> {
    let full = directory.join(path);
    match fs::symlink_metadata(&full) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(HostError::file(&full)(error)),
    }
}

/// Names in the directory `path` of the template, sorted.
fn entries(directory: &Path, path: &str) -> Result<Vec<String>, HostError> {
    let full = directory.join(path);
    let mut names = Vec::new();
    for entry in fs::read_dir(&full).map_err(HostError::file(&full))? {
        let entry = entry.map_err(HostError::file(&full))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

fn missing(path: &str, what: &str, why: &str) -> Finding {
    let message = format!("the {what} `{path}` is missing: {why}");
    Finding::error(Origin::file(path), "template-missing", message)
}
