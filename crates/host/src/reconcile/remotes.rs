//! Remotes are asked side by side and without the host's lock: one that is slow or silent holds up neither the others of
//! its pass nor another pass.
//!
//! Of each forge only a few repositories are asked at once, and no more of them once it let two time out: a forge that is
//! down must not use up what the others are asked with.

use super::access;
use super::ground::Ground;
use super::init::{ensure_embedded, read_config};
use super::rest::Still;
use super::{
    EffectiveTenant, FetchFailure, Options, PassError, Revision, Scope, SystemState,
    effective_registry, lock, trial,
};
use crate::git::GitError;
use crate::host::Host;
use crate::paths::HostRoot;
use crate::source::{self, Mirror, RemoteUrl, SourceError};
use bitbuilder_core::model::{Access, Millis, Name, Registration};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Repositories that are asked at once: of this host, and of others. Remotes mostly let one wait.
const LOCAL: usize = 16;
const REMOTE: usize = 48;
/// Of those, so many of one forge.
const OF_ONE_FORGE: usize = 8;
/// A forge that let so many time out is not asked again in this pass.
const TIMEOUTS: usize = 2;
/// What did not answer by then is not waited for by the others.
const GRACE: Duration = Duration::from_secs(3);
/// Late answers come in groups: the rest of a group is waited for.
const GROUP: Duration = Duration::from_millis(500);

/// What a remote said: the commit of the reference.
pub(super) type Answer = Result<String, PassError>;

/// One repository to ask.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) tenant: Name,
    repository: String,
    reference: String,
    /// Host name of the forge; `None` for a repository on this host.
    forge: Option<String>,
    /// What opens it, in the system repository at a commit.
    access: Access,
    system: String,
}

impl Question {
    /// The question for a tenant, as the system repository registers it at commit `system`.
    pub(super) fn of(registration: &Registration, system: &str) -> Self {
        Self {
            tenant: registration.id.clone(),
            repository: registration.repository.clone(),
            reference: registration.reference.clone(),
            forge: RemoteUrl::parse(&registration.repository)
                .ok()
                .and_then(|url| url.host().map(str::to_owned)),
            access: registration.access.clone(),
            system: system.to_owned(),
        }
    }

    /// Whether it still is what `registration` says.
    pub(super) fn is_about(&self, registration: &Registration) -> bool {
        self.repository == registration.repository && self.reference == registration.reference
    }

    /// Brings what it names into the mirror of its tenant; the commit.
    pub(super) fn ask(&self, host: &dyn Host, timeout: Millis) -> Answer {
        let root = host.root();
        ensure_embedded(root, &self.repository)?;
        let _lock = lock::mirror(root, self.tenant.as_str())?;
        let url = root.url(&self.repository);
        let mirror = Mirror::ensure(&root.mirror(&self.tenant), &url)?;
        let timeout = Duration::from_millis(timeout.0);
        let name = self.tenant.as_str();
        let opened = access::open(host, name, &self.access, &self.system, &url)?;
        let (mirror, git) = (mirror.path(), &opened.git);
        let testing = trial::branch(host);
        let wanted = (self.reference.as_str(), testing.as_deref());
        let fetched = source::fetch_with(mirror, &url, wanted, timeout, git)?;
        Ok(fetched.commit)
    }
}

/// What was said of tenants in one round: to a question, or `None` where nobody was asked.
#[derive(Default)]
pub(super) struct Answers(BTreeMap<Name, Option<(Question, Answer)>>);

impl Answers {
    /// Takes what there is about `registration`: `None` when it is not part of this round. An answer from where the tenant
    /// was before counts as none.
    pub(super) fn take(&mut self, registration: &Registration) -> Option<Option<Answer>> {
        let said = self.0.remove(&registration.id)?;
        Some(
            said.filter(|(question, _)| question.is_about(registration))
                .map(|(_, answer)| answer),
        )
    }

    /// Adds the tenants of the pass whose remotes are not asked.
    pub(super) fn add_unasked(
        &mut self,
        remotes: &Remotes,
        revision: &Revision,
        options: &Options,
        still: &Still<'_>,
    ) {
        let concerned = |id: &Name| match &options.scope {
            Scope::All => true,
            Scope::One(only) => id == only,
        };
        for Registration { id, .. } in &revision.system.tenants {
            if concerned(id) && !remotes.waiting.contains(id) && !still.has(id) {
                self.0.entry(id.clone()).or_default();
            }
        }
    }
}

