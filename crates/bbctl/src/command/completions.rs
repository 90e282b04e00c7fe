//! `bbctl completions`.

use crate::context::Context;
use crate::error::{CommandError, Exit};
use clap::Args;
use clap_complete::Shell;

/// Print the completion script of a shell.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl completions bash > /etc/bash_completion.d/bbctl
  bbctl completions fish > ~/.config/fish/completions/bbctl.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        context
            .ui
            .print(&crate::generated::completion(self.shell))?;
        Ok(Exit::Success)
    }
}
