//! `bbctl schema`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use bitbuilder_core::document::schema;
use clap::Args;
use serde_json::json;

/// Print the JSON Schema of a document, or list the documents.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl schema                     which there are
  bbctl schema container > container.json
  bbctl schema --json              all of them, by name")]
pub(crate) struct Schema {
    /// The document; without, the names are listed.
    name: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Schema {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let all = schema::all();
        let Some(wanted) = &self.name else {
            if self.output.json {
                let map: serde_json::Map<_, _> = all
                    .into_iter()
                    .map(|(name, schema)| (name.to_owned(), schema))
                    .collect();
                context.ui.json(&json!({ "schemas": map }))?;
                return Ok(Exit::Success);
            }
            for (name, schema) in &all {
                let title = schema["title"].as_str().unwrap_or_default();
                context.ui.print(&format!("{name:<16} {title}\n"))?;
            }
            return Ok(Exit::Success);
        };
        let Some((_, schema)) = all.iter().find(|(name, _)| name == wanted) else {
            let known: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            let message = format!(
                "there is no schema `{wanted}`; there are {}",
                known.join(", ")
            );
            return Err(CommandError::usage(message));
        };
        context.ui.json(schema)?;
        Ok(Exit::Success)
    }
}
