//! One git process: arguments, repository and limits.

use super::environment::{self, Access};
use super::error::GitError;
use super::{run, version};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Limits of one git process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// After this time the process and its children are killed.
    pub time: Duration,
    /// Bytes of standard output.
    pub output: usize,
    /// Bytes of one file that it writes: the pack of a fetch.
    pub file: u64,
    /// Bytes of private memory of each process; a small pack can unfold to any size.
    pub memory: u64,
}

impl Default for Limits {
    /// 60 s, 16 MiB of output, files of 2 GiB, 512 MiB of memory: what the largest file of a tree needs when the remote has it as one loose object.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            output: 16 << 20,
            file: 2 << 30,
            memory: 512 << 20,
        }
    }
}

/// A git command line; the environment and configuration are fixed.
#[derive(Debug, Clone)]
pub struct Invocation {
    repository: Option<PathBuf>,
    arguments: Vec<OsString>,
    access: Access,
    limits: Limits,
}

impl Invocation {
    /// `git <subcommand>`.
    pub fn new(subcommand: &str) -> Self {
        Self {
            repository: None,
            arguments: vec![subcommand.into()],
            access: Access::default(),
            limits: Limits::default(),
        }
    }

    /// The bare repository it works in.
    #[must_use]
    pub fn repository(mut self, path: &Path) -> Self {
        self.repository = Some(path.to_owned());
        self
    }

    /// More arguments, each passed as it is. What others chose goes behind `--end-of-options`.
    #[must_use]
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(|a| a.as_ref().to_owned()));
        self
    }

    /// Keys for the remote.
    #[must_use]
    pub fn access(mut self, access: &Access) -> Self {
        self.access = access.clone();
        self
    }

    /// Limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Runs it and returns its standard output.
    ///
    /// # Errors
    /// When git is missing or too old, fails, or reaches a limit.
    pub fn run(&self) -> Result<Vec<u8>, GitError> {
        version::once(|| {
            let limits = Limits::default();
            let command = fixed_command(&limits);
            let output = run::run(command, "git version", &limits, &["version"])?;
            version::accept(&String::from_utf8_lossy(&output))
        })?;
        run::run(
            self.command(),
            &self.to_string(),
            &self.limits,
            &self.arguments,
        )
    }

    /// The process without its arguments.
    fn command(&self) -> Command {
        let mut command = fixed_command(&self.limits);
        command.env("GIT_SSH_COMMAND", environment::ssh_command(&self.access));
        if let Some(bundle) = &self.access.ca_bundle {
            command.env("GIT_SSL_CAINFO", bundle);
        }
        if let Some(helper) = environment::credential_helper(&self.access) {
            let mut setting = OsString::from("credential.helper=");
            setting.push(helper);
            command.arg("-c").arg(setting);
        }
        if let Some(repository) = &self.repository {
            let mut safe = OsString::from("safe.directory=");
            safe.push(repository);
            command.arg("-c").arg(safe);
            let mut directory = OsString::from("--git-dir=");
            directory.push(repository);
            command.arg(directory);
        }
        command
    }
}

impl std::fmt::Display for Invocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("git")?;
        for argument in &self.arguments {
            write!(f, " {}", argument.to_string_lossy())?;
        }
        Ok(())
    }
}

fn fixed_command(limits: &Limits) -> Command {
    let mut command = run::limited("git", limits);
    command.env_clear().current_dir("/");
    for (name, value) in environment::VARIABLES {
        command.env(name, value);
    }
    for setting in environment::CONFIGURATION {
        command.arg("-c").arg(setting);
    }
    command
}
