//! Root file systems of containers: which of their layers a file comes from.

use super::catalogue::Catalogue;
use super::{Kind, Subject, unrelated, workloads};
use crate::host::HostError;
use bitbuilder_core::artefact::Manifest;
use bitbuilder_core::desired::Layer;
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::Name;
use bitbuilder_core::unitfile::escape_path;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// The file `inside` of `part` (`rootfs`, `upper`, `work`) of container `name`.
pub(super) fn subject(
    catalogue: &Catalogue<'_>,
    what: &str,
    manifest: &Manifest,
    name: &str,
    part: &str,
    inside: &[&str],
) -> Result<Subject, HostError> {
    let id = &manifest.tenant;
    let Some(workload) = workloads(manifest).find(|known| known.as_str() == name) else {
        let reason = format!("the current generation of tenant {id} has no container {name}");
        return Err(unrelated(what, reason));
    };
    let home = format!("/var/lib/tenants/{id}/containers/{name}");
    let mount = format!("{}.mount", escape_path(&format!("{home}/rootfs")));
    let root = Subject {
        workload: Some(workload.clone()),
        files: vec![format!("mounts/{mount}")],
        unit: Some(mount),
        ..Subject::new(Kind::Root, id)
    };
    if part != "rootfs" || inside.is_empty() {
        return Ok(root);
    }
    if let Some(found) = look(&catalogue.root.join(format!("{home}/upper")), inside)
        && !found.is_directory
    {
        let did = if found.is_whiteout {
            "deleted"
        } else {
            "made or changed"
        };
        let note = format!("{did} inside the container since it was first started");
        return Ok(Subject {
            note: Some(note),
            ..root
        });
    }
    for lower in lower(catalogue, id, &root.files[0]) {
        if look(&catalogue.root.join(&lower), inside).is_none() {
            continue;
        }
        let key = lower.rsplit('/').next().unwrap_or_default();
        if let Some(layer) = manifest.layers.iter().find(|layer| layer.key == key) {
            return Ok(in_layer(root, layer, inside));
        }
        let file = format!("mounts/{}.mount", escape_path(&lower));
        return Ok(Subject {
            note: image(catalogue, id, &file),
            ..root
        });
    }
    Err(unrelated(
        what,
        format!("container {name} of tenant {id} has no such file"),
    ))
}

/// The file `inside` of a layer that a directory of the repository became.
pub(super) fn in_layer(subject: Subject, layer: &Layer, inside: &[&str]) -> Subject {
    let parts = layer.path.split('/').chain(inside.iter().copied());
    let path: Vec<&str> = parts.collect();
    let workload = match path.as_slice() {
        ["containers", name, ..] => Name::new(*name).ok(),
        _ => None,
    };
    Subject {
        workload: subject.workload.or(workload),
        origin: Some(Origin::file(path.join("/"))),
        ..subject
    }
}

/// A sentence that names the image whose mount unit `file` of the current generation is.
pub(super) fn image(catalogue: &Catalogue<'_>, id: &Name, file: &str) -> Option<String> {
    let what = value(catalogue, id, file, "What=")?;
    Some(format!("comes from the image {what}"))
}

/// Lower directories of a root, uppermost first.
fn lower(catalogue: &Catalogue<'_>, id: &Name, file: &str) -> Vec<String> {
    let options = value(catalogue, id, file, "Options=").unwrap_or_default();
    let lower = options
        .split(',')
        .find_map(|option| option.strip_prefix("lowerdir="));
    lower
        .unwrap_or_default()
        .split(':')
        .map(str::to_owned)
        .collect()
}

/// The value of `key` in a file that our own writer made.
fn value(catalogue: &Catalogue<'_>, id: &Name, file: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(catalogue.root.current(id).join(file)).ok()?;
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(key))
        .map(str::to_owned)
}

/// What is at a path in a directory.
struct Found {
    is_directory: bool,
    /// The kernel's mark for a deleted file: overlayfs, "whiteouts and opaque directories".
    is_whiteout: bool,
}

/// What is at `inside` in `directory`. The tenant makes what is in there: no link of its is followed.
fn look(directory: &Path, inside: &[&str]) -> Option<Found> {
    let mut path = directory.to_owned();
    let mut found = None;
    for (index, part) in inside.iter().enumerate() {
        path.push(part);
        let metadata = fs::symlink_metadata(&path).ok()?;
        let kind = metadata.file_type();
        if index + 1 < inside.len() && !kind.is_dir() {
            return None;
        }
        found = Some(Found {
            is_directory: kind.is_dir(),
            is_whiteout: kind.is_char_device() && metadata.rdev() == 0,
        });
    }
    found
}
