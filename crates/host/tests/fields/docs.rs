//! The table in `docs/changes.md`.

use bitbuilder_core::plan::{Action, Plan};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Groups that bless the page at the same time take turns.
static PAGE: Mutex<()> = Mutex::new(());

/// Compares the rows of `documents` with those of the page.
pub(crate) fn compare(documents: &[&str], measured: &BTreeMap<(String, String), String>) {
    let _turn = PAGE.lock().unwrap();
    let path = path();
    let text = fs::read_to_string(&path).unwrap();
    let mut made = text.clone();
    for document in documents {
        let rows = measured.iter().filter(|((of, _), _)| of == document);
        let rows: Vec<(&String, &String)> =
            rows.map(|((_, field), effect)| (field, effect)).collect();
        let rows = table(&rows);
        let (begin, end) = (
            format!("<!-- {document} -->\n"),
            format!("<!-- end of {document} -->"),
        );
        let (head, rest) = made
            .split_once(&begin)
            .unwrap_or_else(|| panic!("docs/changes.md has no `{}`", begin.trim()));
        let (_, tail) = rest.split_once(&end).unwrap();
        made = format!("{head}{begin}| field | a change is |\n|---|---|\n{rows}{end}{tail}");
    }
    if made == text {
        return;
    }
    if std::env::var_os("BLESS").is_some() {
        fs::write(&path, made).unwrap();
        return;
    }
    let pairs = text.lines().zip(made.lines());
    let wrong: Vec<_> = pairs.filter(|(old, new)| old != new).take(5).collect();
    panic!("docs/changes.md says other than was measured; BLESS=1 writes it: {wrong:#?}");
}

/// A line per field, or one for all when there is no difference.
fn table(rows: &[(&String, &String)]) -> String {
    let first = rows.first().map_or("", |(_, effect)| effect);
    if rows.iter().all(|(_, effect)| *effect == first) {
        return format!("| every field | {first} |\n");
    }
    let lines = rows.iter();
    lines
        .map(|(field, effect)| format!("| {field} | {effect} |\n"))
        .collect()
}

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/changes.md")
}

/// What `plans` touch, in a few words.
pub(crate) fn touched(plans: &[&Plan]) -> BTreeSet<&'static str> {
    let mut words = BTreeSet::new();
    for plan in plans {
        for step in &plan.steps {
            match &step.action {
                Action::Stop { units } | Action::Start { units } => {
                    words.extend(units.iter().map(|unit| kind(unit)));
                }
                Action::Unlink => drop(words.insert("tenant")),
                Action::SetProperties { .. } => drop(words.insert("limits set")),
                Action::RenewLeases { .. } => drop(words.insert("addresses renewed")),
                Action::MakeDirectory(_)
                | Action::MakeDisk(_)
                | Action::PrepareLayer(_)
                | Action::WriteGeneration { .. }
                | Action::Switch { .. }
                | Action::ReloadNetwork
                | Action::Erase { .. }
                | Action::RestoreFiles { .. }
                | Action::Revert { .. }
                | Action::Reload
                | Action::FixLinks { .. } => {}
            }
        }
        words.extend(plan.changes.iter().filter_map(|file| place(&file.path)));
    }
    words.remove("");
    words
}

fn kind(unit: &str) -> &'static str {
    match unit {
        _ if unit.starts_with("systemd-nspawn@") => "container",
        _ if unit.starts_with("systemd-vmspawn@") => "machine",
        _ if unit.starts_with("tenant-health@") => "timer of its check",
        _ if unit.ends_with(".mount") => "root",
        _ => "tenant",
    }
}

fn place(path: &str) -> Option<&'static str> {
    Some(match path.split_once('/').map_or("", |(first, _)| first) {
        "network" => "bridge",
        "uplinks" => "uplink",
        "nftables" => "packet rules",
        "hosts" => "names",
        "health" => "check",
        "system" if path.ends_with("65-restart.conf") => "restart policy",
        "system" if path.ends_with("70-dependencies.conf") => "order of starts",
        _ if path == "boot" => "what starts with the tenant",
        _ => return None,
    })
}
