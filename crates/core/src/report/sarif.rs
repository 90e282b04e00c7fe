//! Findings as SARIF 2.1.0 (OASIS), which code hosts and editors read.

use super::escape;
use crate::finding::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A SARIF log with one run; columns count Unicode code points.
pub fn findings_sarif(findings: &[Finding]) -> Value {
    let rules: BTreeSet<&str> = findings
        .iter()
        .map(|finding| finding.rule.as_str())
        .collect();
    let rules: Vec<Value> = rules.into_iter().map(|id| json!({ "id": id })).collect();
    let results: Vec<Value> = findings.iter().map(result).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "bbctl",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(finding: &Finding) -> Value {
    let level = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    let text = match &finding.help {
        Some(help) => format!("{}: {}", escape(&finding.message), escape(help)),
        None => escape(&finding.message),
    };
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level,
        "message": { "text": text },
    });
    if !finding.origin.file.is_empty() {
        result["locations"] = json!([{ "physicalLocation": location(finding) }]);
    }
    result
}

fn location(finding: &Finding) -> Value {
    let place = &finding.origin;
    let mut location = json!({ "artifactLocation": { "uri": uri(&place.file) } });
    if place.line > 0 {
        location["region"] = json!({
            "startLine": place.line,
            "startColumn": place.column.max(1),
            "endColumn": place.column.max(1) + finding.length.max(1),
        });
    }
    location
}

/// A path as a relative URI reference, RFC 3986.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
