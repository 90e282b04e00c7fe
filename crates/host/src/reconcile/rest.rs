//! What the last pass left at rest: `/run/bitbuilder/rest.json`. It lets a pass see with a few looks that nothing moved,
//! without reading what it has read before.
//!
//! The file says what the host's own state said when it was written. Whoever takes the host's lock takes the file away
//! with it ([`super::lock`]), so that it is never older than what somebody changed; a pass puts it back at its end. It
//! says nothing of what others may change: references of repositories, units, files, links, packet rules, and what the host
//! can do are looked at.

use super::ground::Ground;
use super::init::{HostConfig, read_config};
use super::kept;
use super::leave;
use super::parallel;
use super::{
    Options, PassError, Report, Revision, SystemReport, TenantReport, TenantState, Verdict, trial,
    watch,
};
use crate::atomic;
use crate::generations;
use crate::host::{Host, HostError, UnitState};
use crate::observe::{self, Care, Depth, Presence, Sight};
use crate::paths::HostRoot;
use crate::signature::voa;
use crate::source::{LocalRemote, RefFiles, RemoteUrl, SourceError};
use bitbuilder_core::digest::sha256_parts;
use bitbuilder_core::model::{HealthPolicy, Name, Registration};
use bitbuilder_core::plan::COMPILER;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

/// Threads that look at references.
const LOOKS: usize = 4;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rest {
    /// Format version, 1.
    format: u64,
    /// Hash of what every tenant is compiled against, beside the system repository.
    ground: String,
    system: System,
    /// Registered tenants, those that are not at rest included.
    registered: usize,
    /// When it has to be counted for how long data of removed tenants is kept, on the clock of [`Host::uptime`].
    count: Option<u64>,
    tenants: BTreeMap<Name, Resting>,
}

/// The system repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct System {
    config: HostConfig,
    commit: String,
    findings: Vec<bitbuilder_core::finding::Finding>,
}

/// A tenant of which the newest commit of a local repository is deployed, and nothing else is to be said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Resting {
    commit: String,
    /// Of its own branch, and of the one that is tried on this host.
    branches: RefFiles,
    generation: u64,
    /// What has to be up.
    units: Vec<String>,
    /// When its window is over, on the clock of [`Host::uptime`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<u64>,
}

fn path(root: &HostRoot) -> PathBuf {
    root.runtime().join("rest.json")
}

/// Reads the file, without the host's lock: who has that has taken the file away.
pub(super) fn peek(root: &HostRoot) -> Result<Option<Rest>, HostError> {
    let path = path(root);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(HostError::file(&path)(error)),
    };
    // One of another version is as good as none.
    let rest: Option<Rest> = serde_json::from_slice(&text).ok();
    Ok(rest.filter(|rest| rest.format == atomic::FORMAT))
}

/// Reads the file and takes it away, under the host's lock.
pub(super) fn take(root: &HostRoot) -> Result<Option<Rest>, HostError> {
    let rest = peek(root)?;
    let path = path(root);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(HostError::file(&path)(error)),
        _ => Ok(rest),
    }
}

impl Rest {
    /// What is at rest after a pass that reports this, and with `before` at rest before it.
    pub(super) fn after(
        host: &dyn Host,
        ground: &Ground,
        before: Option<Self>,
        system: &SystemReport,
        reports: &[TenantReport],
    ) -> Result<Option<Self>, PassError> {
        let root = host.root();
        let now = ground_of(host)?;
        let settled = |config: &HostConfig| is_branch(&config.reference) && system.is_settled();
        let config = read_config(root)?.filter(settled);
        let Some(config) = config else {
            return Ok(None);
        };
        // Who left and is still here has to be taken down.
        if !leave::leaving(host, ground)?.is_empty() {
            return Ok(None);
        }
        let Revision { commit, system: s } = &ground.revision;
        let mut tenants = before
            .filter(|rest| rest.ground == now && rest.system.commit == *commit)
            .map_or_else(BTreeMap::new, |rest| rest.tenants);
        for report in reports {
            tenants.remove(&report.tenant);
            let registration = s.tenants.iter().find(|r| r.id == report.tenant);
            if let Some(registration) = registration
                && let Some(resting) = Resting::after(host, registration, report, s.policy.health)?
            {
                tenants.insert(report.tenant.clone(), resting);
            }
        }
        // What changes at one end of a peering concerns the other, which has to be looked at.
        let allocated = &ground.allocations.tenants;
        tenants.retain(|id, _| allocated.get(id).is_none_or(|own| own.peerings.is_empty()));
        Ok(Some(Self {
            format: atomic::FORMAT,
            ground: now,
            system: System {
                config,
                commit: commit.clone(),
                findings: system.findings.clone(),
            },
            registered: s.tenants.len(),
            count: kept::next(&ground.allocations, s.policy.retention.removed_tenants),
            tenants,
        }))
    }
}

