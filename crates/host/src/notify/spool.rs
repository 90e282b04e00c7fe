//! `/var/lib/bitbuilder/notify/new/notices.jsonl`: what happened, until it is sorted. The directory is empty otherwise,
//! which is what the path unit looks at.

use super::directory;
use crate::events::open_locked;
use crate::host::HostError;
use crate::paths::HostRoot;
use crate::{atomic, disk};
use bitbuilder_core::notify::Notice;
use std::fs;
use std::io::{ErrorKind, Write};

/// Bytes after which nothing is added: nobody sorts.
const LIMIT: u64 = 4 << 20;

/// Adds a line.
pub(super) fn add(root: &HostRoot, notice: &Notice) -> Result<(), HostError> {
    let path = directory(root).join("new/notices.jsonl");
    let mut line =
        serde_json::to_vec(notice).map_err(|error| HostError::damaged(&path, error.to_string()))?;
    line.push(b'\n');
    let mut file = open_locked(&path)?;
    let metadata = file.metadata().map_err(HostError::file(&path))?;
    if metadata.len() > LIMIT {
        return Ok(());
    }
    file.write_all(&line).map_err(HostError::file(&path))
}

/// What was added since the last time, oldest first; it is there until [`done`].
pub(super) fn take(root: &HostRoot) -> Result<Vec<Notice>, HostError> {
    let directory = directory(root);
    let (new, taken) = (
        directory.join("new/notices.jsonl"),
        directory.join("taken.jsonl"),
    );
    // What was taken and not sorted to its end comes first, alone: the next run has the rest.
    if !taken.exists() && new.exists() {
        let locked = open_locked(&new)?;
        disk::rename(&new, &taken)?;
        drop(locked);
    }
    let text = match fs::read(&taken) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(&taken)(error)),
    };
    // A line that a crash cut off is passed over.
    let lines = text.split(|byte| *byte == b'\n');
    Ok(lines
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect())
}

/// What was taken is sorted.
pub(super) fn done(root: &HostRoot) -> Result<(), HostError> {
    atomic::remove(&directory(root).join("taken.jsonl")).map(drop)
}
