//! Layers and roots: one idmapped bind mount per image and tenant, one overlay per container.
//!
//! A layer's files belong to the host's root on disk; `X-mount.idmap=` (mount(8)) shows them as the tenant's.
//! An overlay's upper directory must not be idmapped (it would become read-only), so it belongs to the tenant's
//! root on disk.

use super::names;
use super::scene::{Placed, Scene};
use super::set::{Set, Source};
use crate::artefact::{OwnedUnit, UnitKind, UpdateClass};
use crate::desired::{ResolvedImage, WorkloadClass};
use crate::finding::{Finding, Origin};
use crate::unitfile::UnitFile;

/// Longest name of a unit, systemd.unit(5).
const UNIT_NAME_MAX: usize = 255;

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    set.directory("layers".into(), 0, 0o755);
    set.directory("containers".into(), 0, 0o755);
    let containers = scene.workloads.iter();
    for workload in containers.filter(|workload| workload.desired.machine().is_none()) {
        image(
            scene,
            &workload.desired.image,
            &workload.desired.origin,
            set,
        );
        root(scene, workload, set);
        volumes(scene, workload, set);
    }
}

/// The root's mount unit of a container.
pub(super) fn root_unit(scene: &Scene<'_>, workload: &Placed<'_>) -> String {
    names::mount(&root_path(scene, workload))
}

/// Where a container's root is mounted.
pub(super) fn root_path(scene: &Scene<'_>, workload: &Placed<'_>) -> String {
    format!(
        "{}/rootfs",
        names::container_home(&scene.tenant.id, &workload.desired.name)
    )
}

fn image(scene: &Scene<'_>, image: &ResolvedImage, origin: &Origin, set: &mut Set) {
    let id = &scene.tenant.id;
    let path = names::layer(id, &image.digest);
    let mut file = set.unit_file(&Origin::file("metadata.json"), "Unit");
    file.text(
        "Description",
        &format!("Image {} for tenant {id}", image.name),
    );
    ordering(&mut file, &[]);
    file.section("Mount")
        .text("What", &image.root)
        .text("Where", &path)
        .text("Type", "none")
        .text(
            "Options",
            &format!("bind,ro,nodev,X-mount.idmap=b:0:{}:65536", scene.uid_base),
        );
    set.directory(format!("layers/{}", image.digest), 0, 0o755);
    add(set, names::mount(&path), &file, origin, None, Vec::new());
}

fn root(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    let id = &scene.tenant.id;
    let name = &workload.desired.name;
    let base = scene.uid_base;
    let home = names::container_home(id, name);
    let WorkloadClass::Container { overlay, .. } = &workload.desired.class else {
        return;
    };
    let image = names::layer(id, &workload.desired.image.digest);
    let image_unit = names::mount(&image);

    let mut lower: Vec<String> = Vec::new();
    if let Some(layer) = overlay {
        set.layer(layer);
        lower.push(names::layer(id, &layer.key));
    }
    lower.push(image);
    let origin = &workload.desired.origin;
    if let Some(bad) = lower
        .iter()
        .find(|path| path.contains([':', ',', '\\', '"']))
    {
        set.refuse(Finding::error(
            origin.clone(),
            "unwritable-value",
            format!("`{bad}` cannot be a layer of an overlay"),
        ));
        return;
    }

    let mut file = set.unit_file(origin, "Unit");
    file.text(
        "Description",
        &format!("Root of container {name} of tenant {id}"),
    );
    ordering(&mut file, &[&image_unit]);
    file.section("Mount")
        .text("What", "overlay")
        .text("Where", &root_path(scene, workload))
        .text("Type", "overlay")
        .text("Options", &overlay_options(&lower, &home));
    for (part, owner, mode) in [
        ("", 0, 0o755),
        ("/rootfs", 0, 0o755),
        ("/upper", base, 0o755),
        ("/work", base, 0o755),
    ] {
        set.directory(format!("containers/{name}{part}"), owner, mode);
    }
    add(
        set,
        root_unit(scene, workload),
        &file,
        origin,
        Some(workload),
        vec![image_unit],
    );
}

/// Features that tie the upper directory to one lower tree are off: the upper outlives its image.
fn overlay_options(lower: &[String], home: &str) -> String {
    format!(
        "nodev,index=off,metacopy=off,redirect_dir=off,lowerdir={},upperdir={home}/upper,workdir={home}/work",
        lower.join(":")
    )
}

fn volumes(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    if workload.desired.volumes.is_empty() {
        return;
    }
    set.directory("volumes".into(), 0, 0o755);
    for volume in &workload.desired.volumes {
        set.directory(format!("volumes/{}", volume.name), scene.uid_base, 0o755);
    }
}

/// Instead of the default dependencies, which would let `local-fs.target` wait for tenants.
fn ordering(file: &mut UnitFile, requires: &[&str]) {
    file.verbatim("DefaultDependencies", "no")
        .units("Conflicts", &["umount.target"])
        .units("Before", &["umount.target"]);
    if requires.is_empty() {
        file.units("After", &["local-fs.target"]);
    } else {
        file.units("Requires", requires).units("After", requires);
    }
}

fn add(
    set: &mut Set,
    unit: String,
    file: &UnitFile,
    origin: &Origin,
    workload: Option<&Placed<'_>>,
    requires: Vec<String>,
) {
    if unit.len() > UNIT_NAME_MAX {
        set.refuse(
            Finding::error(
                origin.clone(),
                "name-too-long",
                format!(
                    "the mount unit of this container would need a name of {} bytes; 255 fit",
                    unit.len()
                ),
            )
            .help("choose a shorter name, or one with fewer dashes: each takes four bytes"),
        );
        return;
    }
    let source = Source {
        origin,
        unit: Some(&unit),
        class: UpdateClass::Recreate,
    };
    set.add_unit_file(format!("mounts/{unit}"), file, source);
    set.own(OwnedUnit {
        workload: workload.map(|workload| workload.desired.name.clone()),
        requires,
        ..OwnedUnit::new(unit, UnitKind::Mount)
    });
}
