//! What documents may say and this host cannot do yet. Nothing that a tenant writes is ignored in silence.

use super::{Declared, HostFacts, Input, main_workload, permission};
use crate::finding::{Finding, Origin};
use crate::model::{
    Check, Container, InfrastructureManager, Isolation, Resources, TenantKind, Workload,
};

/// First systemd that has what our units use.
const SYSTEMD: u32 = 258;
const RULE: &str = "not-available";

pub(super) fn check(input: &Input<'_>, declared: &Declared<'_>, findings: &mut Vec<Finding>) {
    let workloads = declared.workloads();
    host(input, findings);
    machines(input, findings);
    security(input, declared.containers, findings);
    for workload in &workloads {
        for (name, origin) in &workload.extensions {
            let message = format!(
                "extension `{name}` cannot be merged: extensions are not available on this host yet"
            );
            findings.push(Finding::error(origin.clone(), RULE, message));
        }
    }
    left_out(input, findings);
    limits(input, &workloads, findings);
    unused_health_check(input, &workloads, findings);
}

fn host(input: &Input<'_>, findings: &mut Vec<Finding>) {
    if input.host.systemd < SYSTEMD {
        let message = format!(
            "systemd {} is too old: {SYSTEMD} or later is needed",
            input.host.systemd
        );
        let origin = Origin::file("metadata.json");
        findings.push(Finding::error(origin, "systemd-version", message));
    }
}

fn machines(input: &Input<'_>, findings: &mut Vec<Finding>) {
    if input.host.has(HostFacts::MACHINES) {
        return;
    }
    let metadata = &input.tenant.metadata;
    let mut add = |origin: &Origin, name: &str| {
        let message = format!(
            "vm not available on this host: workload `{name}` is left out, systemd-vmspawn or QEMU is missing"
        );
        findings.push(Finding::warning(
            origin.clone(),
            "vm-not-available",
            message,
        ));
    };
    for machine in &input.tenant.machines {
        add(&machine.workload.origin, machine.workload.name.as_str());
    }
    if main_workload::is_implied(input.tenant) && metadata.kind == TenantKind::Vm {
        add(&metadata.kind_origin, main_workload::NAME);
    }
}

/// Errors: what is missing here would leave the tenant less protected than its documents say.
fn security(input: &Input<'_>, containers: &[Container], findings: &mut Vec<Finding>) {
    let security = &input.tenant.metadata.security;
    if security.isolation == Isolation::Vm && !containers.is_empty() {
        let message =
            "isolation `vm` is not available for containers: they share the host's kernel";
        findings.push(
            Finding::error(security.origin.clone(), RULE, message)
                .help("write `\"isolation\": \"namespace\"`"),
        );
    }
    let encrypted = "encrypted storage is not available on this host yet";
    if security.encrypt_storage {
        findings.push(Finding::error(security.origin.clone(), RULE, encrypted));
    }
    if input.policy.storage.encrypt {
        let origin = Origin::file(".gitops/config.yaml");
        findings.push(Finding::error(origin, RULE, encrypted));
    }
}

/// Warnings: the containers run as they are written without these.
fn left_out(input: &Input<'_>, findings: &mut Vec<Finding>) {
    let tenant = input.tenant;
    let mut add = |origin: Origin, what: &str| {
        let message = format!("{what} left out: not available on this host yet");
        findings.push(Finding::warning(origin, RULE, message));
    };
    for (name, origin) in &tenant.metadata.extensions {
        add(origin.clone(), &format!("extension `{name}` is"));
    }
    for (_, path) in &tenant.extension_images {
        add(Origin::file(path), "this extension is");
    }
    for (name, origin) in &tenant.metadata.services {
        add(origin.clone(), &format!("portable service `{name}` is"));
    }
    for path in &tenant.portable_images {
        add(Origin::file(path), "this portable service is");
    }
    for user in &tenant.users {
        add(user.origin.clone(), &format!("user `{}` is", user.name));
    }
    for path in permission::hooks(input) {
        add(Origin::file(path), "this lifecycle script is");
    }
    if let Some(infrastructure) = &tenant.infrastructure
        && infrastructure.manager != InfrastructureManager::None
    {
        add(
            infrastructure.origin.clone(),
            "the infrastructure manager is",
        );
    }
}

fn limits(input: &Input<'_>, workloads: &[&Workload], findings: &mut Vec<Finding>) {
    let metadata = &input.tenant.metadata;
    let wanted = |has: fn(&Resources) -> bool| {
        let workloads = workloads.iter().map(|workload| &workload.resources);
        let ceilings = input.tenant.ceilings.iter().map(|(_, resources)| resources);
        workloads
            .chain(ceilings)
            .chain([&metadata.resources])
            .any(has)
    };
    let limits = &input.registration.limits;
    let mut add = |message: &str| {
        let origin = Origin::file(&metadata.origin.file);
        findings.push(Finding::warning(origin, "limit-not-enforced", message));
    };
    let sized = workloads
        .iter()
        .any(|workload| workload.volumes.iter().any(|volume| volume.size.is_some()));
    if sized || limits.storage.is_some() || wanted(|resources| resources.storage.is_some()) {
        add("storage limits are not enforced on this host yet");
    }
    let limited = limits.cpu.is_some() || limits.memory.is_some() || limits.tasks.is_some();
    let running = limited
        || wanted(|resources| {
            resources.cpu.is_some() || resources.memory.is_some() || resources.tasks.is_some()
        });
    if running && !input.host.has(HostFacts::RESOURCE_CONTROL) {
        add(
            "limits of cpu, memory and tasks are not enforced: this host has no cgroup controllers for them",
        );
    }
}

fn unused_health_check(input: &Input<'_>, workloads: &[&Workload], findings: &mut Vec<Finding>) {
    let path = main_workload::HEALTH_SCRIPT;
    let used = workloads.iter().any(|workload| {
        let health = workload.health.as_ref();
        matches!(health.map(|health| &health.check), Some(Check::Script(script)) if script == path)
    });
    if !used && input.tenant.scripts.iter().any(|script| script == path) {
        let message = "this health check is not used: no workload names it";
        findings.push(
            Finding::note(Origin::file(path), "unused", message).help(format!(
                "write `health: {{ script: {path} }}` in the config.yaml of a workload"
            )),
        );
    }
}
