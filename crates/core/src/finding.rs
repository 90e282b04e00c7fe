//! What is wrong with a document, and where.

use serde::{Deserialize, Serialize};

/// A place in a document of a repository.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Origin {
    /// Path in the repository.
    pub file: String,
    /// Line, from 1; 0 when the finding is about the whole file.
    pub line: u32,
    /// Column in characters, from 1; 0 when the finding is about the whole file.
    pub column: u32,
}

impl Origin {
    /// The whole of `file`.
    pub fn file(file: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line: 0,
            column: 0,
        }
    }

    /// `file:line`, as comments of packet rules say it; the file alone when all of it is meant.
    pub fn place(&self) -> String {
        match self.line {
            0 => self.file.clone(),
            line => format!("{}:{line}", self.file),
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.line, self.column) {
            (0, _) => f.write_str(&self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is applied.
    Error,
    /// It is applied, but not as the writer may expect.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that a person should change or know, with the place that says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Where: the file, line and column at which the offending text starts.
    pub origin: Origin,
    /// Length of the offending text in characters, within its line; 0 when unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub length: u32,
    /// How much it matters.
    pub severity: Severity,
    /// Stable identifier, kebab-case: `unknown-key`, `subnet-overlap`.
    pub rule: String,
    /// What is wrong and what was expected, in one sentence without a full stop.
    pub message: String,
    /// What to write instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Finding {
    /// An error at `origin`.
    pub fn error(origin: Origin, rule: &str, message: impl Into<String>) -> Self {
        Self {
            origin,
            length: 0,
            severity: Severity::Error,
            rule: rule.into(),
            message: message.into(),
            help: None,
        }
    }

    /// A warning at `origin`.
    pub fn warning(origin: Origin, rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(origin, rule, message)
        }
    }

    /// A note at `origin`.
    pub fn note(origin: Origin, rule: &str, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::error(origin, rule, message)
        }
    }

    /// The same finding, with what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same finding, with the length of the offending text.
    #[must_use]
    pub fn length(mut self, characters: usize) -> Self {
        self.length = u32::try_from(characters).unwrap_or(u32::MAX);
        self
    }
}

/// Whether any of `findings` forbids to go on.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

/// The outcome of a check that reports everything it finds: a value unless there are errors.
#[derive(Debug, Clone)]
pub struct Checked<T> {
    /// The value; `None` exactly when `findings` holds an error.
    pub value: Option<T>,
    /// All findings, sorted by place.
    pub findings: Vec<Finding>,
}

impl<T> Checked<T> {
    /// Sorts and de-duplicates `findings` and drops the value if one of them is an error.
    pub fn new(value: Option<T>, mut findings: Vec<Finding>) -> Self {
        findings.sort();
        findings.dedup();
        let value = if has_errors(&findings) { None } else { value };
        Self { value, findings }
    }
}
