//! Something that is done under the host's lock, and its record. What is about to happen is on the disk before it happens,
//! so that a kill at any instant loses no record.
//!
//! Who acts is the same for all that happens until the act ends, in whatever function: the act that is open is the
//! thread's, and events find it ([`note`]).

use super::entry::{Command, Draft, Event, Who};
use super::{AuditError, record, waiting};
use crate::host::{Caller, Host, HostError};
use crate::paths::HostRoot;
use crate::reconcile::Trigger;
use bitbuilder_core::model::Name;
use serde_json::{Map, Value};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::{SystemTime, UNIX_EPOCH};

thread_local! {
    static OPEN: RefCell<Option<Open>> = const { RefCell::new(None) };
}

/// The act of this thread.
struct Open {
    draft: Draft,
    /// By tenant, what its plan is and leads to.
    evidence: BTreeMap<Name, Map<String, Value>>,
    /// What is about to happen is on the disk.
    begun: bool,
}

/// Does `body`, for `trigger`, and records what events it has. A `command` is recorded whatever comes of it. The caller holds
/// the host's lock.
///
/// # Errors
/// Those of `body`.
pub(crate) fn act<T, E: Display>(
    host: &dyn Host,
    trigger: &Trigger,
    command: Option<Command>,
    body: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    if OPEN.with_borrow(Option::is_some) {
        return body();
    }
    // A disk that is full keeps nobody from acting.
    let _ = waiting::end_act_of_the_dead(host);
    let _closes = Closes;
    OPEN.set(Some(Open {
        draft: Draft {
            time: host.now(),
            who: Who::new(host, trigger),
            command,
            interrupted: false,
            events: Vec::new(),
        },
        evidence: BTreeMap::new(),
        begun: false,
    }));
    let result = body();
    if let Some(open) = OPEN.take() {
        end(host, open, result.as_ref().err().map(|error| error as _));
    }
    result
}

/// What is left open by a panic is not another act's.
struct Closes;

impl Drop for Closes {
    fn drop(&mut self) {
        OPEN.set(None);
    }
}

fn end(host: &dyn Host, open: Open, error: Option<&dyn Display>) {
    let Open {
        mut draft, begun, ..
    } = open;
    if let (Some(command), Some(error)) = (&mut draft.command, error) {
        command.error = Some(error.to_string());
    }
    if begun && waiting::keep_act(host, &draft, true).is_ok() {
        super::settle(host);
    } else if draft.command.is_some() || !draft.events.is_empty() {
        record(host, draft);
    }
}

/// These are about to happen; their details are added to the events of the same tenants that come.
///
/// # Errors
/// When it can be written nowhere.
pub(crate) fn ahead(host: &dyn Host, events: Vec<Event>) -> Result<(), HostError> {
    OPEN.with_borrow_mut(|open| {
        let Some(open) = open else {
            return Ok(());
        };
        let mut draft = open.draft.clone();
        draft.events.extend(events.iter().cloned());
        waiting::keep_act(host, &draft, false).map_err(lower)?;
        open.begun = true;
        open.evidence = events
            .into_iter()
            .filter_map(|event| Some((event.tenant?, event.details)))
            .collect();
        Ok(())
    })
}

/// What has happened: it is part of the open act, or a record of its own that waits for the next writer.
pub(crate) fn note(root: &HostRoot, mut event: Event) {
    let outside = OPEN.with_borrow_mut(|open| {
        let Some(open) = open else {
            return Some(event);
        };
        let evidence = event.tenant.as_ref().and_then(|id| open.evidence.get(id));
        for (name, value) in evidence.into_iter().flatten() {
            event.details.entry(name).or_insert_with(|| value.clone());
        }
        open.draft.events.push(event);
        None
    });
    if let Some(event) = outside {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let draft = Draft {
            time: now.map_or(0, |since| since.as_secs()),
            who: Who {
                trigger: None,
                process: Caller::of_this_process(),
            },
            command: None,
            interrupted: false,
            events: vec![event],
        };
        waiting::keep(root, &draft);
    }
}

fn lower(error: AuditError) -> HostError {
    match error {
        AuditError::Host(error) => error,
        other => HostError::Unrelated {
            what: "the audit trail".to_owned(),
            reason: other.to_string(),
        },
    }
}