/// How long the answer of the system repository is waited for; `None` where nothing can be done without it.
pub(super) fn patience(host: &dyn Host, options: &Options) -> Result<Option<Duration>, PassError> {
    let accepted = SystemState::read(host.root())?.accepted;
    Ok((accepted.is_some() && !options.plan_only).then_some(GRACE))
}

/// The questions of a pass. A tenant that is suspended is left alone, and so is a remote that failed until its time comes.
///
/// # Errors
/// When the tenant of the scope is not registered.
pub(super) fn questions(
    host: &dyn Host,
    options: &Options,
    revision: &Revision,
    still: &Still<'_>,
) -> Result<Vec<Question>, PassError> {
    let tenants: Vec<&Registration> = match &options.scope {
        Scope::All => {
            let tenants = revision.system.tenants.iter();
            tenants.filter(|tenant| !still.has(&tenant.id)).collect()
        }
        Scope::One(id) => vec![Ground::find(revision, id)?],
    };
    if !options.fetch {
        return Ok(Vec::new());
    }
    let trigger = &options.trigger;
    let insists = trigger.insists() || (trigger.announces() && options.scope != Scope::All);
    let interval = revision.system.policy.sync.interval;
    let asked = tenants.into_iter().filter(|tenant| {
        let memory = Memory::read(host.root(), &tenant.id);
        memory.suspended.is_none()
            && (insists
                || memory
                    .fetch_failure
                    .is_none_or(|failed| failed.is_due(host.now(), interval)))
    });
    Ok(asked
        .map(|tenant| Question::of(tenant, &revision.commit))
        .collect())
}

/// Whether a repository on another host could not be read the last time.
///
/// # Errors
/// When the host's state is unreadable.
pub fn is_remote_unreachable(host: &dyn Host) -> Result<bool, PassError> {
    let root = host.root();
    let is_remote = |url: &str| RemoteUrl::parse(url).is_ok_and(|url| url.host().is_some());
    let failed = SystemState::read(root)?.fetch_failure;
    let config = read_config(root)?.filter(|config| is_remote(&config.repository));
    if config.is_some() && failed.is_some() {
        return Ok(true);
    }
    let registry = effective_registry(root)?.map_or_else(Vec::new, |registry| registry.tenants);
    let failed = |tenant: &EffectiveTenant| Memory::read(root, &tenant.id).fetch_failure.is_some();
    let mut remote = registry
        .iter()
        .filter(|tenant| is_remote(&tenant.registration.repository));
    Ok(remote.any(failed))
}

/// Of the memory of a tenant, what decides whether it is asked.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Memory {
    suspended: Option<IgnoredAny>,
    fetch_failure: Option<FetchFailure>,
}

