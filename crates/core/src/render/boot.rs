//! What the generators link at boot and at every reload: one line per link, `<link>\t<target>`.
//!
//! A relative target is below the tenant's `current/`, an absolute one is a shipped template.

use super::names;
use super::scene::Scene;
use super::set::{Set, Source};
use std::collections::{BTreeMap, BTreeSet};

const SHIPPED: &str = "/usr/lib/systemd/system";

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    let mut links = top_level(set, "system/");
    wants(scene, &mut links);
    let mounts = top_level(set, "mounts/");
    for (path, links) in [("boot", links), ("mount-boot", mounts)] {
        let text: String = links
            .iter()
            .map(|(link, target)| format!("{link}\t{target}\n"))
            .collect();
        set.add(
            path.into(),
            text.into_bytes(),
            0o644,
            Source::live(&scene.origin),
        );
    }
}

/// Unit files and drop-in directories as they are.
fn top_level(set: &Set, prefix: &str) -> BTreeMap<String, String> {
    let names: BTreeSet<&str> = set
        .paths(prefix)
        .filter_map(|path| path.strip_prefix(prefix)?.split('/').next())
        .collect();
    names
        .into_iter()
        .map(|name| (name.to_owned(), format!("{prefix}{name}")))
        .collect()
}

/// What pulls what in: the boot the tenant, the tenant its workloads, a workload its health timer.
fn wants(scene: &Scene<'_>, links: &mut BTreeMap<String, String>) {
    let tenant = names::tenant(&scene.tenant.id);
    for workload in &scene.workloads {
        if workload.desired.health.is_some() {
            links.insert(
                format!(
                    "{}.wants/{}",
                    workload.unit,
                    names::health_timer(workload.machine)
                ),
                format!("{SHIPPED}/tenant-health@.timer"),
            );
        }
        if scene.tenant.enabled && workload.desired.autostart {
            let template = match workload.desired.machine() {
                Some(_) => "systemd-vmspawn@.service",
                None => "systemd-nspawn@.service",
            };
            links.insert(
                format!("{tenant}.wants/{}", workload.unit),
                format!("{SHIPPED}/{template}"),
            );
        }
    }
    if scene.tenant.enabled && scene.namespace.is_some() {
        links.insert(
            format!("{tenant}.wants/{}", names::namespace_unit(&scene.tenant.id)),
            format!("{SHIPPED}/netns-tenant@.service"),
        );
    }
    if scene.tenant.enabled {
        links.insert(
            format!("multi-user.target.wants/{tenant}"),
            format!("{SHIPPED}/tenant@.service"),
        );
    }
}
