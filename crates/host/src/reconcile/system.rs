//! The system repository: which commit of it is in force.

use super::access;
use super::init::{HostConfig, SYSTEM, read_config};
use super::{
    Event, HistoryEvent, Options, PassError, Refusal, Scope, SystemReport, effective_registry,
    lock, trust,
};
use crate::atomic;
use crate::audit;
use crate::events::{self, Record};
use crate::host::{Host, HostError};
use crate::notify;
use crate::paths::HostRoot;
use crate::reconcile::FetchFailure;
use crate::signature::Verified;
use crate::source::{
    self, Mirror, Reading, RemoteUrl, SourceError, TreeLimits, is_descendant, open, read_tree,
    resolve_ref,
};
use bitbuilder_core::document::{default_policy, read_system};
use bitbuilder_core::finding::{Checked, Finding, Severity};
use bitbuilder_core::model::{Millis, Sync, System};
use bitbuilder_core::report;
use bitbuilder_core::resolve::unavailable_policy;
use bitbuilder_core::sync::backoff;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::sync::mpsc::{self, Receiver};
use std::thread::Scope as Threads;
use std::time::Duration;

/// A commit of the system repository with what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revision {
    /// The commit, hex.
    pub commit: String,
    /// What it says.
    pub system: System,
}

/// What the host remembers of the system repository: `/var/lib/bitbuilder/system.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemState {
    /// Format version, 1.
    pub format: u64,
    /// The commit in force.
    pub accepted: Option<String>,
    /// Who signed it, when that was verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// The newest commit is not accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// The remote cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_failure: Option<FetchFailure>,
    /// How repositories are fetched by the commit in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<Sync>,
    /// Hash of what the host's own units were given; `None` when they are as shipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<String>,
}

impl SystemState {
    /// Reads it; empty before the first pass. When it is lost, the commit in force is known all the same.
    ///
    /// # Errors
    /// When the file is unreadable.
    pub fn read(root: &HostRoot) -> Result<Self, HostError> {
        if let Some(state) = atomic::read_json(&path(root))? {
            return Ok(state);
        }
        // Without it, the registry in force still says what it was made from.
        let registry = effective_registry(root)?;
        Ok(Self {
            format: atomic::FORMAT,
            accepted: registry.map(|registry| registry.system),
            signer: None,
            refused: None,
            fetch_failure: None,
            sync: None,
            units: None,
        })
    }

    /// How repositories are fetched.
    fn sync(&self) -> Sync {
        self.sync.unwrap_or_else(|| default_policy().sync)
    }

    pub(super) fn write(&self, root: &HostRoot) -> Result<(), HostError> {
        atomic::write_json(&path(root), self)
    }
}

fn path(root: &HostRoot) -> std::path::PathBuf {
    root.state().join("system.json")
}

/// The system repository at the commit that was last accepted; no remote is asked.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn accepted_system(host: &dyn Host) -> Result<Revision, PassError> {
    let root = host.root();
    read_config(root)?.ok_or(PassError::NotInitialised)?;
    let accepted = SystemState::read(root)?.accepted;
    let commit = accepted.ok_or(PassError::NothingAccepted)?;
    in_force(root, &commit)
}

/// The question to the remote of the system repository, under way or answered.
pub(super) struct Asked(Option<Receiver<Result<(), PassError>>>);

impl Asked {
    /// The answer, once: `None` when there is none within `patience`, or the remote was not asked.
    pub(super) fn answer(&mut self, patience: Option<Duration>) -> Option<Result<(), PassError>> {
        let receiver = self.0.as_ref()?;
        let answer = match patience {
            Some(patience) => receiver.recv_timeout(patience).ok()?,
            None => receiver.recv().ok()?,
        };
        self.0 = None;
        Some(answer)
    }
}

