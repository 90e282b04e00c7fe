//! What differs from current generations.

use super::table::{Cell, pairs};
use super::time::utc;
use crate::ui::{Style, Ui};
use bitbuilder_core::drift::Item;
use bitbuilder_core::report::escape;
use bitbuilder_host::observe::TenantDrift;

/// A paragraph per difference.
pub(crate) fn text(ui: &Ui, found: &[TenantDrift]) -> String {
    let mut text = String::new();
    for tenant in found {
        if let Some(error) = &tenant.error {
            text.push_str(&format!("{}: {}\n", tenant.tenant, escape(error)));
        }
        for item in &tenant.items {
            text.push_str(&one(ui, tenant, item));
        }
    }
    if text.is_empty() {
        return "Nothing differs.\n".to_owned();
    }
    text
}

fn one(ui: &Ui, tenant: &TenantDrift, item: &Item) -> String {
    let head = format!("{}: {}", tenant.tenant, escape(&item.sentence()));
    let unknown = "unknown".to_owned();
    let lines = [
        ("  expected", item.expected.clone()),
        ("  seen", item.seen.clone()),
        ("  since", item.since.map_or(unknown.clone(), utc)),
        ("  by", item.by.clone().unwrap_or(unknown)),
        ("  repair", item.command(&tenant.tenant)),
    ];
    let lines = lines.map(|(name, value)| (name, Cell::plain(value)));
    format!("{}\n{}", ui.paint(Style::Warn, &head), pairs(&lines, ui))
}
