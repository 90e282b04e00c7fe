//! The compiler without any effect.

use super::ground::Ground;
use super::look::{Goal, Look};
use super::system::{self, Revision};
use super::task::Planner;
use super::{Options, PassError, TenantState, accepted_system, look};
use crate::host::Host;
use crate::source::Reading;
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Name, Registration};
use bitbuilder_core::plan::Plan;
use std::collections::BTreeMap;

/// What a revision would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What is wrong with it or worth knowing, sorted by place.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    pub sources: BTreeMap<String, String>,
    /// What a pass would do, where that is anything; none when there are errors.
    pub plans: Vec<Plan>,
}

/// What a pass would do if the repository of tenant `id` were `reading` at `commit` (hex, or a word such as `local`).
///
/// # Errors
/// When the tenant is not in the registry, or the host's state is unreadable.
pub fn preview_tenant(
    host: &dyn Host,
    id: &Name,
    reading: Reading,
    commit: &str,
) -> Result<Preview, PassError> {
    let mut ground = Ground::read(host, accepted_system(host)?)?;
    let registration = ground.registration(id)?.clone();
    let state = TenantState::read(host.root(), id)?;
    let look = Look {
        registration: &registration,
        before: state.clone(),
        state,
        goal: Goal::Deploy {
            commit: commit.to_owned(),
            subject: String::new(),
            reading,
        },
    };
    let options = options();
    let task = planner(host, &options).task(&mut ground, look)?;
    let plan = task.report.plan.filter(|plan| !plan.is_empty());
    Ok(Preview {
        findings: task.report.findings,
        sources: task.report.sources,
        plans: plan.into_iter().collect(),
    })
}

/// What is wrong with the system repository `reading`, and what a pass would do to the tenants of its registry whose
/// repositories the host has already.
///
/// # Errors
/// When the host's state is unreadable.
pub fn preview_system(host: &dyn Host, reading: Reading) -> Result<Preview, PassError> {
    let (checked, sources) = system::check(reading);
    let mut preview = Preview {
        findings: checked.findings,
        sources,
        plans: Vec::new(),
    };
    let Some(system) = checked.value else {
        return Ok(preview);
    };
    let revision = Revision {
        commit: "preview".to_owned(),
        system,
    };
    let mut ground = Ground::read(host, revision)?;
    let options = options();
    let tenants: Vec<Registration> = ground.revision.system.tenants.clone();
    let deployed = tenants
        .iter()
        .filter(|tenant| host.root().mirror(&tenant.id).exists());
    for registration in deployed {
        let found = look::look(host, &ground, registration, &options, None)?;
        let task = planner(host, &options).task(&mut ground, found)?;
        preview.plans.extend(task.report.plan);
    }
    for id in ground.leaving() {
        let task = planner(host, &options).removal(&ground, &id)?;
        preview.plans.extend(task.report.plan);
    }
    preview.plans.retain(|plan| !plan.is_empty());
    Ok(preview)
}

fn options() -> Options {
    Options {
        fetch: false,
        plan_only: true,
        ..Options::default()
    }
}

fn planner<'a>(host: &'a dyn Host, options: &'a Options) -> Planner<'a> {
    Planner {
        host,
        options,
        diffs: true,
    }
}
