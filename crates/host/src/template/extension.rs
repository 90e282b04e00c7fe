//! The shape of a system or configuration extension.

use super::{entries, look, missing};
use crate::host::HostError;
use bitbuilder_core::finding::{Finding, Origin};
use std::fs;
use std::path::Path;

/// What an extension may hold.
pub(super) struct Kind {
    /// Directories at its root.
    directories: &'static [&'static str],
    /// Where its extension-release file is.
    release: &'static str,
}

/// systemd-sysext(8).
pub(super) const SYSEXT: Kind = Kind {
    directories: &["usr", "opt"],
    release: "usr/lib/extension-release.d",
};

/// systemd-confext(8).
pub(super) const CONFEXT: Kind = Kind {
    directories: &["etc"],
    release: "etc/extension-release.d",
};

/// Files of a template that are no part of the extension.
const BESIDE: [&str; 2] = ["metadata.json", "scripts"];

pub(super) fn check(
    directory: &Path,
    name: &str,
    kind: &Kind,
    findings: &mut Vec<Finding>,
) -> Result<(), HostError> {
    for entry in entries(directory, "")? {
        let known = kind.directories.contains(&entry.as_str()) || BESIDE.contains(&entry.as_str());
        if !known && !entry.starts_with('.') && !entry.starts_with("README") {
            let message = format!("an extension of this type has no `{entry}`");
            let finding = Finding::error(Origin::file(entry), "extension-root", message);
            findings.push(finding.help(format!("it may hold {}", kind.directories.join(", "))));
        }
    }
    let name = name
        .trim_end_matches(".sysext")
        .trim_end_matches(".confext");
    let path = format!("{}/extension-release.{name}", kind.release);
    if !look(directory, &path)?.is_some_and(|found| found.is_file()) {
        let why = "extension-release(5) says what it fits to";
        findings.push(missing(&path, "file", why));
        return Ok(());
    }
    let full = directory.join(&path);
    let text = fs::read_to_string(&full).map_err(HostError::file(&full))?;
    if !text.lines().any(|line| line.starts_with("ID=")) {
        let message = "it does not say `ID=`, so that it fits to no system".to_owned();
        let finding = Finding::error(Origin::file(&path), "extension-release", message);
        findings.push(finding.help("write the ID of os-release, or `ID=_any`"));
    }
    Ok(())
}
