//! The host's own keys, in the File Hierarchy for the Verification of OS Artifacts (UAPI group):
//! `<load path>/<os>/git-commit/<context>/<technology>/`, the context being `default` for every repository or `system` for
//! the system repository alone.
//!
//! - `openpgp`: `<fingerprint>.openpgp`. What all load paths have of a certificate counts together.
//! - `ssh`: `allowed_signers`, `revoked_signers`, and `NAME.pub`, one key of principal NAME each. A file in an earlier load
//!   path replaces one of the same name.
//!
//! A link to /dev/null below /etc or /run masks a name everywhere. Other links are followed to a file of the same name in
//! a load path, never below /run. Directories are not followed.

use super::certificate::fingerprints;
use crate::paths::HostRoot;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::signature::{Certificate, KeyRing, allowed_signers, revoked_signers};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where verifiers are, the most important first.
const LOAD_PATHS: [&str; 4] = [
    "/etc/voa",
    "/run/voa",
    "/usr/local/share/voa",
    "/usr/share/voa",
];
/// Load paths in which a link to /dev/null masks.
const MASKING: [&str; 2] = ["/etc/voa", "/run/voa"];
const PURPOSE: &str = "git-commit";
/// Bytes of one file, at most.
const LARGEST: u64 = 1 << 20;

/// Whose commits the keys are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Context {
    /// Those of tenants.
    Tenants,
    /// Those of the system repository.
    System,
}

/// The keys of the host, and what was passed over.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// The keys.
    pub keys: KeyRing,
    /// Files that were passed over, and why: one sentence each.
    pub notes: Vec<String>,
}

/// Reads the keys that the host itself has. What cannot be used is passed over and noted: no file here can make more be
/// trusted than it says.
pub fn read(root: &HostRoot, context: Context) -> Found {
    let contexts: &[&str] = match context {
        Context::Tenants => &["default"],
        Context::System => &["default", "system"],
    };
    let mut found = Found::default();
    for os in identifiers(root) {
        for context in contexts {
            let place = format!("{os}/{PURPOSE}/{context}");
            openpgp(root, &format!("{place}/openpgp"), &mut found);
            ssh(root, &format!("{place}/ssh"), &mut found);
        }
    }
    found
}

/// The identifiers of this system: by its id, and by all that os-release says.
fn identifiers(root: &HostRoot) -> Vec<String> {
    let files = ["/etc/os-release", "/usr/lib/os-release"];
    let mut files = files.iter().map(|path| fs::read_to_string(root.join(path)));
    let text = files.find_map(Result::ok).unwrap_or_default();
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once('='));
        let (_, value) = lines.find(|(key, _)| *key == name)?;
        let value = value.trim().trim_matches(['"', '\'']);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
        (!value.is_empty() && value.chars().all(plain)).then(|| value.to_owned())
    };
    // os-release(5): the default.
    let id = value("ID").unwrap_or_else(|| "linux".to_owned());
    let parts = ["VERSION_ID", "VARIANT_ID", "IMAGE_ID", "IMAGE_VERSION"];
    let parts = parts.map(|name| value(name).unwrap_or_default());
    let full = format!("{id}:{}", parts.join(":"));
    let full = full.trim_end_matches(':').to_owned();
    let mut all = vec![id];
    if full != all[0] {
        all.push(full);
    }
    all
}

fn openpgp(root: &HostRoot, place: &str, found: &mut Found) {
    for (name, files) in directory(root, place, &mut found.notes) {
        let Some(fingerprint) = name.strip_suffix(".openpgp") else {
            note(found, &files, "its name does not end with `.openpgp`");
            continue;
        };
        for file in &files {
            if fingerprints(&file.text) == [fingerprint] {
                found.keys.certificates.push(Certificate {
                    name: fingerprint.to_owned(),
                    armor: file.text.clone(),
                });
            } else {
                let why =
                    "it does not hold the one certificate, in ASCII armor, that its name says";
                note(found, std::slice::from_ref(file), why);
            }
        }
    }
}

