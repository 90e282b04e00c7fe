//! Drop-ins of the unit that runs a workload, split by what a change of each costs.

use super::scene::{Placed, Scene};
use super::set::{Set, Source};
use super::{container, limits, links, machine, mounts, names};
use crate::artefact::{OwnedUnit, UnitKind};
use crate::model::{Init, Millis, Restart};
use crate::unitfile::UnitFile;

/// Start time that a unit has besides waiting for others: `TimeoutSec=` of upstream's templates.
const START_TIMEOUT_SEC: u64 = 120;

pub(super) fn render(scene: &Scene<'_>, workload: &Placed<'_>, set: &mut Set) {
    let desired = workload.desired;
    let unit = workload.unit.as_str();
    let dropins = format!("system/{unit}.d");
    let restart = Source::restart(&desired.origin, unit);
    let live = Source::live(&desired.origin).of(unit);

    let main = match desired.machine() {
        Some(class) => machine::main(scene, workload, class, set),
        None => container::main(scene, workload, set),
    };
    set.add_unit_file(format!("{dropins}/50-bitbuilder.conf"), &main, restart);

    let mut file = set.unit_file(&desired.origin, "Unit");
    limits::service(&mut file, &desired.resources);
    set.add_unit_file(format!("{dropins}/60-limits.conf"), &file, live);

    let file = restart_policy(workload, set);
    set.add_unit_file(format!("{dropins}/65-restart.conf"), &file, live);

    let file = dependencies(scene, workload, set);
    set.add_unit_file(format!("{dropins}/70-dependencies.conf"), &file, live);

    for (name, ciphertext) in &desired.credentials {
        set.add(
            credential(workload, name),
            ciphertext.to_vec(),
            0o600,
            restart,
        );
    }
    let needed = needed(scene, workload).into_iter();
    set.own(OwnedUnit {
        workload: Some(desired.name.clone()),
        autostart: scene.tenant.enabled && desired.autostart,
        requires: requires(scene, workload),
        needs: needed.map(|other| other.unit.clone()).collect(),
        leases: links::leases(scene, workload),
        ..OwnedUnit::new(unit, UnitKind::Workload)
    });
}

/// What it stands on: its root, and the namespace that it shares.
fn requires(scene: &Scene<'_>, workload: &Placed<'_>) -> Vec<String> {
    let container = workload.desired.machine().is_none();
    let root = container.then(|| mounts::root_unit(scene, workload));
    let namespace = workload
        .shares
        .then(|| names::namespace_unit(&scene.tenant.id));
    [root, namespace].into_iter().flatten().collect()
}

/// What every such unit says of itself: what it is, a `root` that is mounted before, and that packet rules come first.
pub(super) fn unit(
    scene: &Scene<'_>,
    workload: &Placed<'_>,
    what: &str,
    root: Option<&str>,
    set: &Set,
) -> UnitFile {
    let id = &scene.tenant.id;
    let desired = workload.desired;
    let mut file = set.unit_file(&desired.origin, "Unit");
    file.text(
        "Description",
        &format!("{what} {} of tenant {id}", desired.name),
    )
    .units("PartOf", &[names::tenant(id)]);
    if let Some(root) = root {
        file.units("Requires", &[root]).units("After", &[root]);
    }
    if !workload.ports.is_empty() {
        // Packet rules first: without them it does not start.
        file.units("Requires", &[names::network(id)])
            .units("After", &[names::network(id)]);
    }
    if workload.shares {
        let namespace = names::namespace_unit(id);
        file.units("Requires", &[&namespace])
            .units("After", &[&namespace]);
    }
    // What fails for long is started for ever, ever more slowly.
    file.verbatim("StartLimitIntervalSec", 0);
    file
}

/// The beginning of its `[Service]`.
pub(super) fn service(scene: &Scene<'_>, workload: &Placed<'_>, file: &mut UnitFile) {
    let id = &scene.tenant.id;
    let desired = workload.desired;
    file.section("Service")
        .units("Slice", &[names::slice(id)])
        .words(
            "LogExtraFields",
            &[
                format!("BITBUILDER_TENANT={id}"),
                format!("BITBUILDER_WORKLOAD={}", desired.name),
            ],
        );
    for name in desired.credentials.keys() {
        let path = names::current(id, &credential(workload, name));
        file.text("LoadCredentialEncrypted", &format!("{name}:{path}"));
    }
}

/// Copies the table of names to where it stays: in place, so that the file keeps its inode, which may be mounted.
pub(super) fn copy_names(scene: &Scene<'_>, workload: &Placed<'_>, file: &mut UnitFile) {
    let id = &scene.tenant.id;
    let name = &workload.desired.name;
    let hosts = names::current(id, &format!("hosts/{name}"));
    let target = format!("{}/hosts/{name}", names::home(id));
    file.command("ExecStartPre", "", &["cp", "-T", &hosts, &target]);
}

/// What happens when it ends: the manager asks at that moment, so it is not written where a change restarts.
fn restart_policy(workload: &Placed<'_>, set: &Set) -> UnitFile {
    let mut file = set.unit_file(&workload.desired.origin, "Unit");
    let policy = match workload.desired.restart {
        Restart::Always => "always",
        Restart::OnFailure => "on-failure",
        Restart::No => "no",
    };
    file.section("Service").verbatim("Restart", policy);
    if workload.desired.restart == Restart::No {
        return file;
    }
    file.verbatim("RestartSec", "1s")
        .verbatim("RestartSteps", 5)
        .verbatim("RestartMaxDelaySec", "1min");
    if matches!(workload.desired.init, Init::Command(_)) {
        // nspawn's stub says 255 for a command that a signal ended: clean after a stop, else a reason to restart.
        file.verbatim("SuccessExitStatus", "133 255")
            .verbatim("RestartForceExitStatus", "133 255");
    }
    file
}

/// The workloads that must be healthy before `workload` starts.
fn needed<'s>(scene: &'s Scene<'_>, workload: &Placed<'_>) -> Vec<&'s Placed<'s>> {
    let names = workload.desired.depends_on.iter();
    names.filter_map(|name| scene.workload(name)).collect()
}

/// Ordering after, and waiting for, the workloads that must be healthy first.
fn dependencies(scene: &Scene<'_>, workload: &Placed<'_>, set: &Set) -> UnitFile {
    let mut file = set.unit_file(&workload.desired.origin, "Unit");
    let needed = needed(scene, workload);
    if needed.is_empty() {
        return file;
    }
    let units: Vec<&str> = needed.iter().map(|other| other.unit.as_str()).collect();
    file.units("Wants", &units).units("After", &units);
    let patience: u64 = needed
        .iter()
        .map(|other| patience(other))
        .max()
        .unwrap_or(0);
    file.section("Service")
        .verbatim("TimeoutStartSec", START_TIMEOUT_SEC + patience);
    let id = scene.tenant.id.as_str();
    for other in needed {
        let name = other.desired.name.as_str();
        file.command(
            "ExecStartPre",
            "+",
            &["/usr/lib/bitbuilder/tenant-health", "wait", id, name],
        );
    }
    file
}

/// Seconds after which a workload that never became healthy has had its chance.
fn patience(workload: &Placed<'_>) -> u64 {
    workload.desired.health.as_ref().map_or(0, |health| {
        let round = health.interval.0.saturating_add(health.timeout.0);
        let Millis(start) = health.start_period;
        let all = round
            .saturating_mul(health.retries.max(1))
            .saturating_add(start);
        all.div_ceil(1000).min(3600)
    })
}

fn credential(workload: &Placed<'_>, name: &str) -> String {
    format!("credentials/{}/{name}", workload.desired.name)
}
