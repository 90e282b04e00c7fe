//! Checks of a template directory: `metadata.json`, and the trees that its type must have.
//!
//! - [`check`]: all findings at once. A root file system is checked as the file hierarchy and os-release(5) want it,
//!   an extension as systemd-sysext(8) and extension-release(5) want it.

mod extension;
mod rootfs;

use crate::host::HostError;
use bitbuilder_core::document::{MAX_DOCUMENT, read_template};
use bitbuilder_core::finding::{Finding, Origin};
use bitbuilder_core::model::{TemplateKind, TemplateMetadata};
use bitbuilder_core::report::sources;
use bitbuilder_core::tree::{Blob, Entry, Tree};
use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::Path;

const METADATA: &str = "metadata.json";

/// Everything that is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checkup {
    /// Sorted by place.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    pub sources: BTreeMap<String, String>,
}

/// Everything that is wrong with the template at `directory`.
///
/// # Errors
/// When `directory` is not a directory or cannot be read.
pub fn check(directory: &Path) -> Result<Checkup, HostError> {
    let listed = entries(directory, "")?;
    let tree = metadata(directory)?;
    let checked = read_template(&tree);
    let mut findings = checked.findings;
    if let Some(template) = &checked.value {
        trees(directory, template, &listed, &mut findings)?;
    }
    findings.sort();
    let sources = sources(&tree, &findings);
    Ok(Checkup { findings, sources })
}

/// The trees that a template must have.
fn trees(
    directory: &Path,
    template: &TemplateMetadata,
    listed: &[String],
    findings: &mut Vec<Finding>,
) -> Result<(), HostError> {
    let name = template.name.as_str();
    match template.kind {
        TemplateKind::Infrastructure | TemplateKind::Container => {
            rootfs::check(directory, "rootfs", findings)
        }
        TemplateKind::Machine => rootfs::check(directory, "disk-image/rootfs", findings),
        TemplateKind::Sysext => extension::check(directory, name, &extension::SYSEXT, findings),
        TemplateKind::Confext => extension::check(directory, name, &extension::CONFEXT, findings),
        TemplateKind::Homed => {
            if !listed.iter().any(|name| name == "home-skeleton") {
                let why = "it becomes the home of a new user";
                findings.push(missing("home-skeleton", "directory", why));
            }
            Ok(())
        }
        TemplateKind::Network => Ok(()),
    }
}

/// `metadata.json` alone, as a tree.
fn metadata(directory: &Path) -> Result<Tree, HostError> {
    let path = directory.join(METADATA);
    let mut tree = Tree::default();
    let mut content = Vec::new();
    match File::open(&path) {
        Ok(file) => file.take(MAX_DOCUMENT + 1).read_to_end(&mut content),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(tree),
        Err(error) => Err(error),
    }
    .map_err(HostError::file(&path))?;
    let blob = Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(content.into()),
    };
    tree.entries.insert(METADATA.to_owned(), Entry::File(blob));
    Ok(tree)
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
