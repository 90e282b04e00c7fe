//! Errors of roles: an exit code, what went wrong with its causes, and what to run next.

use crate::console::Console;
use std::process::ExitCode;

/// Result of a role.
pub type Result<T = (), E = Failure> = std::result::Result<T, E>;

/// Why a role failed.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    /// `None` when everything was said already.
    error: Option<anyhow::Error>,
    next: Option<String>,
}

impl Failure {
    /// It did not work: exit code 1.
    pub fn new(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 1,
            error: Some(error.into()),
            next: None,
        }
    }

    /// It did not work, with a text of our own: exit code 1.
    pub fn text(message: impl Into<String>) -> Self {
        Self::new(anyhow::Error::msg(message.into()))
    }

    /// The command line is not understood: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            code: 2,
            ..Self::text(message)
        }
        .next("/usr/lib/bitbuilder/agent --help")
    }

    /// An argument has a form that it cannot have: exit code 3.
    pub fn invalid(error: impl Into<anyhow::Error>) -> Self {
        Self {
            code: 3,
            ..Self::new(error)
        }
    }

    /// It did not work, and was said already: exit code 1.
    pub fn said() -> Self {
        Self {
            code: 1,
            error: None,
            next: None,
        }
    }

    /// The same failure, with the command to run next.
    #[must_use]
    pub fn next(mut self, command: impl Into<String>) -> Self {
        self.next = Some(command.into());
        self
    }

    /// The exit code.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }

    /// The exit code as a number.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Says what went wrong, why, and what to do.
    pub fn report(&self, console: &Console) {
        if let Some(text) = self.describe() {
            console.say(&text);
        }
    }

    /// What [`Failure::report`] says; `None` when everything was said already.
    pub fn describe(&self) -> Option<String> {
        let error = self.error.as_ref()?;
        let mut said = error.to_string();
        let mut text = format!("error: {said}");
        for cause in error.chain().skip(1) {
            let cause = cause.to_string();
            // Many errors tell their cause in their own text.
            if !said.contains(&cause) {
                text.push_str("\n  because: ");
                text.push_str(&cause);
                said = cause;
            }
        }
        if let Some(next) = &self.next {
            text.push_str("\n  next: ");
            text.push_str(next);
        }
        Some(text)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bitbuilder_host::host::HostError;
    use std::path::Path;

    #[test]
    fn a_cause_is_said_once() {
        let error = HostError::file(Path::new("/x"))(std::io::ErrorKind::NotFound.into());
        let failure = Failure::from(error).next("bbctl status");
        let text = failure.describe().unwrap();
        assert_eq!(text, "error: /x: entity not found\n  next: bbctl status");
        let error = anyhow::anyhow!("inner").context("outer");
        let text = Failure::new(error).describe().unwrap();
        assert_eq!(text, "error: outer\n  because: inner");
        assert_eq!(Failure::said().describe(), None);
    }
}
