//! What is not in the trail yet: the act that is going on, and records that could not be written.
//!
//! `audit/act.json` is written before an effect and holds what is about to be done; whoever was killed in between is
//! recorded from it. Records wait in `audit/waiting/` while the trail cannot be written (a full disk, a key that cannot be
//! unsealed); while not even that works, in `/run/bitbuilder/audit/`, which a reboot empties. A full disk shall not keep
//! an operator from rolling back.

use super::AuditError;
use super::entry::{Draft, Event};
use super::trail::Trail;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::{atomic, disk, generations, journal};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

const ACT: &str = "act.json";
const WAITING: &str = "waiting";
/// Message id of records that are only in the journal.
const LOST: &str = "5b0e7f7d1f6c4d0a9f2b1c8f4c1e6a90";

/// A draft on the disk.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    format: u64,
    /// It says how it went; without, it says what somebody was about to do.
    done: bool,
    #[serde(flatten)]
    draft: Draft,
}

/// Where drafts are kept, the better place first.
fn places(root: &HostRoot) -> [PathBuf; 2] {
    [root.audit(), root.runtime().join("audit")]
}

/// Writes what is being done, or how it went, in place of what was there; the caller holds the host's lock.
pub(super) fn keep_act(host: &dyn Host, draft: &Draft, done: bool) -> Result<(), AuditError> {
    let [first, second] = places(host.root()).map(|place| place.join(ACT));
    let kept = Kept {
        format: atomic::FORMAT,
        done,
        draft: draft.clone(),
    };
    if let Err(error) = atomic::write_json(&first, &kept) {
        // What the first place has is older; where it cannot be removed, it is told as interrupted.
        let _ = atomic::remove(&first);
        return atomic::write_json(&second, &kept).map_err(|_| error.into());
    }
    atomic::remove(&second)?;
    Ok(())
}

/// Keeps a record that cannot be written now. The last resort is the journal, which has it signed by nobody.
pub(super) fn keep(root: &HostRoot, draft: &Draft) {
    let kept = Kept {
        format: atomic::FORMAT,
        done: true,
        draft: draft.clone(),
    };
    let places = places(root);
    let write = |place: &PathBuf| atomic::write_json(&free(place, draft.time), &kept);
    let written = write(&places[0]).or_else(|error| write(&places[1]).map_err(|_| error));
    let Err(error) = written else {
        return;
    };
    let message = format!("A record of the audit trail can be written nowhere: {error}");
    let text = serde_json::to_string(draft).unwrap_or_default();
    journal::send(
        root,
        &[
            ("MESSAGE", &message),
            ("MESSAGE_ID", LOST),
            ("PRIORITY", "2"),
            ("BITBUILDER_EVENT", "audit-lost"),
            ("BITBUILDER_RECORD", &text),
        ],
    );
}

/// A name that sorts by time and is not taken.
fn free(place: &Path, time: u64) -> PathBuf {
    let directory = place.join(WAITING);
    let mut number = 0_u32;
    loop {
        let name = format!("{time:020}-{}-{number}.json", std::process::id());
        let path = directory.join(name);
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

/// An act that whoever began it did not end: it is a record now, with what is current instead of what came of it. The
/// caller holds the host's lock.
pub(super) fn end_act_of_the_dead(host: &dyn Host) -> Result<(), AuditError> {
    for place in places(host.root()) {
        let path = place.join(ACT);
        let time = match atomic::read_json::<Kept>(&path) {
            Ok(None) => continue,
            Ok(Some(mut kept)) => {
                if !kept.done {
                    interrupt(host, &mut kept)?;
                    // On a full disk it waits as it is.
                    let _ = atomic::write_json(&path, &kept);
                }
                kept.draft.time
            }
            // Whoever adds what waits says that it is damaged.
            Err(HostError::Damaged { .. }) => 0,
            Err(error) => return Err(error.into()),
        };
        let directory = place.join(WAITING);
        atomic::make_directories(&directory)?;
        disk::rename(&path, &free(&place, time))?;
        disk::sync_directory(&directory)?;
    }
    Ok(())
}

/// What was about to be done, and what is current of the tenants that it was about.
fn interrupt(host: &dyn Host, kept: &mut Kept) -> Result<(), AuditError> {
    for event in &mut kept.draft.events {
        if let Some(id) = &event.tenant
            && let Some(number) = generations::current(host.root(), id)?
        {
            event.details.insert("current".to_owned(), number.into());
        }
    }
    kept.draft.interrupted = true;
    kept.done = true;
    Ok(())
}

/// Adds to the trail what waits, oldest first.
pub(super) fn settle(host: &dyn Host, trail: &mut Trail<'_>) -> Result<(), AuditError> {
    for path in files(host.root())? {
        match atomic::read_json::<Kept>(&path) {
            // The act goes on.
            Ok(Some(kept)) if !kept.done && path.ends_with(ACT) => {}
            Ok(None) => {}
            Ok(Some(mut kept)) => {
                if !kept.done {
                    interrupt(host, &mut kept)?;
                }
                // Killed between the record and this: it is there already.
                if !trail.ends_with(&kept.draft)? {
                    trail.write(kept.draft)?;
                }
                atomic::remove(&path)?;
            }
            Err(HostError::Damaged { path, reason }) => {
                let file = path.display().to_string();
                let event = Event::new(None, "audit-damaged")
                    .with("file", file)
                    .with("reason", reason);
                trail.note(event)?;
                disk::rename(&path, &path.with_extension("damaged"))?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// How many records wait.
pub(super) fn count(root: &HostRoot) -> Result<usize, AuditError> {
    let kept = files(root)?.into_iter().filter_map(|path| {
        // The act that goes on does not wait for the trail.
        let kept = atomic::read_json::<Kept>(&path).ok()??;
        kept.done.then_some(())
    });
    Ok(kept.count())
}

/// Files with drafts: those that wait by name, then the act.
fn files(root: &HostRoot) -> Result<Vec<PathBuf>, AuditError> {
    let mut files = Vec::new();
    for place in places(root) {
        let directory = place.join(WAITING);
        let mut waiting = Vec::new();
        match fs::read_dir(&directory) {
            Ok(entries) => {
                for entry in entries {
                    waiting.push(entry.map_err(HostError::file(&directory))?.path());
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(HostError::file(&directory)(error).into()),
        }
        waiting.retain(|path| path.extension().is_some_and(|end| end == "json"));
        waiting.sort();
        files.extend(waiting);
        let act = place.join(ACT);
        if act.exists() {
            files.push(act);
        }
    }
    Ok(files)
}
