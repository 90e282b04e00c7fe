//! Findings as workflow commands of GitHub Actions, which show them beside the changed lines.

use crate::finding::{Finding, Severity};
use std::fmt::Write;

/// One `::error file=...,line=...,col=...,title=RULE::message` line for each finding.
pub fn findings_github(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let command = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "notice",
        };
        let mut properties = Vec::new();
        let place = &finding.origin;
        if !place.file.is_empty() {
            properties.push(format!("file={}", property(&place.file)));
        }
        if place.line > 0 {
            properties.push(format!("line={}", place.line));
            properties.push(format!("col={}", place.column.max(1)));
            if finding.length > 0 {
                properties.push(format!("endColumn={}", place.column + finding.length));
            }
        }
        properties.push(format!("title={}", property(&finding.rule)));
        let message = match &finding.help {
            Some(help) => format!("{}\n{help}", finding.message),
            None => finding.message.clone(),
        };
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "::{command} {}::{}",
            properties.join(","),
            data(&message)
        );
    }
    text
}

/// Escapes as GitHub's runner unescapes; other control characters become visible.
fn data(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '%' => escaped.push_str("%25"),
            '\n' => escaped.push_str("%0A"),
            '\r' => escaped.push_str("%0D"),
            c if crate::document::is_unsafe(c) => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