/// Puts the file there. In memory, and gone with the boot: nothing has to be synced. Where it cannot be written the next
/// pass takes longer, no more.
pub(super) fn leave(root: &HostRoot, rest: Option<&Rest>) {
    let path = path(root);
    let temporary = path.with_extension("tmp");
    let text = rest.and_then(|rest| serde_json::to_vec(rest).ok());
    if let Some(text) = text
        && fs::write(&temporary, text).is_ok()
    {
        let _ = fs::rename(&temporary, &path);
    }
}

/// Whose files a pass looks at that has nothing to do: everybody's on a small host; on a large one each tenant's once in so
/// many passes, or the looks would be most of a pass. What concerns the whole host (units, links, rules, drop-ins of others)
/// each pass sees for everybody, and `bbctl drift` sees all of everything.
enum Turn {
    Everybody,
    Of(usize),
}

impl Turn {
    const PASSES: usize = 8;
    const SMALL: usize = 128;

    /// That of this pass. Two at the same time may take the same; whose was left out comes after a few more.
    fn next(root: &HostRoot, tenants: usize) -> Self {
        if tenants <= Self::SMALL {
            return Self::Everybody;
        }
        let path = root.runtime().join("turn");
        let last = fs::read_to_string(&path).ok();
        let last = last.and_then(|text| text.parse::<usize>().ok());
        let turn = last.map_or(0, |last| last.wrapping_add(1) % Self::PASSES);
        // Where it cannot be written everybody is looked at.
        match fs::write(&path, turn.to_string()) {
            Ok(()) => Self::Of(turn),
            Err(_) => Self::Everybody,
        }
    }

    fn care(&self, index: usize) -> Care {
        match self {
            Self::Of(turn) if index % Self::PASSES != *turn => Care::Host,
            _ => Care::Files,
        }
    }
}

/// Tenants that did not move since they were left at rest.
#[derive(Default, Clone)]
pub(super) struct Still<'a> {
    rest: Option<&'a Rest>,
    tenants: BTreeMap<&'a Name, &'a Resting>,
}

impl<'a> Still<'a> {
    /// Those of `rest`; none when the system repository or the host is another one.
    pub(super) fn of(
        host: &dyn Host,
        options: &Options,
        rest: Option<&'a Rest>,
    ) -> Result<Self, PassError> {
        let all = Options {
            trigger: options.trigger.clone(),
            ..Options::default()
        };
        let Some(rest) = rest.filter(|_| *options == all) else {
            return Ok(Self::default());
        };
        let root = host.root();
        let System { config, commit, .. } = &rest.system;
        if read_config(root)?.as_ref() != Some(config)
            || local(root, &config.repository)
                .and_then(|local| local.branch(&config.reference).ok()?)
                .as_ref()
                != Some(commit)
            || rest.ground != ground_of(host)?
            || rest.count.is_some_and(|at| host.uptime() >= at)
        {
            return Ok(Self::default());
        }
        let presence = Arc::new(Presence::read(host)?);
        let sight = Sight::read(host, Arc::clone(&presence), Depth::Pass)?;
        let now = host.uptime();
        let turn = Turn::next(root, rest.tenants.len());
        let tenants: Vec<_> = rest.tenants.iter().enumerate().collect();
        let chunks = tenants.chunks(tenants.len().div_ceil(LOOKS).max(1));
        let looks = parallel::map(chunks.collect(), LOOKS, |chunk| {
            let mut still = Vec::new();
            for (index, (id, tenant)) in chunk {
                let moved = !tenant.is_still(&presence, now);
                if !moved && sight.is_steady(host, id, tenant.generation, turn.care(*index))? {
                    still.push((*id, *tenant));
                }
            }
            Ok(still)
        });
        let looks: Result<Vec<_>, HostError> = looks.into_iter().collect();
        Ok(Self {
            rest: Some(rest),
            tenants: looks?.into_iter().flatten().collect(),
        })
    }

    /// Those that `revision` does not concern.
    pub(super) fn under(&self, revision: &Revision) -> Self {
        let same = |rest: &&Rest| rest.system.commit == revision.commit;
        match self.rest.filter(same) {
            Some(_) => self.clone(),
            None => Self::default(),
        }
    }

    /// The same, if what was left is `rest` now that the host's lock is held: nobody was here meanwhile.
    pub(super) fn if_left_by(&self, rest: Option<&Rest>) -> Self {
        match self.rest == rest {
            true => self.clone(),
            false => Self::default(),
        }
    }

    pub(super) fn has(&self, id: &Name) -> bool {
        self.tenants.contains_key(id)
    }

    /// The report of a pass that has nothing to do; `None` when it may have.
    pub(super) fn report(&self) -> Option<Report> {
        let rest = self.rest?;
        (self.tenants.len() == rest.registered).then(|| Report {
            system: SystemReport {
                commit: Some(rest.system.commit.clone()),
                findings: rest.system.findings.clone(),
                ..SystemReport::default()
            },
            tenants: self.reports(),
        })
    }

