//! Wishes cut to ceilings, with a note for each cut.

use super::{Input, amount};
use crate::finding::{Finding, Origin};
use crate::model::{Bytes, Limits, MilliCores, Name, Resources};

/// A ceiling and the document that sets it.
pub(super) struct Ceiling {
    resources: Resources,
    place: String,
}

/// Limits of the tenant's slice: what it asks for, at most what the registry grants; the registry's
/// when it asks for nothing.
pub(super) fn of_tenant(input: &Input<'_>, findings: &mut Vec<Finding>) -> Resources {
    let metadata = &input.tenant.metadata;
    let ceiling = Ceiling {
        resources: of_limits(&input.registration.limits),
        place: input.registration.origin.to_string(),
    };
    let origin = Origin::file(&metadata.origin.file);
    let who = format!("tenant `{}`", input.registration.id);
    let wanted = metadata.resources;
    let cut = cut(wanted, &ceiling, &who, &origin, findings);
    or(cut, ceiling.resources)
}

/// What one workload asks for.
pub(super) struct Wish<'a> {
    pub(super) name: &'a Name,
    /// Where it is declared.
    pub(super) origin: &'a Origin,
    pub(super) wanted: Resources,
    /// What its template says for those who say nothing.
    pub(super) defaults: Resources,
}

/// Limits of a workload: its own wish or else the template's default, at most what the tenant has; a
/// ceiling of `infrastructure/resource-limits.yaml` holds even when it asks for nothing.
pub(super) fn of_workload(
    input: &Input<'_>,
    wish: &Wish<'_>,
    tenant: &Resources,
    findings: &mut Vec<Finding>,
) -> Resources {
    let who = format!("workload `{}`", wish.name);
    let own = own_ceiling(input, wish.name);
    let whole = Ceiling {
        resources: *tenant,
        place: "the whole tenant".into(),
    };
    let mut granted = wish.wanted;
    for ceiling in own.iter().chain([&whole]) {
        granted = cut(granted, ceiling, &who, wish.origin, findings);
    }
    let limit = own.map_or(Resources::default(), |ceiling| ceiling.resources);
    // Nobody wrote the defaults, so cutting them is no news.
    let silent = [limit, *tenant].into_iter().fold(wish.defaults, min);
    or(or(granted, silent), min(limit, *tenant))
}

fn own_ceiling(input: &Input<'_>, name: &Name) -> Option<Ceiling> {
    let ceilings = &input.tenant.ceilings;
    let (_, resources) = ceilings.iter().find(|(workload, _)| workload == name)?;
    Some(Ceiling {
        resources: *resources,
        place: "infrastructure/resource-limits.yaml".into(),
    })
}

fn of_limits(limits: &Limits) -> Resources {
    Resources {
        cpu: limits.cpu,
        memory: limits.memory,
        storage: limits.storage,
        tasks: limits.tasks,
    }
}

/// `first`, with the gaps filled from `second`.
fn or(first: Resources, second: Resources) -> Resources {
    Resources {
        cpu: first.cpu.or(second.cpu),
        memory: first.memory.or(second.memory),
        storage: first.storage.or(second.storage),
        tasks: first.tasks.or(second.tasks),
    }
}

/// What is set in `wanted`, at most `ceiling`.
fn min(wanted: Resources, ceiling: Resources) -> Resources {
    fn least<T: Ord + Copy>(wanted: Option<T>, ceiling: Option<T>) -> Option<T> {
        wanted.map(|wanted| ceiling.map_or(wanted, |ceiling| wanted.min(ceiling)))
    }
    Resources {
        cpu: least(wanted.cpu, ceiling.cpu),
        memory: least(wanted.memory, ceiling.memory),
        storage: least(wanted.storage, ceiling.storage),
        tasks: least(wanted.tasks, ceiling.tasks),
    }
}

fn cut(
    wanted: Resources,
    ceiling: &Ceiling,
    who: &str,
    origin: &Origin,
    findings: &mut Vec<Finding>,
) -> Resources {
    let granted = min(wanted, ceiling.resources);
    let cores = |value: MilliCores| amount::cores(value.0);
    let bytes = |value: Bytes| amount::bytes(value.0);
    let mut compare = |what: &str, wanted: Option<String>, granted: Option<String>| {
        if wanted != granted {
            let message = format!(
                "{who} asks for {what} {} and gets {}, the limit of {}",
                wanted.unwrap_or_default(),
                granted.unwrap_or_default(),
                ceiling.place
            );
            findings.push(Finding::note(origin.clone(), "limited", message));
        }
    };
    compare("cpu", wanted.cpu.map(cores), granted.cpu.map(cores));
    compare(
        "memory",
        wanted.memory.map(bytes),
        granted.memory.map(bytes),
    );
    compare(
        "storage",
        wanted.storage.map(bytes),
        granted.storage.map(bytes),
    );
    let tasks = |value: u64| value.to_string();
    compare("tasks", wanted.tasks.map(tasks), granted.tasks.map(tasks));
    granted
}
