//! `bbctl history`.

use crate::cli::Output;
use crate::command::status::unknown;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::Style;
use crate::view::history::words;
use crate::view::table::{Cell, Table};
use crate::view::time::utc;
use bitbuilder_core::model::Name;
use bitbuilder_host::generations;
use bitbuilder_host::reconcile::TenantState;
use clap::Args;
use serde_json::json;

/// Show what happened to a tenant, and the generations that can be rolled back to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl history shop
  bbctl history shop --json")]
pub(crate) struct History {
    /// The tenant.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Name,
    #[command(flatten)]
    output: Output,
}

impl History {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let (root, id) = (host.root(), &self.tenant);
        if !root.tenant(id).is_dir() {
            return Err(unknown(host.as_ref(), id)?.into());
        }
        let state = TenantState::read(root, id)?;
        let numbers = generations::list(root, id)?;
        let current = generations::current(root, id)?;
        let ui = &context.ui;
        if self.output.json {
            ui.json(&json!({
                "tenant": id,
                "current": current,
                "generations": numbers,
                "history": state.history,
            }))?;
            return Ok(Exit::Success);
        }
        let mut table = Table::new(&["TIME (UTC)", "EVENT", "DETAIL"]);
        for entry in &state.history {
            let (word, style, detail) = words(&entry.event);
            table.row(vec![
                Cell::plain(utc(entry.time)),
                Cell::new(word, style),
                Cell::plain(detail),
            ]);
        }
        ui.print(&table.text(ui))?;
        let numbers: Vec<String> = numbers
            .iter()
            .map(|number| match Some(*number) == current {
                true => format!("{number} (current)"),
                false => number.to_string(),
            })
            .collect();
        if !numbers.is_empty() {
            let heading = ui.paint(Style::Bold, "Generations:");
            ui.print(&format!("{heading} {}\n", numbers.join(", ")))?;
        }
        Ok(Exit::Success)
    }
}
