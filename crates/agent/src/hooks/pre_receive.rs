//! The judge of a push: nothing that a pass would refuse becomes the deployed ref.

use super::place::{Place, Source};
use super::post_receive::pushed_by;
use crate::console::Console;
use crate::failure::{Failure, Result};
use crate::progress::{self, short};
use bitbuilder_core::finding::has_errors;
use bitbuilder_host::audit::{self, Draft, Event, Who};
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::{PassError, Preview, preview_commit};
use bitbuilder_host::source::quarantine::{self, Environment, RefUpdate, parse_receive_lines};
use bitbuilder_host::source::{Repository, is_descendant, open, read_commit};
use std::path::Path;

/// Where a push is read before it is accepted.
pub(crate) struct Push<'a> {
    /// Whose repository.
    pub(crate) place: &'a Place,
    /// The repository.
    pub(crate) repository: &'a Path,
    /// What Git says about the new objects; `None` when there are none.
    pub(crate) environment: Option<Environment>,
    /// A directory for scratch files.
    pub(crate) scratch: &'a Path,
}

/// The judges without effect: what is to be said of a commit, of its documents and its signatures.
pub(crate) type Judge<'a> = &'a dyn Fn(&Repository, &str) -> Result<Preview, PassError>;

/// Called by Git as `pre-receive`, githooks(5): accepts the push or says why not.
///
/// # Errors
/// When the push is refused, or cannot be judged.
pub fn run(host: &dyn Host, console: &Console) -> Result {
    let directory = std::env::current_dir()?;
    let updates = parse_receive_lines(std::io::stdin().lock())?;
    receive(
        host,
        &directory,
        &updates,
        |name| std::env::var_os(name),
        console,
    )
}

/// Judges a push to the repository `directory`; `variable` gives the variables of Git.
///
/// # Errors
/// As [`run`].
pub fn receive(
    host: &dyn Host,
    directory: &Path,
    updates: &[RefUpdate],
    variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    console: &Console,
) -> Result {
    let (place, repository) = Place::of(host.root(), directory)?;
    let source = place.source(host).map_err(Failure::new)?;
    let push = Push {
        place: &place,
        repository: &repository,
        environment: Environment::from(variable).ok(),
        scratch: &host.root().runtime(),
    };
    let preview = |repository: &Repository, commit: &str| {
        preview_commit(host, place.tenant(), repository, commit)
    };
    let judged = judge(&push, &source, updates, &preview, console);
    if let Err(failure) = &judged {
        record(host, &place, updates, failure);
    }
    judged
}

/// Puts a refused push into the audit trail.
fn record(host: &dyn Host, place: &Place, updates: &[RefUpdate], failure: &Failure) {
    let reason = failure.describe().unwrap_or_default();
    let reason = reason.lines().next().unwrap_or_default();
    let commits = updates.iter().filter_map(|update| update.new.as_ref());
    let events = commits.map(|commit| {
        Event::new(place.tenant(), "refused")
            .with("commit", commit.as_str())
            .with("reason", reason.trim_start_matches("error: "))
    });
    audit::record(
        host,
        Draft {
            time: host.now(),
            who: Who::new(host, &pushed_by()),
            command: None,
            interrupted: false,
            events: events.collect(),
        },
    );
}

/// Accepts what is not deployed; what is deployed must move forward and be without errors.
pub(crate) fn judge(
    push: &Push<'_>,
    source: &Source,
    updates: &[RefUpdate],
    preview: Judge<'_>,
    console: &Console,
) -> Result {
    if source.repository != push.place.url() {
        console.say(&format!(
            "note: {} is deployed from {}, not from here",
            push.place.describe(),
            source.repository
        ));
        return Ok(());
    }
    let repository = open(push.repository)?;
    for update in updates {
        let pushed = updates.iter().map(|other| other.name.as_str());
        if source.deploys(&update.name, &repository, pushed) {
            deployed(push, update, preview, console)?;
        } else {
            console.say(&format!(
                "note: {} is kept here; only `{}` is deployed",
                update.name, source.reference
            ));
        }
    }
    Ok(())
}

fn deployed(push: &Push<'_>, update: &RefUpdate, preview: Judge<'_>, console: &Console) -> Result {
    let name = &update.name;
    let what = push.place.describe();
    let Some(new) = &update.new else {
        return Err(Failure::text(format!(
            "{name} is what {what} is deployed from and cannot be deleted"
        )));
    };
    let environment = push.environment.as_ref().ok_or_else(|| {
        Failure::text("Git names no directory of new objects: is this called by git push?")
    })?;
    let quarantine = quarantine::open(push.repository, environment, push.scratch)?;
    let commit = read_commit(&quarantine, new)?.id;
    if let Some(old) = &update.old {
        let old = read_commit(&quarantine, old)?.id;
        if !is_descendant(&quarantine, &old, &commit)? {
            return Err(Failure::text(format!(
                "commit {} does not descend from {}, which {name} is at: {what} is deployed from it, \
                 and force pushes are refused",
                short(&commit),
                short(&old)
            ))
            .next("git pull --rebase; to go back, git revert"));
        }
    }
    let preview = preview(&quarantine, &commit);
    drop(quarantine);
    let preview = preview.map_err(|error| progress::pass_failure(error, console))?;
    progress::findings(&preview.findings, &preview.sources, console);
    if has_errors(&preview.findings) {
        return Err(Failure::text(format!(
            "commit {} is refused; what runs goes on unchanged",
            short(&commit)
        ))
        .next("correct what is said above, commit, and push again"));
    }
    Ok(())
}
