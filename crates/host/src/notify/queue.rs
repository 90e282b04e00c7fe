//! `/var/lib/bitbuilder/notify/queue/RECEIVER/`: a file for each notice that has not arrived yet.

use super::{directory, receivers};
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::{atomic, disk};
use bitbuilder_core::digest::sha256;
use bitbuilder_core::notify::{Notice, Receiver, Target};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Notices that wait for one receiver; then the oldest goes.
const LONGEST: usize = 1000;
/// Seconds after which nobody wants to know any more.
const OLDEST: u64 = 3 * 86_400;

/// What the unit gets that reaches a webhook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The same in every try: a receiver that knows it has the notice already.
    pub id: String,
    /// Where to; commands do not read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Target>,
    /// What happened.
    #[serde(flatten)]
    pub notice: Notice,
}

/// Adds a notice to the queue of `receiver`.
pub(super) fn add(root: &HostRoot, receiver: &Receiver, notice: &Notice) -> Result<(), HostError> {
    let queue = path(root, &receiver.id());
    let text = atomic::json(&queue, notice)?;
    let id = sha256(&text)[..32].to_owned();
    let delivery = Delivery {
        id: id.clone(),
        target: None,
        notice: notice.clone(),
    };
    let waiting = files(&queue)?;
    let excess = (waiting.len() + 1).saturating_sub(LONGEST);
    for oldest in &waiting[..excess] {
        atomic::remove(oldest)?;
    }
    // In the order of time; the same notice, sorted twice after a crash, has one name.
    let name = format!("{:020}-{id}.json", notice.time);
    let content = atomic::json(&queue, &delivery)?;
    atomic::write(&queue.join(name), &content, 0o600).map(drop)
}

/// Delivers what waits for the receiver called `id`, oldest first.
///
/// # Errors
/// When a delivery fails; what waits goes on waiting.
pub fn deliver(host: &dyn Host, id: &str) -> Result<(), HostError> {
    let root = host.root();
    let queue = path(root, id);
    let known = receivers(root)?.into_iter().find(|one| one.id() == id);
    let (Some(receiver), Some(unit)) = (known, unit(id)) else {
        // The policy does not name it any more.
        return disk::remove_tree(&queue);
    };
    loop {
        let waiting = files(&queue)?;
        if waiting.is_empty() {
            return Ok(());
        }
        for path in waiting {
            let Some(mut delivery) = atomic::read_json::<Delivery>(&path)? else {
                continue;
            };
            if delivery.notice.time + OLDEST > host.now() {
                delivery.target = match &receiver.target {
                    target @ Target::Webhook { .. } => Some(target.clone()),
                    Target::Command { .. } => None,
                };
                hand_over(host, id, &unit, &delivery)?;
            }
            atomic::remove(&path)?;
        }
    }
}

/// The unit that may do it gets it on its standard input, and is waited for.
fn hand_over(host: &dyn Host, id: &str, unit: &str, delivery: &Delivery) -> Result<(), HostError> {
    let path = host
        .root()
        .runtime()
        .join("notify")
        .join(format!("{id}.json"));
    let mut line = serde_json::to_vec(delivery)
        .map_err(|error| HostError::damaged(&path, error.to_string()))?;
    line.push(b'\n');
    atomic::write(&path, &line, 0o600)?;
    let started = host.start(&[unit.to_owned()]);
    // In /run; what stays there is replaced the next time.
    let _ = disk::remove_file(&path);
    started
}

/// The unit that delivers to a receiver: `webhook-<hash>` by `bitbuilder-notify-webhook@<hash>.service`.
fn unit(id: &str) -> Option<String> {
    let (kind, instance) = id.split_once('-')?;
    // A dash in the name of an instance is a dash: units use %i.
    Some(format!("bitbuilder-notify-{kind}@{instance}.service"))
}

/// How many notices wait, by receiver.
///
/// # Errors
/// When the queues are unreadable.
pub fn waiting(root: &HostRoot) -> Result<BTreeMap<String, usize>, HostError> {
    let count = |id: String| Ok((id.clone(), files(&path(root, &id))?.len()));
    names(root)?.into_iter().map(count).collect()
}

/// Receivers that have something waiting.
pub(super) fn names(root: &HostRoot) -> Result<Vec<String>, HostError> {
    let directory = directory(root).join("queue");
    let mut names = Vec::new();
    for path in entries(&directory)? {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        if !files(&path)?.is_empty() {
            names.extend(name);
        }
    }
    Ok(names)
}

fn path(root: &HostRoot, id: &str) -> PathBuf {
    directory(root).join("queue").join(id)
}

/// What waits, oldest first.
fn files(queue: &Path) -> Result<Vec<PathBuf>, HostError> {
    let mut files = entries(queue)?;
    files.retain(|path| path.extension().is_some_and(|end| end == "json"));
    Ok(files)
}

/// Entries of a directory, sorted; none when there is none.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, HostError> {
    let read = match fs::read_dir(directory) {
        Ok(read) => read,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(HostError::file(directory)(error)),
    };
    let paths = read.map(|entry| Ok(entry.map_err(HostError::file(directory))?.path()));
    let mut paths = paths.collect::<Result<Vec<_>, HostError>>()?;
    paths.sort();
    Ok(paths)
}
