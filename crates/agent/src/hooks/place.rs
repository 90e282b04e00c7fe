//! Whose repository a hook was called in, and which of its refs is deployed.

use crate::failure::{Failure, Result};
use crate::registry;
use anyhow::Context;
use bitbuilder_core::model::Name;
use bitbuilder_host::host::Host;
use bitbuilder_host::paths::HostRoot;
use bitbuilder_host::reconcile::{PassError, embedded_url, read_config};
use bitbuilder_host::source::{Repository, resolve_ref};
use std::path::{Path, PathBuf};

/// Whose repository it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The system repository.
    System,
    /// A tenant's.
    Tenant(Name),
}

/// What the host deploys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// URL of the repository.
    pub repository: String,
    /// Branch, tag or commit.
    pub reference: String,
}

impl Place {
    /// Whose repository `directory` is: `system.git` or `<id>.git` below `/var/lib/bitbuilder/git/`.
    ///
    /// # Errors
    /// When it is none of these.
    pub fn of(root: &HostRoot, directory: &Path) -> Result<(Self, PathBuf)> {
        let real = |path: &Path| {
            let real = path.canonicalize();
            real.with_context(|| path.display().to_string())
        };
        let directory = real(directory)?;
        let embedded = real(&root.join(HostRoot::EMBEDDED))?;
        let id = directory
            .file_name()
            .and_then(|name| name.to_str()?.strip_suffix(".git"))
            .filter(|_| directory.parent() == Some(&embedded));
        let place = match id {
            Some("system") => Some(Self::System),
            Some(id) => Name::new(id).ok().map(Self::Tenant),
            None => None,
        };
        let place = place.ok_or_else(|| {
            Failure::text(format!(
                "{} is not a repository of this host",
                directory.display()
            ))
        })?;
        Ok((place, directory))
    }

    /// What the host deploys for it.
    ///
    /// # Errors
    /// When the tenant is not in the registry, or the host is not initialised.
    pub fn source(&self, host: &dyn Host) -> Result<Source, PassError> {
        Ok(match self {
            Self::System => {
                let config = read_config(host.root())?.ok_or(PassError::NotInitialised)?;
                Source {
                    repository: config.repository,
                    reference: config.reference,
                }
            }
            Self::Tenant(id) => {
                let registration = registry::registration(host, id)?;
                Source {
                    repository: registration.repository,
                    reference: registration.reference,
                }
            }
        })
    }

    /// URL under which registry and host know this repository.
    pub fn url(&self) -> String {
        embedded_url(self.id())
    }

    /// `system`, or the tenant's id.
    pub fn id(&self) -> &str {
        match self {
            Self::System => "system",
            Self::Tenant(id) => id.as_str(),
        }
    }

    /// The tenant, if it is one's.
    pub fn tenant(&self) -> Option<&Name> {
        match self {
            Self::System => None,
            Self::Tenant(id) => Some(id),
        }
    }

    /// For people.
    pub fn describe(&self) -> String {
        match self {
            Self::System => "the system repository".to_owned(),
            Self::Tenant(id) => format!("tenant {id}"),
        }
    }
}

impl Source {
    /// Whether `name`, a full ref name, is what is deployed from `repository`. A branch wins over a tag of the same name,
    /// also one that only comes with this push (`pushed`).
    pub fn deploys<'n>(
        &self,
        name: &str,
        repository: &Repository,
        mut pushed: impl Iterator<Item = &'n str>,
    ) -> bool {
        let reference = &self.reference;
        if reference.starts_with("refs/") {
            return name == reference;
        }
        let branch = format!("refs/heads/{reference}");
        if name == branch {
            return true;
        }
        name == format!("refs/tags/{reference}")
            && resolve_ref(repository, &branch).is_err()
            && !pushed.any(|other| other == branch)
    }
}
