//! `bbctl explain`.

use crate::cli::Output;
use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::ui::Style;
use crate::view::table::{Cell, pairs};
use bitbuilder_core::finding::Origin;
use bitbuilder_core::tree::Entry;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::{Explanation, Kind, explain};
use bitbuilder_host::source::{TreeLimits, open, read_tree};
use clap::Args;

/// Say which line of which commit of which repository something on this host comes from.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  bbctl explain systemd-nspawn@shop-web.service
  bbctl explain /run/systemd/network/10-bitbuilder-br-shop.netdev
  bbctl explain br-shop            a bridge or link
  bbctl explain shop/web           a workload; a tenant; a machine
  bbctl explain 4711               a process")]
pub(crate) struct Explain {
    /// A unit, a path, a bridge or link, a machine, a workload, a tenant, or the id of a process.
    thing: String,
    #[command(flatten)]
    output: Output,
}

impl Explain {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, CommandError> {
        let host = context.host()?;
        let found = explain(host.as_ref(), &self.thing)?;
        if self.output.json {
            context.ui.json(&found)?;
        } else {
            let text = pairs(&lines(host.as_ref(), &found), &context.ui);
            context.ui.print(&text)?;
        }
        Ok(Exit::Success)
    }
}

fn lines(host: &dyn Host, found: &Explanation) -> Vec<(&'static str, Cell)> {
    let mut lines = vec![(kind(found.kind), Cell::new(&found.what, Style::Bold))];
    let mut add =
        |name, text: Option<String>| lines.extend(text.map(|text| (name, Cell::plain(text))));
    add("Tenant", Some(found.tenant.to_string()));
    add("Workload", found.workload.as_ref().map(ToString::to_string));
    add("Network", found.network.as_ref().map(ToString::to_string));
    add("Machine", found.machine.clone());
    add(
        "Unit",
        found.unit.clone().filter(|unit| *unit != found.what),
    );
    add("Repository", found.repository.clone());
    let commit = found.commit.as_ref();
    add(
        "Commit",
        commit.map(|commit| match &found.reference {
            Some(reference) => format!("{commit} ({reference})"),
            None => commit.clone(),
        }),
    );
    add("Signer", found.signer.clone());
    add(
        "Generation",
        found.generation.map(|number| number.to_string()),
    );
    add("Document", found.origin.as_ref().map(ToString::to_string));
    add(
        "Line",
        found
            .origin
            .as_ref()
            .and_then(|origin| line(host, found, origin)),
    );
    add("Note", found.note.clone());
    lines
}

/// The line itself, if the mirror still has the commit.
fn line(host: &dyn Host, found: &Explanation, origin: &Origin) -> Option<String> {
    let repository = open(&host.root().mirror(&found.tenant)).ok()?;
    let commit = found.commit.as_ref()?;
    let reading = read_tree(&repository, commit, &TreeLimits::default()).ok()?;
    let Entry::File(blob) = reading.tree.entries.get(&origin.file)? else {
        return None;
    };
    let text = String::from_utf8_lossy(blob.content.as_deref()?).into_owned();
    let number = usize::try_from(origin.line).ok()?.checked_sub(1)?;
    let line = text.lines().nth(number)?;
    Some(line.chars().take(160).collect())
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Tenant => "Tenant",
        Kind::Workload => "Workload",
        Kind::Unit => "Unit",
        Kind::File => "File",
        Kind::Layer => "Layer",
        Kind::Root => "Root",
        Kind::Volume => "Volume",
        Kind::Bridge => "Bridge",
        Kind::Uplink => "Uplink",
        Kind::Domain => "Routing domain",
        Kind::Interface => "Interface",
        Kind::Process => "Process",
    }
}
