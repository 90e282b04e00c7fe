//! What happened on the host, one JSON object per line, oldest first: `/var/lib/bitbuilder/events.jsonl`.
//!
//! Writers hold a lock on the file while they write; readers need none. A line that a crash cut off is closed by the
//! next writer and passed over by readers. A power cut can lose the newest lines: the history of each tenant
//! ([`crate::reconcile::TenantState`]) is the durable record.

mod follow;
#[cfg(test)]
mod tests;

pub use follow::follow;

use crate::host::HostError;
use crate::paths::HostRoot;
use crate::{atomic, audit, notify};
use bitbuilder_core::model::Name;
use bitbuilder_core::notify::Kind;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes over which the older half goes.
const LIMIT: u64 = 4 << 20;

/// One thing that happened to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Seconds since the epoch.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: HistoryEvent,
}

/// What can happen to a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum HistoryEvent {
    /// A generation became current.
    Deployed {
        /// Its number.
        generation: u64,
        /// Its commit.
        commit: String,
        /// First line of the commit's message.
        subject: String,
        /// Who signed it, when that was verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signer: Option<String>,
    },
    /// What differed from the current generation was put right.
    Repaired {
        /// Its number.
        generation: u64,
    },
    /// A commit was not accepted.
    Refused {
        /// The commit.
        commit: String,
        /// Why.
        reason: String,
    },
    /// An apply failed.
    Failed {
        /// The commit.
        commit: String,
        /// Why.
        error: String,
    },
    /// An older generation became current.
    RolledBack {
        /// From this number.
        from: u64,
        /// To this number.
        to: u64,
        /// Why, when the host did it; `None` is an operator's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// A generation has shown that it works, or works again.
    Healthy {
        /// Its number.
        generation: u64,
    },
    /// The current generation does not work.
    Degraded {
        /// Its number.
        generation: u64,
        /// Why.
        reason: String,
    },
    /// A generation became current for a while.
    Trial {
        /// Its number.
        generation: u64,
        /// Seconds since the epoch at which it is left.
        until: u64,
    },
    /// What was on trial stays.
    Confirmed {
        /// Its number.
        generation: u64,
    },
    /// What was on trial was left.
    Reverted {
        /// Its number.
        generation: u64,
        /// Why, when the host did it; `None` is an operator's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Passes leave it alone from now on.
    Suspended {
        /// What the operator said.
        reason: String,
    },
    /// Passes care for it again.
    Resumed,
    /// It left the registry.
    Removed,
    /// It differs from its generation without a new commit, or in other ways than before.
    Drifted {
        /// What differs, a sentence each.
        items: Vec<String>,
    },
    /// It does not differ any more.
    Settled,
    /// It came back to the registry, and has what it had.
    Restored,
    /// Its data was deleted, and its numbers are free.
    Purged,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Seconds since the epoch.
    pub time: u64,
    /// The tenant; `None` is the system repository.
    pub tenant: Option<Name>,
    /// What happened.
    #[serde(flatten)]
    pub event: HistoryEvent,
}

/// Kinds that nobody did: they are not for the audit trail.
const OBSERVED: [&str; 4] = ["healthy", "degraded", "drifted", "settled"];

/// Tells the audit trail, the journal and those who want to know, and adds a line. The file is bounded: the older half goes when it grows over 4 MiB.
///
/// # Errors
/// When a file operation fails.
pub fn append(root: &HostRoot, record: &Record) -> Result<(), HostError> {
    let event = audit::Event::of(record.tenant.as_ref(), &record.event);
    if let Some(kind) = Kind::of(&event.event) {
        let details = event.details.clone();
        notify::tell(root, record.time, kind, record.tenant.as_ref(), details);
    }
    if !OBSERVED.contains(&event.event.as_str()) {
        audit::note(root, event);
    }
    add_line(root, record)
}

fn add_line(root: &HostRoot, record: &Record) -> Result<(), HostError> {
    let path = path(root);
    let mut line =
        serde_json::to_vec(record).map_err(|error| HostError::damaged(&path, error.to_string()))?;
    line.push(b'\n');
    let mut file = open_locked(&path)?;
    let size = add(&mut file, &line).map_err(HostError::file(&path))?;
    if size > LIMIT {
        shorten(&path)?;
    }
    Ok(())
}

/// All lines; one that is damaged (a crash in the middle of a write) is passed over.
///
/// # Errors
/// When the file is unreadable.
pub fn read(root: &HostRoot) -> Result<Vec<Record>, HostError> {
    let path = path(root);
    match fs::read(&path) {
        Ok(text) => Ok(text
            .split(|byte| *byte == b'\n')
            .filter_map(parse)
            .collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(HostError::file(&path)(error)),
    }
}

fn path(root: &HostRoot) -> PathBuf {
    root.state().join("events.jsonl")
}

fn parse(line: &[u8]) -> Option<Record> {
    serde_json::from_slice(line).ok()
}

/// The file at `path`, locked: no other writer adds to it or replaces it.
pub(crate) fn open_locked(path: &Path) -> Result<File, HostError> {
    if let Some(directory) = path.parent() {
        atomic::make_directories(directory)?;
    }
    loop {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o644)
            .open(path)
            .map_err(HostError::file(path))?;
        file.lock().map_err(HostError::file(path))?;
        let locked = file.metadata().map_err(HostError::file(path))?;
        // Another writer may have replaced it while this one waited.
        match fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (locked.dev(), locked.ino()) => {
                return Ok(file);
            }
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(HostError::file(path)(error));
            }
            _ => {}
        }
    }
}

/// Adds `line`, in one write; the size of the file then.
fn add(file: &mut File, line: &[u8]) -> io::Result<u64> {
    let size = file.metadata()?.len();
    if size > 0 && last_byte(file)? != b'\n' {
        file.write_all(&[b"\n", line].concat())?;
    } else {
        file.write_all(line)?;
    }
    Ok(size + line.len() as u64)
}

fn last_byte(file: &mut File) -> io::Result<u8> {
    let mut byte = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut byte)?;
    Ok(byte[0])
}

/// Leaves the newer half of the lines.
fn shorten(path: &Path) -> Result<(), HostError> {
    let text = fs::read(path).map_err(HostError::file(path))?;
    let half = text.len() / 2;
    let newer = text[half..].iter().position(|byte| *byte == b'\n');
    let kept = newer.map_or(&[][..], |end| &text[half + end + 1..]);
    atomic::write(path, kept, 0o644).map(drop)
}
