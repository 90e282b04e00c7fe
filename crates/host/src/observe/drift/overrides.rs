//! Files of others that change units of tenants, systemd.unit(5) and `systemctl set-property`.

use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::drift::{Override, OverrideKind};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Directories that are read before that of the generators, or beside it.
const DIRECTORIES: [&str; 6] = [
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
];

/// What is in them, by unit.
pub(super) struct Overrides(BTreeMap<String, Vec<PathBuf>>);

impl Overrides {
    pub(super) fn read(root: &HostRoot) -> Result<Self, HostError> {
        let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for directory in DIRECTORIES {
            for path in entries(&root.join(directory))? {
                let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
                    continue;
                };
                let unit = name.strip_suffix(".d").unwrap_or(name);
                found.entry(unit.to_owned()).or_default().push(path);
            }
        }
        Ok(Self(found))
    }

    /// Whether there are any of `unit`.
    pub(super) fn concern(&self, unit: &str) -> bool {
        self.0.contains_key(unit)
    }

    /// Those of units that the generation has.
    pub(super) fn of(&self, root: &HostRoot, manifest: &Manifest) -> Vec<Override> {
        if self.0.is_empty() {
            return Vec::new();
        }
        let units = manifest.units.iter().map(|unit| unit.name.as_str());
        let paths = units.filter_map(|unit| Some((unit, self.0.get(unit)?)));
        paths
            .flat_map(|(unit, paths)| paths.iter().map(move |path| (unit, path)))
            .flat_map(|(unit, path)| overriding(root, unit, path))
            .collect()
    }
}

/// What `path` does to `unit`; a file that went away in between does nothing.
fn overriding(root: &HostRoot, unit: &str, path: &Path) -> Vec<Override> {
    let is_directory = path.is_dir() && !path.is_symlink();
    let files = match is_directory {
        true => entries(path).unwrap_or_default(),
        false => vec![path.to_owned()],
    };
    let conf = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "conf");
    let mut files: Vec<PathBuf> = files
        .into_iter()
        .filter(|path| !is_directory || conf(path))
        .collect();
    files.sort();
    let started = started(root, unit);
    let one = |path: PathBuf| {
        let metadata = fs::symlink_metadata(&path).ok()?;
        let masks = fs::read_link(&path).is_ok_and(|target| target == Path::new("/dev/null"));
        let since = u64::try_from(metadata.mtime()).unwrap_or_default();
        Some(Override {
            unit: unit.to_owned(),
            kind: match (is_directory, masks) {
                (true, _) => OverrideKind::DropIn,
                (false, true) => OverrideKind::Mask,
                (false, false) => OverrideKind::File,
            },
            text: fs::read_to_string(&path).unwrap_or_default(),
            path: shown(root, &path),
            since,
            owner: metadata.uid(),
            in_effect: started.is_some_and(|started| started >= since),
        })
    };
    files.into_iter().filter_map(one).collect()
}

/// When a unit was started: the manager leaves a link for the journal then.
pub(super) fn started(root: &HostRoot, unit: &str) -> Option<u64> {
    let link = root
        .join("/run/systemd/units")
        .join(format!("invocation:{unit}"));
    u64::try_from(fs::symlink_metadata(link).ok()?.mtime()).ok()
}

/// `path` as it is on the host.
pub(super) fn shown(root: &HostRoot, path: &Path) -> String {
    let below = path.strip_prefix(root.path()).unwrap_or(path);
    Path::new("/").join(below).to_string_lossy().into_owned()
}

/// What is in a directory; nothing in one that is not there.
pub(super) fn entries(directory: &Path) -> Result<Vec<PathBuf>, HostError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(HostError::file(directory)(error)),
    };
    let path = |entry: std::io::Result<fs::DirEntry>| Some(entry.ok()?.path());
    Ok(entries.filter_map(path).collect())
}
