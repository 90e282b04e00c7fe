//! The network namespace that workloads share: one interface, which `netns-tenant@` makes before any of them starts.

use super::links;
use super::names;
use super::scene::{Port, Scene};
use super::set::{Set, Source};
use crate::artefact::{OwnedUnit, UnitKind};

/// Batch that makes the link, from the host.
const HOST: &str = "namespace/host";
/// Batch that configures the inner end.
const INSIDE: &str = "namespace/inside";

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    let Some(port) = &scene.namespace else {
        return;
    };
    let unit = names::namespace_unit(&scene.tenant.id);
    dropin(scene, port, &unit, set);
    let network = scene.bridges[port.bridge].network;
    let source = Source::restart(&network.origin, &unit);
    let ports: &[Port<'_>] = std::slice::from_ref(port);
    let outer = links::into_namespace(scene, ports, &names::namespace(&scene.tenant.id));
    set.add(HOST.into(), outer.into_bytes(), 0o644, source);
    let inner = links::inside(scene, ports);
    set.add(INSIDE.into(), inner.into_bytes(), 0o644, source);
}

/// Its journal entries carry the tenant. The link is taken away by name: with its namespace it goes only after a while.
fn dropin(scene: &Scene<'_>, port: &Port<'_>, unit: &str, set: &mut Set) {
    let unlink = ["ip", "link", "delete", "dev", port.link];
    let mut file = set.unit_file(&scene.origin, "Unit");
    file.section("Service")
        .words(
            "LogExtraFields",
            &[format!("BITBUILDER_TENANT={}", scene.tenant.id)],
        )
        .command("ExecStartPre", "-", &unlink)
        .command("ExecStopPost", "-", &unlink);
    set.add_unit_file(
        format!("system/{unit}.d/50-bitbuilder.conf"),
        &file,
        Source::live(&scene.origin).of(unit),
    );
    set.own(OwnedUnit {
        autostart: scene.tenant.enabled,
        ..OwnedUnit::new(unit, UnitKind::Namespace)
    });
}
