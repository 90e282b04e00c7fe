//! What the registry lets a tenant use.

use super::{Input, main_workload};
use crate::finding::{Finding, Origin};
use crate::model::{Container, TenantKind};

pub(super) fn check(input: &Input<'_>, containers: &[Container], findings: &mut Vec<Finding>) {
    let mut refusal = Refusal { input, findings };
    kinds(&mut refusal, containers);
    counts(&mut refusal, containers);
    let allow = &input.registration.allow;
    let metadata = &input.tenant.metadata;
    if !allow.portable {
        for (_, origin) in &metadata.services {
            refusal.add(origin, "portable services");
        }
        for path in &input.tenant.portable_images {
            refusal.add(&Origin::file(path), "portable services");
        }
    }
    if !allow.users {
        for user in &input.tenant.users {
            refusal.add(&user.origin, "users");
        }
    }
    if !allow.hooks {
        for path in hooks(input) {
            refusal.add(&Origin::file(path), "lifecycle scripts");
        }
    }
}

/// Lifecycle scripts; the health check runs inside a workload and needs no permission.
pub(super) fn hooks<'a>(input: &'a Input<'_>) -> impl Iterator<Item = &'a String> {
    let scripts = input.tenant.scripts.iter();
    scripts.filter(|path| *path != main_workload::HEALTH_SCRIPT)
}

struct Refusal<'a> {
    input: &'a Input<'a>,
    findings: &'a mut Vec<Finding>,
}

impl Refusal<'_> {
    fn add(&mut self, origin: &Origin, what: &str) {
        let registration = &self.input.registration;
        self.findings.push(
            Finding::error(
                origin.clone(),
                "not-allowed",
                format!("tenant `{}` may not use {what}", registration.id),
            )
            .help(format!(
                "the operator can allow it at {}",
                registration.origin
            )),
        );
    }
}

fn kinds(refusal: &mut Refusal<'_>, containers: &[Container]) {
    let input = refusal.input;
    let allow = &input.registration.allow;
    if !allow.containers {
        for container in containers {
            refusal.add(&container.workload.origin, "containers");
        }
    }
    if !allow.machines {
        for machine in &input.tenant.machines {
            refusal.add(&machine.workload.origin, "virtual machines");
        }
        let metadata = &input.tenant.metadata;
        if main_workload::is_implied(input.tenant) && metadata.kind == TenantKind::Vm {
            refusal.add(&metadata.kind_origin, "virtual machines");
        }
    }
}

fn counts(refusal: &mut Refusal<'_>, containers: &[Container]) {
    let limits = &refusal.input.registration.limits;
    let containers = containers.iter().map(|one| &one.workload.origin);
    let machines = &refusal.input.tenant.machines;
    let machines = machines.iter().map(|one| &one.workload.origin);
    let kinds: [(&str, Option<u64>, Vec<&Origin>); 2] = [
        ("containers", limits.containers, containers.collect()),
        ("virtual machines", limits.machines, machines.collect()),
    ];
    for (what, limit, origins) in kinds {
        let finding = surplus(refusal.input, "too-many-workloads", what, limit, &origins);
        refusal.findings.extend(finding);
    }
}

/// An error at the first of `origins` that is beyond the registry's `limit`.
pub(super) fn surplus(
    input: &Input<'_>,
    rule: &str,
    what: &str,
    limit: Option<u64>,
    origins: &[&Origin],
) -> Option<Finding> {
    let limit = limit?;
    let origin = origins.get(usize::try_from(limit).ok()?)?;
    let message = format!(
        "{} {what} are declared and {limit} are allowed, the limit of {}",
        origins.len(),
        input.registration.origin
    );
    let help = "declare fewer, or ask the operator for a higher limit";
    Some(Finding::error((*origin).clone(), rule, message).help(help))
}