fn ssh(root: &HostRoot, place: &str, found: &mut Found) {
    for (name, files) in directory(root, place, &mut found.notes) {
        let Some(file) = files.first() else {
            continue;
        };
        let mut findings: Vec<Finding> = Vec::new();
        match name.as_str() {
            "allowed_signers" => {
                let signers = allowed_signers(&file.path, &file.text, &mut findings);
                found.keys.allowed.extend(signers);
            }
            "revoked_signers" => {
                let revoked = revoked_signers(&file.path, &file.text, &mut findings);
                found.keys.revoked.extend(revoked);
            }
            name => match name.strip_suffix(".pub") {
                Some(principal) => {
                    let line = format!("\"{principal}\" {}", file.text.trim());
                    let signers = allowed_signers(&file.path, &line, &mut findings);
                    found.keys.allowed.extend(signers);
                }
                None => note(found, &files, "nothing reads a file of this name"),
            },
        }
        let sentence = |finding: Finding| format!("{}: {}", finding.origin, finding.message);
        found.notes.extend(findings.into_iter().map(sentence));
    }
}

fn note(found: &mut Found, files: &[File], why: &str) {
    let sentences = files.iter().map(|file| format!("{}: {why}", file.path));
    found.notes.extend(sentences);
}

/// A verifier's file.
struct File {
    /// Path on the host.
    path: String,
    text: String,
}

/// The files of a directory in all load paths, by name, the most important first; masked names are not in it.
fn directory(root: &HostRoot, place: &str, notes: &mut Vec<String>) -> BTreeMap<String, Vec<File>> {
    let mut files: BTreeMap<String, Vec<File>> = BTreeMap::new();
    let mut masked = BTreeSet::new();
    for load_path in LOAD_PATHS {
        let directory = format!("{load_path}/{place}");
        for name in names(root, &directory, notes) {
            let path = format!("{directory}/{name}");
            match open(root, load_path, &path) {
                Ok(Some(text)) => files.entry(name).or_default().push(File { path, text }),
                Ok(None) => drop(masked.insert(name)),
                Err(why) => notes.push(format!("{path}: {why}")),
            }
        }
    }
    files.retain(|name, _| !masked.contains(name));
    files
}

/// Names in `directory`, sorted; nothing when it is not there.
fn names(root: &HostRoot, directory: &str, notes: &mut Vec<String>) -> Vec<String> {
    let path = root.join(directory);
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(_) => {
            notes.push(format!(
                "{directory}: it is not a directory; links are not followed"
            ));
            return Vec::new();
        }
        Err(_) => return Vec::new(),
    }
    let entries = fs::read_dir(&path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The text at `path`; `None` when it masks its name.
fn open(root: &HostRoot, load_path: &str, path: &str) -> Result<Option<String>, String> {
    let metadata = |path: &Path| path.symlink_metadata().map_err(|error| error.to_string());
    let mut place = root.join(path);
    let mut found = metadata(&place)?;
    if found.is_symlink() {
        let target = fs::read_link(&place).map_err(|error| error.to_string())?;
        if target == Path::new("/dev/null") {
            return if MASKING.contains(&load_path) {
                Ok(None)
            } else {
                Err("a link to /dev/null masks only below /etc/voa and /run/voa".to_owned())
            };
        }
        place = root.join(linked(load_path, Path::new(path), &target)?);
        found = metadata(&place)?;
    }
    if !found.is_file() || found.len() > LARGEST {
        return Err("it is not a regular file of at most 1 MiB".to_owned());
    }
    fs::read_to_string(&place)
        .map(Some)
        .map_err(|error| error.to_string())
}

/// Where a link in `load_path` leads: to a file of the same name in the same load path or a less important one.
fn linked(load_path: &str, link: &Path, target: &Path) -> Result<PathBuf, String> {
    let mut path = PathBuf::new();
    let whole = link.parent().unwrap_or(link).join(target);
    for part in whole.components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    let mut allowed = LOAD_PATHS.iter().skip_while(|one| **one != load_path);
    let inside = allowed.any(|one| path.starts_with(one));
    if load_path == "/run/voa" {
        Err("links below /run/voa are not followed".to_owned())
    } else if !inside || path.starts_with("/run/voa") {
        Err(format!(
            "it links to {}, which is in none of its load paths",
            path.display()
        ))
    } else if path.file_name() != link.file_name() {
        Err(format!(
            "it links to {}, a file of another name",
            path.display()
        ))
    } else {
        Ok(path)
    }
}
