//! The slice and what the shipped templates need to know of this tenant.

use super::limits;
use super::names;
use super::scene::Scene;
use super::set::{Set, Source};
use crate::artefact::{OwnedUnit, UnitKind};

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    slice(scene, set);
    let id = &scene.tenant.id;
    template(scene, set, UnitKind::Tenant, names::tenant(id));
    template(scene, set, UnitKind::Network, names::network(id));
    for (path, content) in &scene.tenant.scripts {
        // Paths in the repository are `scripts/...` already.
        set.add(
            path.clone(),
            content.to_vec(),
            0o755,
            Source::live(&scene.origin),
        );
    }
}

fn slice(scene: &Scene<'_>, set: &mut Set) {
    let name = names::slice(&scene.tenant.id);
    let mut file = set.unit_file(&scene.origin, "Unit");
    file.text("Description", &format!("Tenant {}", scene.tenant.id));
    limits::slice(&mut file, &scene.tenant.limits);
    set.add_unit_file(
        format!("system/{name}"),
        &file,
        Source::live(&scene.origin).of(&name),
    );
    set.own(OwnedUnit::new(name, UnitKind::Slice));
}

/// Drop-in of an instance of `tenant@` or `tenant-network@`: its journal entries carry the tenant.
fn template(scene: &Scene<'_>, set: &mut Set, kind: UnitKind, name: String) {
    let id = &scene.tenant.id;
    let mut file = set.unit_file(&scene.origin, "Unit");
    file.section("Service")
        .words("LogExtraFields", &[format!("BITBUILDER_TENANT={id}")]);
    set.add_unit_file(
        format!("system/{name}.d/50-bitbuilder.conf"),
        &file,
        Source::live(&scene.origin).of(&name),
    );
    set.own(OwnedUnit {
        autostart: scene.tenant.enabled && kind == UnitKind::Tenant,
        ..OwnedUnit::new(name, kind)
    });
}
