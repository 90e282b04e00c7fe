//! From a failure to an exit code and hints: the only place where exit codes are decided.

use crate::ui::Ui;
use bitbuilder_core::model::InvalidName;
use bitbuilder_core::report;
use bitbuilder_host::audit::AuditError;
use bitbuilder_host::host::HostError;
use bitbuilder_host::reconcile::PassError;
use bitbuilder_host::source::SourceError;
use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: it did what it was asked.
    Success,
    /// 1: something failed, on this host or in a repository that it talks to.
    Failed,
    /// 2: the command line is wrong.
    Usage,
    /// 3: a document is wrong.
    Invalid,
    /// 4: something would change, or is not as it shall be.
    Pending,
    /// The exit status of a command that was run for the caller.
    Passed(u8),
}

impl Exit {
    /// The exit status.
    pub fn number(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Pending => 4,
            Self::Passed(status) => status,
        }
    }

    /// The same, for `main`.
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }
}

/// Why a command did not do what it was asked, with what to do next.
#[derive(Debug)]
pub struct CommandError {
    exit: Exit,
    error: Option<Box<dyn std::error::Error + Send + Sync>>,
    hints: Vec<String>,
}

/// A failure that no other crate has a type for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The arguments do not fit together.
    #[error("{0}")]
    Usage(String),
    /// The command cannot be carried out here.
    #[error("{0}")]
    Refused(String),
    /// A file operation failed.
    #[error("{path}: {source}")]
    File {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Output could not be written.
    #[error("cannot write the output: {0}")]
    Output(std::io::Error),
}

impl CommandError {
    /// The arguments do not fit together.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Failure::Usage(message.into()).into()
    }

    /// The command cannot be carried out here.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Failure::Refused(message.into()).into()
    }

    /// For `map_err` of a file operation on `path`.
    pub(crate) fn file(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        move |source| {
            let path = path.display().to_string();
            Failure::File { path, source }.into()
        }
    }

    /// The same error, with what to do next.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    fn new(
        exit: Exit,
        error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
        hints: Vec<String>,
    ) -> Self {
        Self {
            exit,
            error: Some(error.into()),
            hints,
        }
    }

    /// Says it on standard error; the exit code.
    pub(crate) fn report(self, ui: &Ui) -> ExitCode {
        if let Some(error) = &self.error {
            if let Some(PassError::System { findings, sources }) = error.downcast_ref() {
                ui.note(&report::render_findings(findings, sources, ui.color_errors));
            }
            ui.error(&report::escape(&error.to_string()));
        }
        for hint in &self.hints {
            ui.hint(&report::escape(hint));
        }
        self.exit.code()
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            Some(error) => error.fmt(f),
            None => f.write_str("the output was closed"),
        }
    }
}

impl From<Failure> for CommandError {
    fn from(failure: Failure) -> Self {
        match failure {
            // `bbctl events | head`: who reads has enough.
            Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => Self {
                exit: Exit::Success,
                error: None,
                hints: Vec::new(),
            },
            Failure::Usage(_) => {
                let hint = "`bbctl help COMMAND` shows how it is written".to_owned();
                Self::new(Exit::Usage, failure, vec![hint])
            }
            Failure::Refused(_) | Failure::File { .. } | Failure::Output(_) => {
                Self::new(Exit::Failed, failure, Vec::new())
            }
        }
    }
}

impl From<InvalidName> for CommandError {
    fn from(error: InvalidName) -> Self {
        Self::new(Exit::Usage, error, Vec::new())
    }
}

impl From<PassError> for CommandError {
    fn from(error: PassError) -> Self {
        let (exit, hint) = match error {
            PassError::Host(error) => return error.into(),
            PassError::Source(error) => return error.into(),
            PassError::NotInitialised | PassError::NothingAccepted => (Exit::Failed, None),
            PassError::System { .. } => (
                Exit::Invalid,
                Some("correct the system repository, push it, then run `bbctl sync`"),
            ),
            PassError::UnknownTenant { .. } => {
                (Exit::Failed, Some("`bbctl tenant list` shows the registry"))
            }
            PassError::Generation { .. } | PassError::Secret { .. } => (Exit::Failed, None),
        };
        Self::new(exit, error, hint.map(str::to_owned).into_iter().collect())
    }
}

impl From<HostError> for CommandError {
    fn from(error: HostError) -> Self {
        let hint = match &error {
            HostError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Some("run it as root")
            }
            HostError::Spawn { .. } => Some("`bbctl doctor` says what this host lacks"),
            HostError::Damaged { .. } => Some("`bbctl doctor` looks for more damage"),
            HostError::Tool { .. } | HostError::Timeout(_) => {
                Some("`bbctl doctor` checks this host; `journalctl -b -p warning` has its messages")
            }
            HostError::File { .. } | HostError::Immutable { .. } | HostError::Unrelated { .. } => {
                None
            }
        };
        Self::new(
            Exit::Failed,
            error,
            hint.map(str::to_owned).into_iter().collect(),
        )
    }
}

impl From<AuditError> for CommandError {
    fn from(error: AuditError) -> Self {
        let hint = match error {
            AuditError::Host(error) => return error.into(),
            AuditError::Source(error) => return error.into(),
            AuditError::None(_) => Some("the first record begins it: `bbctl host init`"),
            AuditError::Broken { .. } | AuditError::Cut { .. } => Some(
                "compare with a clone that was made before: `git log --show-signature` there; docs/audit.md says more",
            ),
            AuditError::Key { .. } => None,
        };
        let hints = hint.map(str::to_owned).into_iter().collect();
        Self::new(Exit::Failed, error, hints)
    }
}

impl From<SourceError> for CommandError {
    fn from(error: SourceError) -> Self {
        let hint = match &error {
            SourceError::Host(_) => None,
            SourceError::Url { .. } => Some("write it as https://, ssh:// or file://"),
            SourceError::NoReference { .. } | SourceError::NoRemoteReference { .. } => {
                Some("push the branch first, or name another one with --ref")
            }
            SourceError::File { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                Some("run it as root")
            }
            SourceError::Git(_)
            | SourceError::Reference(_)
            | SourceError::Repository { .. }
            | SourceError::Alternates(_)
            | SourceError::Ownership { .. }
            | SourceError::Object { .. }
            | SourceError::File { .. }
            | SourceError::TimeLimit { .. }
            | SourceError::Layer { .. }
            | SourceError::Silent { .. }
            | SourceError::HostKey(_)
            | SourceError::Hook(_) => None,
        };
        Self::new(
            Exit::Failed,
            error,
            hint.map(str::to_owned).into_iter().collect(),
        )
    }
}
