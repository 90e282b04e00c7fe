//! `bbctl doctor`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::Style;
use crate::view::table::{Cell, Table};
use bitbuilder_host::doctor::{Check, Verdict, machine, state};
use clap::Args;
use serde_json::json;

/// Check the host: what it has, what it keeps, and what to do where something is wrong.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 nothing fails, there may be warnings; 1 something fails.

Examples:
  bbctl doctor
  bbctl doctor --json")]
pub(crate) struct Doctor {
    #[command(flatten)]
    output: Output,
}

impl Doctor {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let mut checks = Vec::new();
        if context.simulated().is_none() {
            checks.extend(machine(host.as_ref()));
        }
        checks.extend(state(host.as_ref()));
        if self.output.json {
            context.ui.json(&json!({ "checks": checks }))?;
        } else {
            context.ui.print(&table(&checks).text(&context.ui))?;
        }
        let fails = checks.iter().any(|check| check.verdict == Verdict::Fail);
        Ok(if fails { Exit::Failed } else { Exit::Success })
    }
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::new(&["CHECK", "RESULT", "FOUND"]);
    for check in checks {
        let (word, style) = match check.verdict {
            Verdict::Ok => ("ok", Style::Good),
            Verdict::Warn => ("warn", Style::Warn),
            Verdict::Fail => ("fail", Style::Bad),
        };
        table.row(vec![
            Cell::plain(&check.name),
            Cell::new(word, style),
            Cell::plain(&check.message),
        ]);
        if let Some(advice) = &check.advice {
            let advice = Cell::new(format!("-> {advice}"), Style::Bold);
            table.row(vec![Cell::plain(""), Cell::plain(""), advice]);
        }
    }
    table
}