    /// A report for each of these, by id.
    pub(super) fn reports(&self) -> Vec<TenantReport> {
        let reports = self.tenants.iter().map(|(id, resting)| {
            let mut report = TenantReport::new((*id).clone(), Verdict::Unchanged);
            report.commit = Some(resting.commit.clone());
            report.generation = Some(resting.generation);
            report
        });
        reports.collect()
    }
}

impl Resting {
    fn after(
        host: &dyn Host,
        registration: &Registration,
        report: &TenantReport,
        policy: HealthPolicy,
    ) -> Result<Option<Self>, PassError> {
        let root = host.root();
        let well = matches!(report.verdict, Verdict::Unchanged | Verdict::Applied)
            && report.error.is_none()
            && is_branch(&registration.reference);
        if !well {
            return Ok(None);
        }
        let state = TenantState::read(root, &registration.id)?;
        let window = state
            .window
            .as_ref()
            .map(|_| watch::end_of(host, &registration.id, policy.window));
        // A window that has not begun, somebody has to begin.
        let well = state.is_at_rest() && window != Some(None);
        let current = generations::read_current(root, &registration.id)?;
        let (true, Some(commit), Some(current)) = (well, report.commit.clone(), current) else {
            return Ok(None);
        };
        // What cannot be read has an error elsewhere.
        let Some(branches) = branches(host, registration, &commit).ok().flatten() else {
            return Ok(None);
        };
        let units = current.units.iter().filter(|unit| unit.autostart);
        let units: Vec<_> = units.map(|unit| unit.name.clone()).collect();
        Ok((!units.is_empty()).then(|| Self {
            commit,
            branches,
            generation: current.number,
            units,
            window: window.flatten(),
        }))
    }

    fn is_still(&self, presence: &Presence, now: u64) -> bool {
        let up = |unit: &String| presence.units.get(unit).is_some_and(UnitState::is_active);
        self.units.iter().all(up) && self.window.is_none_or(|end| now < end) && self.branches.hold()
    }
}

/// The branches of a tenant's repository on this host, when they name what is in its mirror; `None` of a repository
/// elsewhere.
fn branches(
    host: &dyn Host,
    registration: &Registration,
    commit: &str,
) -> Result<Option<RefFiles>, SourceError> {
    let Some(local) = local(host.root(), &registration.repository) else {
        return Ok(None);
    };
    let testing = trial::branch(host);
    let names: Vec<&str> = [registration.reference.as_str()]
        .into_iter()
        .chain(testing.as_deref())
        .collect();
    let files = RefFiles::of(&local, &names)?;
    let own = local.branch(&registration.reference)?;
    let tried = |local: &LocalRemote| {
        testing
            .as_deref()
            .map(|branch| local.branch(branch))
            .transpose()
    };
    let mirror = LocalRemote::at(&host.root().mirror(&registration.id))?;
    let fetched = mirror.as_ref().map(tried).transpose()?;
    let same = own.as_deref() == Some(commit) && fetched == Some(tried(&local)?);
    Ok(files.filter(|_| same))
}

/// Whether `reference` is a branch: its commit is what the reference names.
fn is_branch(reference: &str) -> bool {
    reference.starts_with("refs/heads/") || !reference.starts_with("refs/")
}

/// A repository on this host; `None` of one elsewhere, or that cannot be read.
fn local(root: &HostRoot, repository: &str) -> Option<LocalRemote> {
    let url = RemoteUrl::parse(&root.url(repository)).ok()?;
    LocalRemote::open(&url).ok()?
}

/// Hash of what every tenant is compiled against, beside the system repository.
fn ground_of(host: &dyn Host) -> Result<String, PassError> {
    let facts = observe::facts(host)?;
    let templates = observe::templates(host.root())?;
    let parts = [
        COMPILER.to_string(),
        env!("CARGO_PKG_VERSION").to_owned(),
        format!("{facts:?}"),
        format!("{templates:?}"),
        // The host's name.
        format!("{:?}", trial::branch(host)),
        voa::read(host.root(), voa::Context::Tenants).keys.digest(),
    ];
    Ok(sha256_parts(parts.iter().map(String::as_bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Over so many passes each tenant's files are looked at once.
    #[test]
    fn everybody_has_a_turn() {
        let dir = tempfile::tempdir().unwrap();
        let root = HostRoot::new(dir.path());
        fs::create_dir_all(root.runtime()).unwrap();
        let mut looks = vec![0; 1000];
        for _ in 0..Turn::PASSES {
            let turn = Turn::next(&root, looks.len());
            for (index, looks) in looks.iter_mut().enumerate() {
                *looks += usize::from(turn.care(index) == Care::Files);
            }
        }
        assert!(looks.iter().all(|looks| *looks == 1));
        let turn = Turn::next(&root, Turn::SMALL);
        assert!((0..Turn::SMALL).all(|index| turn.care(index) == Care::Files));
    }
}
