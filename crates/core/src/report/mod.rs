//! Findings, for people and for programs.
//!
//! Text of repositories is hostile until it is escaped: nothing that is printed here holds a control
//! character that came from a document or a path.

mod github;
mod people;
mod sarif;

pub use github::findings_github;
pub use people::render_findings;
pub use sarif::findings_sarif;

use crate::finding::{Finding, Severity};
use crate::tree::{Entry, Tree};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The texts that `findings` of `tree` are shown in, by path.
pub fn sources(tree: &Tree, findings: &[Finding]) -> BTreeMap<String, String> {
    let paths: BTreeSet<&String> = findings
        .iter()
        .map(|finding| &finding.origin.file)
        .collect();
    let text = |path: &String| match tree.entries.get(path)? {
        Entry::File(blob) => Some(String::from_utf8_lossy(blob.content.as_deref()?).into_owned()),
        _ => None,
    };
    let texts = paths
        .into_iter()
        .filter_map(|path| Some((path.clone(), text(path)?)));
    texts.collect()
}

/// The findings as JSON: `{ "findings": [{ file, line, column, length, severity, rule, message, help }],
/// "errors": N, "warnings": N }`.
pub fn findings_json(findings: &[Finding]) -> Value {
    let list: Vec<Value> = findings
        .iter()
        .map(|finding| {
            json!({
                "file": finding.origin.file,
                "line": finding.origin.line,
                "column": finding.origin.column,
                "length": finding.length,
                "severity": finding.severity,
                "rule": finding.rule,
                "message": finding.message,
                "help": finding.help,
            })
        })
        .collect();
    json!({
        "findings": list,
        "errors": count(findings, Severity::Error),
        "warnings": count(findings, Severity::Warning),
    })
}

/// `value` as indented text, escaped by [`escape_json`].
pub fn json_text(value: &Value) -> String {
    escape_json(&format!("{value:#}\n"))
}

/// JSON in which everything is escaped that could change what a terminal shows; it means the same.
pub fn escape_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    // Outside of strings there are only line ends and spaces, inside of them no line ends.
    for c in json.chars() {
        if c != '\n' && crate::document::is_unsafe(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(c);
        }
    }
    text
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    let same = findings
        .iter()
        .filter(|finding| finding.severity == severity);
    same.count()
}

/// `text` with every character escaped that could change what a terminal shows.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if crate::document::is_unsafe(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
