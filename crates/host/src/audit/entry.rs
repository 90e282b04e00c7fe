//! What one commit of the trail says: `record.json`.

use crate::events::HistoryEvent;
use crate::host::{Caller, Host};
use crate::reconcile::Trigger;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `record.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Format version, 1.
    pub format: u64,
    /// Its place in the trail, from 1.
    pub number: u64,
    /// Name of the host.
    pub host: String,
    /// Version of the program that wrote it.
    pub version: String,
    /// What was done.
    #[serde(flatten)]
    pub draft: Draft,
}

/// What was done, by whom, before it has a place in the trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Seconds since the epoch.
    pub time: u64,
    /// Who did it.
    pub who: Who,
    /// What the operator said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// Whoever did it was killed; what is said was found out afterwards.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub interrupted: bool,
    /// What happened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Event>,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// What caused it, where that is known.
    #[serde(flatten)]
    pub trigger: Option<Trigger>,
    /// The process that did it.
    pub process: Caller,
}

impl Who {
    /// This process, for `trigger`.
    pub fn new(host: &dyn Host, trigger: &Trigger) -> Self {
        Self {
            trigger: Some(trigger.clone()),
            process: host.caller(),
        }
    }

    /// This process, for the person who started it.
    pub fn operator(host: &dyn Host) -> Self {
        let process = host.caller();
        Self {
            trigger: Some(Trigger::Operator { uid: process.uid }),
            process,
        }
    }
}

/// What an operator asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// `sync`, `rollback`, `tenant-add`.
    pub name: String,
    /// The tenant, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
    /// What was said beside that: `to` and `3`, `retry` and nothing.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub options: Map<String, Value>,
    /// Why it was not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One thing that happened. Kinds are not a closed set: a reader passes on those that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The tenant; none for what concerns the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
    /// `deployed`, `refused`, `audit-begun`.
    pub event: String,
    /// What belongs to the kind, and where it is known `signer`, `plan`, `system`, `before` and `after`.
    #[serde(flatten)]
    pub details: Map<String, Value>,
}

impl Command {
    /// A command with nothing said beside it.
    pub fn new(name: &str, tenant: Option<&Name>) -> Self {
        Self {
            name: name.to_owned(),
            tenant: tenant.cloned(),
            options: Map::new(),
            error: None,
        }
    }

    /// The same with an option.
    #[must_use]
    pub fn with(mut self, option: &str, value: impl Into<Value>) -> Self {
        self.options.insert(option.to_owned(), value.into());
        self
    }

    /// The same with an option, if there is one.
    #[must_use]
    pub fn with_some(self, option: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(option, value),
            None => self,
        }
    }

    /// The same with `option`, if it was given.
    #[must_use]
    pub fn when(self, given: bool, option: &str) -> Self {
        if given { self.with(option, true) } else { self }
    }
}

impl Event {
    /// Something of this kind.
    pub fn new(tenant: Option<&Name>, event: &str) -> Self {
        Self {
            tenant: tenant.cloned(),
            event: event.to_owned(),
            details: Map::new(),
        }
    }

    /// What the history of a tenant says.
    pub fn of(tenant: Option<&Name>, event: &HistoryEvent) -> Self {
        // It is a struct of texts and numbers, which JSON can always say.
        let value = serde_json::to_value(event).unwrap_or_default();
        let mut details = match value {
            Value::Object(details) => details,
            _ => Map::new(),
        };
        let kind = details.shift_remove("event");
        Self {
            tenant: tenant.cloned(),
            event: kind
                .and_then(|kind| kind.as_str().map(str::to_owned))
                .unwrap_or_default(),
            details,
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn with(mut self, detail: &str, value: impl Into<Value>) -> Self {
        self.details.insert(detail.to_owned(), value.into());
        self
    }

    /// The same with a detail, if it is known.
    #[must_use]
    pub fn with_some(self, detail: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(detail, value),
            None => self,
        }
    }
}

impl Draft {
    /// What the person who runs this program asked for, now.
    pub fn command(host: &dyn Host, command: Command) -> Self {
        Self {
            time: host.now(),
            who: Who::operator(host),
            command: Some(command),
            interrupted: false,
            events: Vec::new(),
        }
    }

    /// Whether any of it is about this tenant.
    pub fn concerns(&self, tenant: &Name) -> bool {
        let commanded = self
            .command
            .as_ref()
            .and_then(|command| command.tenant.as_ref());
        let events = self.events.iter().filter_map(|event| event.tenant.as_ref());
        events.chain(commanded).any(|id| id == tenant)
    }

    /// The first line of its commit; nothing that a tenant wrote is in it.
    pub(super) fn subject(&self) -> String {
        let mut words = Vec::new();
        if let Some(command) = &self.command {
            words.push(phrase(&command.name, command.tenant.as_ref()));
        }
        const SHOWN: usize = 3;
        words.extend(
            self.events
                .iter()
                .take(SHOWN)
                .map(|event| phrase(&event.event, event.tenant.as_ref())),
        );
        let mut subject = words.join(", ");
        if let Some(more @ 1..) = self.events.len().checked_sub(SHOWN) {
            subject.push_str(&format!(" and {more} more"));
        }
        subject
    }
}

fn phrase(word: &str, tenant: Option<&Name>) -> String {
    match tenant {
        Some(tenant) => format!("{word} {tenant}"),
        None => word.to_owned(),
    }
}
