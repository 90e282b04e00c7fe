//! Who is told of what happened: the journal at once, and receivers that the policy names.
//!
//! - [`tell`]: an entry of the journal, and a line in `/var/lib/bitbuilder/notify/new/`. That is all that a pass does; it
//!   never waits, and never fails for it.
//! - [`sort`]: `bitbuilder-notify.service`, started by a path unit: from lines to a queue for each receiver, without what was told already.
//! - [`deliver`]: `bitbuilder-notify@RECEIVER.service`: one after the other, by the unit that may reach the network or runs
//!   the operator's command. When it fails, the manager tries again, later each time.

mod limits;
mod queue;
mod sort;
mod spool;
#[cfg(test)]
mod tests;

pub use queue::{Delivery, deliver, waiting};
pub use sort::sort;

pub(crate) use limits::look as look_at_limits;

use crate::atomic;
use crate::host::{Host, HostError};
use crate::journal;
use crate::paths::HostRoot;
use crate::reconcile::FetchFailure;
use crate::source::propose::hostname;
use bitbuilder_core::model::Name;
use bitbuilder_core::notify::{Kind, Notice, Receiver};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// Fetches that fail in a row before somebody is told.
const FAILURES: u64 = 3;

/// `/var/lib/bitbuilder/notify/receivers.json`: those whom the policy in force names. There is none while it names nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Receivers {
    format: u64,
    receivers: Vec<Receiver>,
}

fn directory(root: &HostRoot) -> PathBuf {
    root.state().join("notify")
}

fn receivers_path(root: &HostRoot) -> PathBuf {
    directory(root).join("receivers.json")
}

/// From now on these are told.
pub(crate) fn configure(root: &HostRoot, receivers: &[Receiver]) -> Result<(), HostError> {
    let path = receivers_path(root);
    if receivers.is_empty() {
        return if path.exists() {
            atomic::remove(&path).map(drop)
        } else {
            Ok(())
        };
    }
    let receivers = Receivers {
        format: atomic::FORMAT,
        receivers: receivers.to_vec(),
    };
    atomic::write_json(&path, &receivers)
}

/// Who is told.
fn receivers(root: &HostRoot) -> Result<Vec<Receiver>, HostError> {
    let read = atomic::read_json::<Receivers>(&receivers_path(root))?;
    Ok(read.map_or_else(Vec::new, |read| read.receivers))
}

/// Tells the journal, and the receivers if there are any.
pub(crate) fn tell(
    root: &HostRoot,
    time: u64,
    kind: Kind,
    tenant: Option<&Name>,
    details: Map<String, Value>,
) {
    let who = tenant.map_or("the system repository", Name::as_str);
    let notice = Notice {
        format: atomic::FORMAT,
        host: hostname(root),
        time,
        kind,
        priority: kind.priority(),
        tenant: tenant.cloned(),
        message: format!("{who}: {}", words(kind, &details)),
        more: 0,
        details,
    };
    write_journal(root, &notice);
    if receivers_path(root).exists() {
        // The journal has it.
        let _ = spool::add(root, &notice);
    }
}

/// `rolled back, generation 2 -> 1: no answer`.
fn words(kind: Kind, details: &Map<String, Value>) -> String {
    let text = |name: &str| match details.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(items) => {
            let items = items.iter().filter_map(Value::as_str);
            Some(items.collect::<Vec<_>>().join("; "))
        }
        _ => None,
    };
    let mut words = vec![kind.word().replace('-', " ")];
    if let (Some(from), Some(to)) = (text("from"), text("to")) {
        words.push(format!("generation {from} -> {to}"));
    }
    words.extend(text("generation").map(|number| format!("generation {number}")));
    words.extend(text("commit").map(|id| format!("commit {}", id.get(..12).unwrap_or(&id))));
    let mut line = words.join(", ");
    let reason = ["reason", "error", "subject", "items"];
    if let Some(reason) = reason.into_iter().find_map(text) {
        line.push_str(&format!(": {reason}"));
    }
    line
}

fn write_journal(root: &HostRoot, notice: &Notice) {
    let kind = notice.kind;
    let mut fields = vec![
        ("MESSAGE", notice.message.clone()),
        ("MESSAGE_ID", kind.message_id().to_owned()),
        ("PRIORITY", notice.priority.number().to_owned()),
        ("BITBUILDER_EVENT", kind.word().to_owned()),
    ];
    if let Some(tenant) = &notice.tenant {
        fields.push(("BITBUILDER_TENANT", tenant.as_str().to_owned()));
    }
    let named = [
        ("commit", "BITBUILDER_COMMIT"),
        ("generation", "BITBUILDER_GENERATION"),
        ("to", "BITBUILDER_GENERATION"),
        ("from", "BITBUILDER_GENERATION_BEFORE"),
        ("reason", "BITBUILDER_REASON"),
        ("error", "BITBUILDER_REASON"),
    ];
    for (detail, field) in named {
        match notice.details.get(detail) {
            Some(Value::String(text)) => fields.push((field, text.clone())),
            Some(Value::Number(number)) => fields.push((field, number.to_string())),
            _ => {}
        }
    }
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    journal::send(root, &fields);
}

/// Tells of a repository that cannot be fetched, when that begins to last and when it is over.
pub(crate) fn fetched(
    host: &dyn Host,
    tenant: Option<&Name>,
    before: Option<&FetchFailure>,
    now: Option<&FetchFailure>,
) {
    let lasts = |failure: Option<&FetchFailure>| failure.is_some_and(|one| one.count >= FAILURES);
    let kind = match (lasts(before), lasts(now)) {
        (false, true) => Kind::SyncFailing,
        (true, false) => Kind::SyncRestored,
        _ => return,
    };
    let error = now.map(|failure| ("error".to_owned(), failure.error.as_str().into()));
    tell(
        host.root(),
        host.now(),
        kind,
        tenant,
        error.into_iter().collect(),
    );
}
