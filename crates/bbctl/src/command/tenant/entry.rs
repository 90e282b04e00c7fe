//! From arguments to an entry of the registry.

use crate::error::CommandError;
use bitbuilder_core::model::Name;
use bitbuilder_host::reconcile::embedded_url;
use clap::Args;
use serde_json::{Map, Number, Value};

/// A tenant as the arguments say it.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true))]
pub(super) struct Entry {
    /// Its id; it names units, directories and the repository.
    #[arg(value_parser = crate::context::tenant)]
    pub(super) id: Name,
    /// Git URL of its repository; `embedded` is the same as --embedded.
    #[arg(long, value_name = "URL", group = "source")]
    repository: Option<String>,
    /// The host keeps its repository, which accepts pushes.
    #[arg(long, group = "source")]
    embedded: bool,
    /// Branch, tag or commit; `main` by default.
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// Name for people.
    #[arg(long)]
    name: Option<String>,
    /// Ceilings: cpu, memory, storage, tasks, machines, containers, networks, addresses, connections, bandwidth.
    #[arg(long, value_name = "KEY=VALUE,...", value_delimiter = ',')]
    limits: Vec<String>,
    /// What it may use: `machines`, `containers`, `portable`, `users`, `hooks` (`no-hooks` forbids), `publish=tcp/8000-8099`,
    /// `networks=private`.
    #[arg(long, value_name = "WORD,...", value_delimiter = ',')]
    allow: Vec<String>,
}

impl Entry {
    /// Whether the host keeps the tenant's repository.
    pub(super) fn is_embedded(&self) -> bool {
        self.embedded || self.repository.as_deref() == Some("embedded")
    }

    /// The entry, in the order of the documentation.
    pub(super) fn value(&self) -> Result<Map<String, Value>, CommandError> {
        let mut entry = Map::new();
        entry.insert("id".into(), self.id.as_str().into());
        if let Some(name) = &self.name {
            entry.insert("name".into(), name.as_str().into());
        }
        let repository = match &self.repository {
            Some(url) if !self.is_embedded() => url.clone(),
            _ => embedded_url(self.id.as_str()),
        };
        entry.insert("repository".into(), repository.into());
        if let Some(reference) = &self.reference {
            entry.insert("ref".into(), reference.as_str().into());
        }
        if !self.limits.is_empty() {
            entry.insert("limits".into(), limits(&self.limits)?);
        }
        if !self.allow.is_empty() {
            entry.insert("allow".into(), allow(&self.allow)?);
        }
        Ok(entry)
    }
}

fn limits(words: &[String]) -> Result<Value, CommandError> {
    let mut limits = Map::new();
    for word in words {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let value = match key {
            "memory" | "storage" if !value.is_empty() => Value::from(value),
            "cpu" | "tasks" | "machines" | "containers" | "networks" | "addresses"
            | "connections" | "bandwidth" => number(value).ok_or_else(|| {
                CommandError::usage(format!("`{word}`: `{value}` is not a number"))
            })?,
            _ => {
                let message = format!(
                    "`{word}` is not a limit: write cpu=4, memory=8G, storage=50G, tasks=4096, machines=8, containers=32, networks=4, addresses=64, connections=200 or bandwidth=100"
                );
                return Err(CommandError::usage(message));
            }
        };
        limits.insert(key.to_owned(), value);
    }
    Ok(Value::Object(limits))
}

fn number(text: &str) -> Option<Value> {
    let number: Number = text.parse().ok()?;
    Some(Value::Number(number))
}

fn allow(words: &[String]) -> Result<Value, CommandError> {
    let mut allow = Map::new();
    for word in words {
        if let Some((key @ ("publish" | "networks"), value)) = word.split_once('=') {
            let list = allow.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(list) = list {
                list.push(value.into());
            }
            continue;
        }
        let (key, value) = match word.strip_prefix("no-") {
            Some(key) => (key, false),
            None => (word.as_str(), true),
        };
        if !["machines", "containers", "portable", "users", "hooks"].contains(&key) {
            let message = format!(
                "`{word}` is nothing to allow: write machines, containers, portable, users, hooks, publish=tcp/8000-8099 or networks=private"
            );
            return Err(CommandError::usage(message));
        }
        allow.insert(key.to_owned(), value.into());
    }
    Ok(Value::Object(allow))
}
