//! The compiler without any effect.

use super::ground::Ground;
use super::leave;
use super::look::{Goal, Look, short};
use super::remotes::Question;
use super::system::{self, Revision};
use super::task::Planner;
use super::{Options, PassError, TenantReport, TenantState, Verdict};
use super::{accepted_system, look, read_config, trust, waiting};
use crate::host::Host;
use crate::signature::Verified;
use crate::source::{Reading, Repository, TreeLimits, is_descendant, open, read_tree, resolve_ref};
use bitbuilder_core::finding::Finding;
use bitbuilder_core::model::{Name, Registration};
use bitbuilder_core::plan::{Gate, Plan, Waiting};
use std::collections::BTreeMap;

/// What a revision would do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preview {
    /// What is wrong with it or worth knowing, sorted by place.
    pub findings: Vec<Finding>,
    /// Texts that `findings` point into, by path.
    pub sources: BTreeMap<String, String>,
    /// What would become of the tenants that it concerns; none when there are errors in a system repository.
    pub tenants: Vec<TenantReport>,
    /// The commit, or what it is called.
    pub commit: String,
    /// Who signed it, when that was verified.
    pub signer: Option<String>,
}

impl Preview {
    /// What a pass would do, where that is anything.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        let plans = self.tenants.iter().filter_map(|one| one.plan.as_ref());
        plans.filter(|plan| !plan.is_empty())
    }
}

/// What a pass would do if the repository of tenant `id` were `reading`, called `commit` (a word such as `local`), which
/// nobody has to sign.
///
/// # Errors
/// When the tenant is not in the registry, or the host's state is unreadable.
pub fn preview_tenant(
    host: &dyn Host,
    id: &Name,
    reading: Reading,
    commit: &str,
) -> Result<Preview, PassError> {
    let ground = Ground::read(host, accepted_system(host)?)?;
    tenant(host, ground, id, reading, commit, Verified::default())
}

/// What a pass would do if the repository of tenant `id`, or the system repository for `None`, were at `commit` of
/// `repository`: its documents and its signatures.
///
/// # Errors
/// As [`preview_tenant`], and when the commit cannot be read.
pub fn preview_commit(
    host: &dyn Host,
    id: Option<&Name>,
    repository: &Repository,
    commit: &str,
) -> Result<Preview, PassError> {
    let reading = read_tree(repository, commit, &TreeLimits::default())?;
    let Some(id) = id else {
        return system_commit(host, repository, reading, commit);
    };
    let ground = Ground::read(host, accepted_system(host)?)?;
    let registration = ground.registration(id)?;
    let deployed = TenantState::read(host.root(), id)?.deployed;
    let deployed = deployed.as_deref();
    let verified = trust::verify_tenant(host, &ground, registration, repository, deployed, commit)?;
    tenant(host, ground, id, reading, commit, verified)
}

fn system_commit(
    host: &dyn Host,
    repository: &Repository,
    reading: Reading,
    commit: &str,
) -> Result<Preview, PassError> {
    let config = read_config(host.root())?.ok_or(PassError::NotInitialised)?;
    let accepted = match accepted_system(host) {
        Ok(revision) => Some(revision),
        Err(PassError::NothingAccepted) => None,
        Err(error) => return Err(error),
    };
    let verified = trust::verify_system(host, &config, repository, accepted.as_ref(), commit)?;
    let mut preview = preview_system(host, reading, commit)?;
    if verified.refusal.is_some() {
        preview.tenants.clear();
    }
    preview.findings.extend(verified.findings);
    preview.signer = verified.signer;
    Ok(preview)
}

