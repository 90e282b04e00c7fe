//! `bbctl events`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::{Style, Ui};
use crate::view::history::words;
use crate::view::time::utc;
use bitbuilder_core::model::Name;
use bitbuilder_core::report::escape;
use bitbuilder_host::events::{self, Record};
use clap::Args;

/// Show what happened on this host, oldest first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl events
  bbctl events --follow            and what happens from now on
  bbctl events shop --json         one JSON object per line")]
pub(crate) struct Events {
    /// The tenant; the whole host by default.
    #[arg(value_parser = crate::context::tenant)]
    tenant: Option<Name>,
    /// Go on with what happens from now on.
    #[arg(long, short)]
    follow: bool,
    #[command(flatten)]
    output: Output,
}

impl Events {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        if !self.follow {
            for record in events::read(host.root())? {
                self.print(&context.ui, &record)?;
            }
            return Ok(Exit::Success);
        }
        let mut failed = None;
        events::follow(host.root(), std::io::stdout(), &mut |record| match self
            .print(&context.ui, &record)
        {
            Ok(()) => true,
            Err(error) => {
                failed = Some(error);
                false
            }
        })?;
        failed.map_or(Ok(Exit::Success), Err)
    }

    fn print(&self, ui: &Ui, record: &Record) -> Result<(), CommandError> {
        if self.tenant.is_some() && self.tenant != record.tenant {
            return Ok(());
        }
        if self.output.json {
            return ui.json_line(record);
        }
        let (word, style, detail) = words(&record.event);
        let who = record.tenant.as_ref().map_or("system", Name::as_str);
        let time = ui.paint(Style::Dim, &utc(record.time));
        let line = format!(
            "{time}  {who}  {}  {}",
            ui.paint(style, word),
            escape(&detail)
        );
        ui.print(&format!("{}\n", line.trim_end()))
    }
}
