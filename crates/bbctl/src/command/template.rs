//! `bbctl template`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::finding::has_errors;
use bitbuilder_core::report::{findings_json, render_findings};
use bitbuilder_host::template;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Work on templates of machines, containers and extensions.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  bbctl template validate ./tenant-container-template")]
pub(crate) struct Template {
    #[command(subcommand)]
    command: TemplateCommand,
}

#[derive(Debug, Subcommand)]
enum TemplateCommand {
    /// Check a template: its metadata, and the trees that its type must have.
    #[command(after_help = "\
Examples:
  bbctl template validate ./tenant-container-template
  bbctl template validate /usr/lib/bitbuilder/templates/tenant-container --json")]
    Validate {
        /// The template's directory.
        dir: PathBuf,
        #[command(flatten)]
        output: Output,
    },
}

impl Template {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let TemplateCommand::Validate { dir, output } = &self.command;
        let template::Checkup { findings, sources } = template::check(dir)?;
        let ui = &context.ui;
        if output.json {
            ui.json(&findings_json(&findings))?;
        } else {
            ui.print(&render_findings(&findings, &sources, ui.color))?;
            if !has_errors(&findings) {
                ui.print(&format!("valid: template {}\n", dir.display()))?;
            }
        }
        Ok(if has_errors(&findings) {
            Exit::Invalid
        } else {
            Exit::Success
        })
    }
}