impl Memory {
    /// Damage is found by those who need the rest.
    fn read(root: &HostRoot, id: &Name) -> Self {
        let text = fs::read(root.tenant_state(id)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

/// Questions under way.
pub(super) struct Remotes {
    answers: Receiver<(Question, Answer)>,
    waiting: BTreeSet<Name>,
    /// Nothing was taken yet.
    first: bool,
}

/// What the threads that ask share.
struct Desk<'h> {
    host: &'h dyn Host,
    timeout: Millis,
    queues: Mutex<Queues>,
    /// A question was answered: another of the same forge may go.
    answered: Condvar,
}

struct Queues {
    waiting: VecDeque<Question>,
    forges: BTreeMap<String, Forge>,
}

/// How a forge does.
#[derive(Default, Clone, Copy)]
struct Forge {
    /// Questions under way.
    asked: usize,
    timeouts: usize,
}

/// A question that was taken.
struct Asked {
    question: Question,
    /// Its forge is not asked any more.
    given_up: bool,
}

impl Remotes {
    /// Asks all `questions`, on `threads`.
    pub(super) fn ask<'scope, 'env>(
        threads: &'scope thread::Scope<'scope, 'env>,
        host: &'env dyn Host,
        timeout: Millis,
        questions: Vec<Question>,
    ) -> Self {
        let waiting = questions
            .iter()
            .map(|question| question.tenant.clone())
            .collect();
        let (sender, answers) = mpsc::channel();
        let (local, remote): (Vec<_>, Vec<_>) = questions
            .into_iter()
            .partition(|asked| asked.forge.is_none());
        for (questions, at_once) in [(local, LOCAL), (remote, REMOTE)] {
            let workers = at_once.min(questions.len());
            let desk = Arc::new(Desk::new(host, timeout, questions));
            for _ in 0..workers {
                let (desk, sender) = (Arc::clone(&desk), sender.clone());
                threads.spawn(move || desk.serve(&sender));
            }
        }
        Self {
            answers,
            waiting,
            first: true,
        }
    }

    /// Whether all have answered.
    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The next answers. The first time they are those of all that answer soon, afterwards at least one of the late.
    pub(super) fn next(&mut self) -> Answers {
        let mut answers = Answers::default();
        let patience = if std::mem::take(&mut self.first) {
            GRACE
        } else {
            self.receive(None, &mut answers);
            GROUP
        };
        let until = Instant::now() + patience;
        while !self.waiting.is_empty() && self.receive(Some(until), &mut answers) {}
        answers
    }

    /// The answers of all that are left, however long it takes.
    pub(super) fn rest(&mut self) -> Answers {
        let mut answers = Answers::default();
        while !self.waiting.is_empty() && self.receive(None, &mut answers) {}
        answers
    }

    /// One more answer, if there is one in time.
    fn receive(&mut self, until: Option<Instant>, answers: &mut Answers) -> bool {
        let received = match until {
            None => self.answers.recv().ok(),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                self.answers.recv_timeout(left).ok()
            }
        };
        match received {
            Some((question, answer)) => {
                self.waiting.remove(&question.tenant);
                let tenant = question.tenant.clone();
                answers.0.insert(tenant, Some((question, answer)));
                true
            }
            None => {
                if until.is_none() {
                    // Nobody is left who could answer.
                    self.waiting.clear();
                }
                false
            }
        }
    }
}

impl<'h> Desk<'h> {
    fn new(host: &'h dyn Host, timeout: Millis, questions: Vec<Question>) -> Self {
        Self {
            host,
            timeout,
            queues: Mutex::new(Queues {
                waiting: questions.into(),
                forges: BTreeMap::new(),
            }),
            answered: Condvar::new(),
        }
    }

    /// Asks one question after the other until none is left.
    fn serve(&self, answers: &Sender<(Question, Answer)>) {
        while let Some(asked) = self.take() {
            let answer = match &asked.question.forge {
                Some(forge) if asked.given_up => Err(SourceError::Silent {
                    forge: forge.clone(),
                }
                .into()),
                _ => asked.question.ask(self.host, self.timeout),
            };
            self.give_back(&asked.question, &answer);
            // Whoever stopped listening does not need it.
            let _ = answers.send((asked.question, answer));
        }
    }

    /// The next question that may be asked; waits for one while others of its forge are under way.
    fn take(&self) -> Option<Asked> {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queues.waiting.is_empty() {
                return None;
            }
            if let Some(asked) = queues.take() {
                return Some(asked);
            }
            queues = self
                .answered
                .wait(queues)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, question: &Question, answer: &Answer) {
        let Some(forge) = &question.forge else { return };
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let forge = queues.forges.entry(forge.clone()).or_default();
        forge.asked -= 1;
        let timed_out = matches!(
            answer,
            Err(PassError::Source(SourceError::Git(
                GitError::TimeLimit { .. }
            )))
        );
        forge.timeouts += usize::from(timed_out);
        drop(queues);
        self.answered.notify_all();
    }
}

impl Queues {
    /// The first question whose forge is not busy.
    fn take(&mut self) -> Option<Asked> {
        let of = |queues: &Self, question: &Question| {
            let forge = question.forge.as_ref();
            forge
                .and_then(|forge| queues.forges.get(forge).copied())
                .unwrap_or_default()
        };
        let at = self.waiting.iter().position(|question| {
            let forge = of(self, question);
            forge.timeouts >= TIMEOUTS || forge.asked < OF_ONE_FORGE
        })?;
        let question = self.waiting.remove(at)?;
        let given_up = of(self, &question).timeouts >= TIMEOUTS;
        if let Some(forge) = &question.forge {
            self.forges.entry(forge.clone()).or_default().asked += 1;
        }
        Some(Asked { question, given_up })
    }
}
