//! Health checks: a timer per workload that has one, and what `tenant-health` shall ask.

use super::scene::{Placed, Scene};
use super::set::{Set, Source};
use super::{capabilities, names};
use crate::artefact::{OwnedUnit, UnitKind};
use crate::model::{Check, Health, Name};
use serde::{Deserialize, Serialize};
use std::net::Ipv4Addr;

/// `health/<workload>.json` of a generation: one check, ready to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// The tenant.
    pub tenant: Name,
    /// The workload.
    pub workload: Name,
    /// Its name in machined.
    pub machine: String,
    /// What is asked, and when.
    #[serde(flatten)]
    pub health: Health,
    /// Address for checks over the network; `None` when the workload has no network.
    pub address: Option<Ipv4Addr>,
    /// Path of the script, relative to the generation, of a script check.
    pub script: Option<String>,
    /// Capabilities that a process inside may have: the workload's bounding set, hexadecimal.
    pub capabilities: String,
}

pub(super) fn render(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    let desired = workload.desired;
    let Some(health) = &desired.health else {
        return;
    };
    let source = Source::live(&desired.origin);

    let script = desired.health_script.as_ref().map(|content| {
        let path = format!("health/{}.sh", desired.name);
        set.add(path.clone(), content.to_vec(), 0o755, source);
        path
    });
    let check = HealthCheck {
        tenant: scene.tenant.id.clone(),
        workload: desired.name.clone(),
        machine: workload.machine.to_owned(),
        health: health.clone(),
        address: workload.ports.first().map(|port| port.address),
        script,
        capabilities: capabilities::mask(&capabilities::kept(workload)),
    };
    let mut text = serde_json::to_string_pretty(&check).unwrap_or_default();
    text.push('\n');
    set.add(
        format!("health/{}.json", desired.name),
        text.into_bytes(),
        0o644,
        source,
    );

    timer(scene, workload, health, set);
    service(scene, workload, health, set);
}

/// The timer starts and stops with the workload. Early checks come at growing distances, so that a workload that
/// is up soon is known to be up soon, whatever its interval.
fn timer(scene: &Scene<'_>, workload: &Placed<'_>, health: &Health, set: &mut Set) {
    let desired = workload.desired;
    let name = names::health_timer(workload.machine);
    let mut file = set.unit_file(&desired.origin, "Unit");
    file.text(
        "Description",
        &format!("Health of {} of tenant {}", desired.name, scene.tenant.id),
    )
    .units("PartOf", &[&workload.unit])
    .units("After", &[&workload.unit])
    .section("Timer");
    let interval = health.interval.0.max(1000);
    for early in [500, 1000, 2000, 4000, 8000, 16000] {
        if early < interval {
            file.verbatim("OnActiveSec", format!("{early}ms"));
        }
    }
    file.verbatim("OnActiveSec", format!("{interval}ms"))
        .verbatim("OnUnitActiveSec", format!("{interval}ms"))
        .verbatim("AccuracySec", "100ms");
    set.add_unit_file(
        format!("system/{name}.d/50-bitbuilder.conf"),
        &file,
        Source::live(&desired.origin).of(&name),
    );
    set.own(OwnedUnit {
        workload: Some(desired.name.clone()),
        autostart: scene.tenant.enabled && desired.autostart,
        ..OwnedUnit::new(name, UnitKind::Health)
    });
}

fn service(scene: &Scene<'_>, workload: &Placed<'_>, health: &Health, set: &mut Set) {
    let desired = workload.desired;
    let id = &scene.tenant.id;
    let name = names::health_service(workload.machine);
    let mut file = set.unit_file(&desired.origin, "Unit");
    file.section("Service")
        .units("Slice", &[names::slice(id)])
        // The check has its own limit; this one is for a check that does not keep it.
        .verbatim(
            "TimeoutStartSec",
            format!("{}ms", health.timeout.0.saturating_add(10_000)),
        )
        .words(
            "LogExtraFields",
            &[
                format!("BITBUILDER_TENANT={id}"),
                format!("BITBUILDER_WORKLOAD={}", desired.name),
            ],
        );
    let asks = matches!(
        health.check,
        Check::Tcp(_) | Check::Http { .. } | Check::Answers
    );
    let first = workload.ports.first().filter(|_| asks);
    let domain = first.and_then(|port| scene.bridges[port.bridge].allocated.vrf.as_ref());
    if let Some(vrf) = domain {
        // The address means something there only.
        file.verbatim("BindNetworkInterface", &vrf.link);
    }
    let source = Source::live(&desired.origin).of(&name);
    set.add_unit_file(format!("system/{name}.d/50-bitbuilder.conf"), &file, source);
}
