//! One change of the registry, as a commit.

use crate::command::validate::{Kind, check};
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::registry;
use crate::view::{report, short};
use bitbuilder_core::finding::has_errors;
use bitbuilder_core::model::Name;
use bitbuilder_core::report::{findings_json, sources};
use bitbuilder_core::tree::Entry;
use bitbuilder_host::atomic;
use bitbuilder_host::audit::{self, Command, Draft};
use bitbuilder_host::foreground;
use bitbuilder_host::host::Host;
use bitbuilder_host::reconcile::HostConfig;
use bitbuilder_host::source::propose::{Author, Proposal, propose};
use bitbuilder_host::source::{Reading, TreeLimits, open, read_directory, read_tree, resolve_ref};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const REGISTRY: &str = "tenants/registry.json";

/// A change of the registry.
pub(super) enum Change<'a> {
    /// A new tenant.
    Add(&'a Name, &'a Map<String, Value>),
    /// A tenant goes.
    Remove(&'a Name),
}

/// The copy of the system repository that is changed.
pub(super) enum Place {
    /// A clone of the operator's.
    Checkout(PathBuf),
    /// The repository that the host keeps.
    Embedded {
        /// The host.
        host: Box<dyn Host>,
        /// What it follows.
        config: HostConfig,
    },
}

impl Place {
    /// What is there now, and the commit it is of.
    fn read(&self) -> Result<(Reading, Option<String>), CommandError> {
        let limits = TreeLimits::default();
        match self {
            Self::Checkout(directory) => Ok((read_directory(directory, &limits)?, None)),
            Self::Embedded { host, config } => {
                let path = host.root().embedded_path(&config.repository);
                let repository = open(&path.unwrap_or_default())?;
                let commit = resolve_ref(&repository, &config.reference)?.id;
                Ok((read_tree(&repository, &commit, &limits)?, Some(commit)))
            }
        }
    }

    /// Puts the change into the audit trail of the host; a clone of the operator's is not the host's affair.
    fn record(&self, change: &Change<'_>, commit: Result<&str, &CommandError>) {
        let Self::Embedded { host, .. } = self else {
            return;
        };
        let mut command = change.command().with_some("commit", commit.ok());
        command.error = commit.err().map(ToString::to_string);
        audit::record(host.as_ref(), Draft::command(host.as_ref(), command));
    }

    /// Makes the commit; its id.
    fn commit(
        &self,
        text: &str,
        message: &str,
        parent: Option<String>,
    ) -> Result<String, CommandError> {
        match self {
            Self::Checkout(directory) => commit_in(directory, text, message),
            Self::Embedded { host, config } => {
                let root = host.root();
                let proposal = Proposal {
                    url: &root.url(&config.repository),
                    branch: &config.reference,
                    parent,
                    files: [(REGISTRY.to_owned(), text.as_bytes().to_vec())].into(),
                    message,
                    author: &Author::caller(host.as_ref()),
                };
                Ok(propose(&proposal, &root.state().join(".proposal"))?)
            }
        }
    }
}

/// Commits in the operator's own clone, with the operator's own git.
fn commit_in(directory: &Path, text: &str, message: &str) -> Result<String, CommandError> {
    let directory = std::path::absolute(directory).map_err(CommandError::file(directory))?;
    atomic::write(&directory.join(REGISTRY), text.as_bytes(), 0o644)?;
    let at = directory.to_string_lossy();
    foreground::git(&[
        "-C", &at, "commit", "--quiet", "-m", message, "--", REGISTRY,
    ])?;
    Ok(foreground::git(&["-C", &at, "rev-parse", "HEAD"])?)
}

impl Change<'_> {
    /// Makes it, unless the registry would be wrong then.
    pub(super) fn make(
        &self,
        context: &Context,
        place: &Place,
        json: bool,
    ) -> Result<Exit, CommandError> {
        let (mut reading, parent) = place.read()?;
        let text = self.text(&registry_text(&reading)?)?;
        if let Some(Entry::File(blob)) = reading.tree.entries.get_mut(REGISTRY) {
            blob.size = text.len() as u64;
            blob.content = Some(Arc::from(text.as_bytes()));
        }
        let findings = check(&reading, Kind::System, None);
        if has_errors(&findings) {
            if json {
                context.ui.json(&findings_json(&findings))?;
            } else {
                report::findings(&context.ui, &findings, &sources(&reading.tree, &findings))?;
            }
            return Ok(Exit::Invalid);
        }
        let message = self.message();
        let commit = place.commit(&text, &message, parent);
        place.record(self, commit.as_deref());
        let commit = commit?;
        if json {
            context
                .ui
                .json(&json!({ "commit": commit, "message": message }))?;
        } else {
            context
                .ui
                .print(&format!("{message}: commit {}\n", short(&commit)))?;
            if let Place::Checkout(directory) = place {
                let line = format!("Not pushed yet: `git -C {} push`.\n", directory.display());
                context.ui.print(&line)?;
            }
        }
        Ok(Exit::Success)
    }

    fn text(&self, before: &str) -> Result<String, CommandError> {
        match self {
            Self::Add(_, entry) => registry::add(before, entry).ok_or_else(|| {
                CommandError::refused("tenants/registry.json has no list `tenants`")
            }),
            Self::Remove(id) => registry::remove(before, id.as_str()).ok_or_else(|| {
                let error = CommandError::refused(format!("tenant {id} is not in the registry"));
                error.hint("`bbctl tenant list` shows who is")
            }),
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Add(id, entry) => {
                Command::new("tenant-add", Some(id)).with("entry", Value::Object((*entry).clone()))
            }
            Self::Remove(id) => Command::new("tenant-remove", Some(id)),
        }
    }

    fn message(&self) -> String {
        match self {
            Self::Add(id, _) => format!("Add tenant {id}"),
            Self::Remove(id) => format!("Remove tenant {id}"),
        }
    }
}

fn registry_text(reading: &Reading) -> Result<String, CommandError> {
    let content = match reading.tree.entries.get(REGISTRY) {
        Some(Entry::File(blob)) => blob.content.as_deref(),
        _ => None,
    };
    let text = content.and_then(|bytes| std::str::from_utf8(bytes).ok());
    let valid = text.filter(|text| serde_json::from_str::<Value>(text).is_ok());
    valid.map(str::to_owned).ok_or_else(|| {
        let error = CommandError::refused(format!("{REGISTRY} is missing or is not JSON"));
        error.hint("`bbctl validate --kind system` says what is wrong")
    })
}