/// Asks the remote on a thread of `scope`, if this is the time.
pub(super) fn ask<'scope, 'env>(
    scope: &'scope Threads<'scope, 'env>,
    host: &'env dyn Host,
    options: &Options,
    say: &mut dyn FnMut(Event),
) -> Result<Asked, PassError> {
    let root = host.root();
    let config = read_config(root)?.ok_or(PassError::NotInitialised)?;
    let state = SystemState::read(root)?;
    if !is_asked(host, options, &config, &state) {
        return Ok(Asked(None));
    }
    say(Event::Fetching { tenant: None });
    let (sender, receiver) = mpsc::channel();
    scope.spawn(move || {
        let timeout = state.sync().timeout;
        // Whoever stopped listening does not need it.
        let _ = sender.send(fetch(host, &config, timeout).map(drop));
    });
    Ok(Asked(Some(receiver)))
}

/// A pass for one tenant that its repository caused does not depend on another remote.
fn is_asked(host: &dyn Host, options: &Options, config: &HostConfig, state: &SystemState) -> bool {
    let trigger = &options.trigger;
    let is_local = || RemoteUrl::parse(&config.repository).is_ok_and(|url| url.host().is_none());
    let is_due = || {
        let failed = state.fetch_failure.as_ref();
        failed.is_none_or(|failed| failed.is_due(host.now(), state.sync().interval))
    };
    options.fetch
        && (trigger.insists()
            || is_local()
            || (options.scope == Scope::All && (trigger.announces() || is_due())))
}

/// The system repository as it was found without the host's lock.
pub(super) struct Prospect {
    before: SystemState,
    state: SystemState,
    report: SystemReport,
    pub(super) revision: Revision,
}

/// Checks the newest commit, and stays with the one in force where it must; nothing is written. `fetched` is what the remote
/// said, if it was asked.
pub(super) fn look(
    host: &dyn Host,
    options: &Options,
    fetched: Option<Result<(), PassError>>,
) -> Result<Prospect, PassError> {
    let root = host.root();
    let config = read_config(root)?.ok_or(PassError::NotInitialised)?;
    let before = SystemState::read(root)?;
    let mut state = before.clone();
    let mut report = SystemReport::default();
    if let Some(fetched) = fetched {
        let error = fetched.err();
        let failed = before.fetch_failure.as_ref();
        let interval = state.sync().interval;
        let failure = |error: &PassError| failure(host, SYSTEM, failed, error, interval);
        state.fetch_failure = error.as_ref().map(failure);
        let failed = state.fetch_failure.as_ref();
        report.error = failed.map(|failed| failed.error.clone());
        // A host that never had a commit has nothing else to say.
        if let (Some(error), None) = (error, &before.accepted) {
            return Err(error);
        }
    }
    let revision = choose(host, &config, options, &mut state, &mut report)?;
    report.commit = Some(revision.commit.clone());
    state.accepted = Some(revision.commit.clone());
    state.sync = Some(revision.system.policy.sync);
    Ok(Prospect {
        before,
        state,
        report,
        revision,
    })
}

/// Makes `prospect` the one in force, under the host's lock; looks again if another pass was faster.
pub(super) fn settle(
    host: &dyn Host,
    options: &Options,
    prospect: Prospect,
) -> Result<(SystemReport, Revision), PassError> {
    let prospect = if SystemState::read(host.root())? == prospect.before {
        prospect
    } else {
        look(host, options, None)?
    };
    if !options.plan_only {
        remember(host, &prospect)?;
    }
    Ok((prospect.report, prospect.revision))
}

/// Writes what is remembered, and tells what is new: that a commit is in force, or is not accepted.
fn remember(host: &dyn Host, prospect: &Prospect) -> Result<(), PassError> {
    let root = host.root();
    let (before, state) = (&prospect.before, &prospect.state);
    notify::configure(root, &prospect.revision.system.policy.notifications)?;
    let moved = state.accepted != before.accepted;
    let accepted = audit::Event::new(None, "system-accepted")
        .with_some("commit", state.accepted.clone())
        .with_some("before", before.accepted.clone());
    if moved {
        audit::ahead(host, vec![accepted.clone()])?;
    }
    if moved || !Accepted::path(root).exists() {
        Accepted::write(root, &prospect.revision)?;
    }
    if state != before {
        state.write(root)?;
    }
    if moved {
        audit::note(root, accepted);
    }
    let failures = (before.fetch_failure.as_ref(), state.fetch_failure.as_ref());
    notify::fetched(host, None, failures.0, failures.1);
    let known = before.refused.as_ref().map(|refusal| &refusal.commit);
    if let Some(refusal) = &state.refused
        && known != Some(&refusal.commit)
    {
        let event = HistoryEvent::Refused {
            commit: refusal.commit.clone(),
            reason: refusal.reason.clone(),
        };
        let record = Record {
            time: host.now(),
            tenant: None,
            event,
        };
        events::append(root, &record)?;
    }
    Ok(())
}

