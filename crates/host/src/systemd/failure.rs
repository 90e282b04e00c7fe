//! Why a job failed: the units to blame, their result, and the last lines of their journal.

use super::manager::{QUERY, parse_blocks};
use crate::tool::Tool;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const JOURNAL: Tool = Tool {
    program: "journalctl",
    limit: Duration::from_secs(10),
};

/// Lines of a unit's journal that are shown.
const LINES: &str = "--lines=5";

/// How far dependencies are followed to the unit that failed.
const DEPTH: usize = 4;

/// What people need to know of a failed start or stop of `units`; what cannot be found out is left out.
pub(super) fn describe(units: &[String], stderr: &str) -> String {
    let mut text = String::new();
    for (unit, result) in find_failed(units) {
        text.push_str(&format!("{unit}: {result}\n"));
        for line in journal(&unit) {
            text.push_str(&format!("  {line}\n"));
        }
    }
    let rest = stderr.lines().filter(|line| !line.starts_with("See \""));
    rest.for_each(|line| text.push_str(&format!("{line}\n")));
    text.trim_end().to_owned()
}

/// The failed units among `units`, and among what those require that did not come up; with their `Result=`.
fn find_failed(units: &[String]) -> BTreeMap<String, String> {
    let mut failed = BTreeMap::new();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut next: Vec<String> = units.to_vec();
    for _ in 0..DEPTH {
        next.retain(|unit| seen.insert(unit.clone()));
        if next.is_empty() {
            break;
        }
        let mut above = Vec::new();
        for unit in show(&next) {
            let get = |key: &str| unit.get(key).map_or("", String::as_str);
            match (get("LoadState"), get("ActiveState")) {
                ("not-found", _) => {
                    failed.insert(get("Id").to_owned(), "there is no such unit".to_owned());
                }
                (_, "failed") => {
                    failed.insert(get("Id").to_owned(), format!("failed ({})", get("Result")));
                }
                (_, "inactive") => {
                    let required = [get("Requires"), get("BindsTo"), get("Requisite")];
                    above.extend(
                        required
                            .iter()
                            .flat_map(|list| list.split_whitespace().map(str::to_owned)),
                    );
                }
                _ => {}
            }
        }
        next = above;
    }
    failed
}

fn show(units: &[String]) -> Vec<BTreeMap<String, String>> {
    let properties = "--property=Id,LoadState,ActiveState,Result,Requires,BindsTo,Requisite";
    let mut arguments = vec!["show", properties, "--"];
    arguments.extend(units.iter().map(String::as_str));
    QUERY
        .check(&arguments)
        .map(|answer| parse_blocks(&answer))
        .unwrap_or_default()
}

fn journal(unit: &str) -> Vec<String> {
    let unit = format!("--unit={unit}");
    let arguments = [
        &unit,
        LINES,
        "--output=cat",
        "--no-pager",
        "--quiet",
        "--boot",
    ];
    let answer = JOURNAL.check(&arguments).unwrap_or_default();
    String::from_utf8_lossy(&answer)
        .lines()
        .map(str::to_owned)
        .collect()
}