fn tenant(
    host: &dyn Host,
    mut ground: Ground,
    id: &Name,
    reading: Reading,
    commit: &str,
    verified: Verified,
) -> Result<Preview, PassError> {
    let refusal = verified.refusal.clone();
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
            verified,
        },
    };
    let options = options();
    let deployed = look.state.deployed.clone();
    let task = planner(host, &options).task(&mut ground, look)?;
    let mut report = task.into_report();
    if let Some(deployed) = deployed.filter(|deployed| is_behind(host, id, deployed, commit)) {
        report.waiting.push(waiting::rewound(id, commit, &deployed));
    }
    if let Some(reason) = refusal {
        report.plan = None;
        report.signer = None;
        report.verdict = Verdict::Refused;
        report.error = Some(format!("commit {} is refused: {reason}", short(commit)));
        report
            .waiting
            .extend(waiting::refused(commit, &reason, &[]));
    }
    Ok(Preview {
        findings: report.findings.clone(),
        sources: report.sources.clone(),
        commit: commit.to_owned(),
        signer: report.signer.clone(),
        tenants: vec![report],
    })
}

/// Whether the mirror knows that a pass would refuse to go from `deployed` to `commit`.
fn is_behind(host: &dyn Host, id: &Name, deployed: &str, commit: &str) -> bool {
    let repository = open(&host.root().mirror(id));
    repository.is_ok_and(|one| is_descendant(&one, deployed, commit).is_ok_and(|is| !is))
}

/// What is wrong with the system repository `reading`, and what a pass would do to the tenants of its registry, with
/// what the host has of their repositories. `commit` is as in [`preview_tenant`].
///
/// # Errors
/// When the host's state is unreadable.
pub fn preview_system(
    host: &dyn Host,
    reading: Reading,
    commit: &str,
) -> Result<Preview, PassError> {
    let (checked, sources) = system::check(reading);
    let mut preview = Preview {
        findings: checked.findings,
        sources,
        commit: commit.to_owned(),
        ..Preview::default()
    };
    let Some(system) = checked.value else {
        return Ok(preview);
    };
    let revision = Revision {
        commit: commit.to_owned(),
        system,
    };
    let mut ground = Ground::read(host, revision)?;
    let options = options();
    let planner = planner(host, &options);
    let tenants: Vec<Registration> = ground.revision.system.tenants.clone();
    for registration in &tenants {
        let id = &registration.id;
        let report = if host.root().mirror(id).exists() {
            let found = look::look(host, &ground, registration, &options, None)?;
            planner.task(&mut ground, found)?.into_report()
        } else {
            unknown(id)
        };
        preview.tenants.push(report);
    }
    for id in leave::leaving(host, &ground)? {
        preview
            .tenants
            .push(planner.removal(&ground, &id)?.into_report());
    }
    Ok(preview)
}

/// A tenant that only the new registry has.
fn unknown(id: &Name) -> TenantReport {
    let reason = "its repository was not fetched yet: the pass that accepts the registry does";
    let mut report = TenantReport::new(id.clone(), Verdict::Unchanged);
    report.waiting = vec![Waiting::new("tenant", Gate::Repository, reason)];
    report
}

/// The commit that `reference` (a branch, tag or commit) of the repository of `id`, or of the system repository for `None`,
/// is at, and the mirror that has it. With `fetch` the remote is asked for it; what it has lands in the mirror and is not deployed.
///
/// # Errors
/// When there is no such tenant or reference, or the repository cannot be read.
pub fn find_reference(
    host: &dyn Host,
    id: Option<&Name>,
    reference: &str,
    fetch: bool,
) -> Result<(Repository, String), PassError> {
    let root = host.root();
    let mirror = id.map_or_else(|| root.system_mirror(), |id| root.mirror(id));
    let commit = match (fetch, id) {
        (false, _) => resolve_ref(&open(&mirror)?, reference)?.id,
        (true, None) => system::fetch_reference(host, reference)?,
        (true, Some(id)) => {
            let ground = Ground::read(host, accepted_system(host)?)?;
            let registration = Registration {
                reference: reference.to_owned(),
                ..ground.registration(id)?.clone()
            };
            let timeout = ground.revision.system.policy.sync.timeout;
            Question::of(&registration, &ground.revision.commit).ask(host, timeout)?
        }
    };
    Ok((open(&mirror)?, commit))
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