/// Brings `reference` of the system repository into its mirror; the commit.
pub(super) fn fetch_reference(host: &dyn Host, reference: &str) -> Result<String, PassError> {
    let root = host.root();
    let config = HostConfig {
        reference: reference.to_owned(),
        ..read_config(root)?.ok_or(PassError::NotInitialised)?
    };
    let timeout = SystemState::read(root)?.sync().timeout;
    fetch(host, &config, timeout)
}

fn fetch(host: &dyn Host, config: &HostConfig, timeout: Millis) -> Result<String, PassError> {
    let root = host.root();
    let _lock = lock::mirror(root, SYSTEM)?;
    let url = root.url(&config.repository);
    let mirror = Mirror::ensure(&root.system_mirror(), &url)?;
    let timeout = Duration::from_millis(timeout.0);
    let opened = access::open_system(host, &url)?;
    let (mirror, git) = (mirror.path(), &opened.git);
    let fetched = source::fetch_with(mirror, &url, (&config.reference, None), timeout, git)?;
    Ok(fetched.commit)
}

/// The record of a fetch that failed: failures in a row are counted from the first one, and the remote is left alone for
/// longer after each. `name` is the tenant's, or [`SYSTEM`].
pub(super) fn failure(
    host: &dyn Host,
    name: &str,
    before: Option<&FetchFailure>,
    error: &dyn std::fmt::Display,
    interval: Millis,
) -> FetchFailure {
    let now = host.now();
    let count = before.map_or(0, |failed| failed.count) + 1;
    // Hosts of a fleet follow the same repositories: they shall not come back at the same time.
    let machine = fs::read_to_string(host.root().join("/etc/machine-id")).unwrap_or_default();
    let delay = backoff::delay(&format!("{machine}{name}"), count, interval);
    FetchFailure {
        since: before.map_or(now, |failed| failed.since),
        count,
        error: error.to_string(),
        retry_after: Some(now + delay.0 / 1000),
    }
}

/// The newest commit if it can be accepted, else the one in force, with the reason in `state` and `report`.
fn choose(
    host: &dyn Host,
    config: &HostConfig,
    options: &Options,
    state: &mut SystemState,
    report: &mut SystemReport,
) -> Result<Revision, PassError> {
    let root = host.root();
    let repository = open(&root.system_mirror())?;
    let newest = match (resolve_ref(&repository, &config.reference), &state.accepted) {
        (Ok(commit), _) => commit.id,
        // Nothing newer is known.
        (Err(_), Some(accepted)) => return in_force(root, accepted),
        (Err(error), None) => return Err(error.into()),
    };
    let Some(accepted) = state.accepted.clone() else {
        let verified = trust::verify_system(host, config, &repository, None, &newest)?;
        let (checked, sources) = read(root, &newest)?;
        let findings = [checked.findings, verified.findings].concat();
        if verified.refusal.is_some() {
            return Err(PassError::System { findings, sources });
        }
        report.signer.clone_from(&verified.signer);
        state.signer = verified.signer;
        let Some(system) = checked.value else {
            return Err(PassError::System { findings, sources });
        };
        (report.findings, report.sources) = (findings, sources);
        return Ok(Revision {
            commit: newest,
            system,
        });
    };
    let rewound = newest != accepted
        && !(options.allow_rewind && options.scope == Scope::All)
        && !is_descendant(&repository, &accepted, &newest)?;
    if rewound {
        let reason = "it does not descend from the commit in force (force push?); \
                      `bbctl sync --allow-rewind` accepts it";
        refuse(
            state,
            report,
            host.now(),
            newest,
            reason.to_owned(),
            Vec::new(),
        );
        return in_force(root, &accepted);
    }
    let mut verified = Verified {
        signer: state.signer.clone(),
        ..Verified::default()
    };
    if newest != accepted {
        let known = in_force(root, &accepted)?;
        verified = trust::verify_system(host, config, &repository, Some(&known), &newest)?;
        report.findings.clone_from(&verified.findings);
        if let Some(reason) = verified.refusal {
            refuse(state, report, host.now(), newest, reason, verified.findings);
            return Ok(known);
        }
    }
    let (mut checked, sources) = read(root, &newest)?;
    checked.findings.extend(verified.findings);
    (report.findings, report.sources) = (checked.findings.clone(), sources);
    match checked.value {
        Some(system) => {
            state.refused = None;
            report.signer.clone_from(&verified.signer);
            state.signer = verified.signer;
            Ok(Revision {
                commit: newest,
                system,
            })
        }
        None if newest == accepted => Err(PassError::System {
            findings: checked.findings,
            sources: std::mem::take(&mut report.sources),
        }),
        None => {
            let reason = errors(&checked.findings);
            refuse(state, report, host.now(), newest, reason, checked.findings);
            in_force(root, &accepted)
        }
    }
}

