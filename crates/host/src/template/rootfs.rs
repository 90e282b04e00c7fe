//! The shape of a root file system.

use super::{entries, look, missing};
use crate::host::HostError;
use bitbuilder_core::finding::{Finding, Origin};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const DIRECTORIES: [&str; 8] = ["etc", "usr", "var", "proc", "sys", "dev", "run", "tmp"];

pub(super) fn check(
    directory: &Path,
    root: &str,
    findings: &mut Vec<Finding>,
) -> Result<(), HostError> {
    let is_directory = look(directory, root)?.is_some_and(|found| found.is_dir());
    if !is_directory {
        findings.push(missing(root, "directory", "it is the root file system"));
        return Ok(());
    }
    let place = |path: &str| format!("{root}/{path}");
    let file = look(directory, &place("etc/os-release"))?;
    if !file.is_some_and(|found| found.is_file()) {
        let why = "os-release(5) names the system; it must be a regular file";
        findings.push(missing(&place("etc/os-release"), "file", why));
    }
    let link = look(directory, &place("usr/lib/os-release"))?;
    if !link.is_some_and(|found| found.is_symlink()) {
        let why = "it must be a link to ../../etc/os-release";
        findings.push(missing(&place("usr/lib/os-release"), "link", why));
    }
    for name in DIRECTORIES {
        let found = look(directory, &place(name))?;
        if !found.is_some_and(|found| found.is_dir()) {
            findings.push(missing(
                &place(name),
                "directory",
                "every root file system has it",
            ));
        }
    }
    temporary(directory, &place("tmp"), findings)?;
    for name in entries(directory, root)? {
        if look(directory, &place(&name))?.is_some_and(|found| found.is_file()) {
            let message = format!("`{name}` is a file in the root directory itself");
            let finding = Finding::error(Origin::file(place(&name)), "template-root", message);
            findings.push(finding.help("move it below /usr, /etc or /var"));
        }
    }
    Ok(())
}

fn temporary(directory: &Path, path: &str, findings: &mut Vec<Finding>) -> Result<(), HostError> {
    let mode = look(directory, path)?.map(|found| found.mode() & 0o7777);
    if let Some(mode) = mode.filter(|mode| *mode != 0o1777) {
        let message =
            format!("`{path}` has mode {mode:04o}: everybody must be able to write there");
        let finding = Finding::error(Origin::file(path), "template-tmp", message);
        findings.push(finding.help("`chmod 1777` it"));
    }
    Ok(())
}