/// That its documents have errors, and how many.
pub(super) fn errors(findings: &[Finding]) -> String {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    match errors.count() {
        1 => "its documents have an error".to_owned(),
        n => format!("its documents have {n} errors"),
    }
}

fn refuse(
    state: &mut SystemState,
    report: &mut SystemReport,
    now: u64,
    commit: String,
    reason: String,
    findings: Vec<Finding>,
) {
    report.refused = Some(commit.clone());
    report.error.get_or_insert_with(|| {
        format!("commit {commit} of the system repository is refused: {reason}")
    });
    let since = match &state.refused {
        Some(before) if before.commit == commit => before.since,
        _ => now,
    };
    state.refused = Some(Refusal {
        commit,
        since,
        reason,
        findings,
    });
}

type Sources = BTreeMap<String, String>;

fn read(root: &HostRoot, commit: &str) -> Result<(Checked<System>, Sources), SourceError> {
    let repository = open(&root.system_mirror())?;
    let reading = read_tree(&repository, commit, &TreeLimits::default())?;
    Ok(check(reading))
}

/// What a tree of the system repository says; nothing when there are errors, also in the tree itself.
pub(super) fn check(reading: Reading) -> (Checked<System>, Sources) {
    let Reading { tree, findings } = reading;
    let checked = read_system(&tree);
    let policy = checked.value.as_ref().map(|system| &system.policy);
    let policy = policy.map_or_else(Vec::new, unavailable_policy);
    let all = findings.into_iter().chain(checked.findings).chain(policy);
    let checked = Checked::new(checked.value, all.collect());
    let sources = report::sources(&tree, &checked.findings);
    (checked, sources)
}

/// The revision that was accepted as `commit`: from the mirror, or, when that has lost it, as it was written down.
fn in_force(root: &HostRoot, commit: &str) -> Result<Revision, PassError> {
    let lost = match read(root, commit) {
        Ok((checked, sources)) => {
            let findings = checked.findings;
            let system = checked.value;
            let system = system.ok_or(PassError::System { findings, sources })?;
            return Ok(Revision {
                commit: commit.to_owned(),
                system,
            });
        }
        Err(lost) => lost,
    };
    match atomic::read_json::<Accepted>(&Accepted::path(root))? {
        Some(kept) if kept.commit == commit => Ok(Revision {
            commit: kept.commit,
            system: kept.system,
        }),
        _ => Err(lost.into()),
    }
}

/// `/var/lib/bitbuilder/accepted.json`: what the commit in force says. The mirror has it too, until somebody wipes the
/// mirror and rewrites the remote.
#[derive(Serialize, Deserialize)]
struct Accepted {
    format: u64,
    commit: String,
    system: System,
}

impl Accepted {
    fn path(root: &HostRoot) -> std::path::PathBuf {
        root.state().join("accepted.json")
    }

    fn write(root: &HostRoot, revision: &Revision) -> Result<(), HostError> {
        let kept = Self {
            format: atomic::FORMAT,
            commit: revision.commit.clone(),
            system: revision.system.clone(),
        };
        atomic::write_json(&Self::path(root), &kept)
    }
}
