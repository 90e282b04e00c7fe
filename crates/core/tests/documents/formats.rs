//! Findings for programs: stored examples of every format.

use crate::{cases_directory, compare, file, read, shown, stored_tree};
use bitbuilder_core::finding::{Finding, Severity};
use bitbuilder_core::report::{findings_github, findings_json, findings_sarif, json_text};
use bitbuilder_core::tree::Entry;
use serde_json::Value;

/// Findings with and without a place, of hostile names and of every severity.
fn findings() -> Vec<Finding> {
    let mut tree = stored_tree(&cases_directory().join("link-names/repository"));
    for (path, entry) in [
        ("docs/\u{1b}]0;title\u{7}\u{9b}31m,:%", file(b"")),
        (
            "docs/\u{202e}fdp \u{fe}.exe",
            Entry::Symlink("/etc\r\n::error::x".into()),
        ),
        (
            "containers/sp ace/config.yaml",
            file("command: [\"\\u009b\"]\nenv: { ä: 1 }\n".as_bytes()),
        ),
    ] {
        tree.entries.insert(path.to_owned(), entry);
    }
    let mut outcome = read(&tree, false, None);
    outcome.findings[0].severity = Severity::Note;
    // A finding about the repository as a whole has no file.
    outcome.findings[1].origin = Default::default();
    assert!(shown(&tree, &outcome).contains("warning"));
    outcome.findings
}

#[test]
fn formats_are_as_stored() {
    let findings = findings();
    let directory = cases_directory().join("formats");
    for (name, text) in [
        ("github", findings_github(&findings)),
        ("json", json_text(&findings_json(&findings))),
        ("sarif", json_text(&findings_sarif(&findings))),
    ] {
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
        if let Err(message) = compare(&directory.join(name), Some(&text)) {
            panic!("{message}");
        }
    }
}

/// What SARIF 2.1.0 (sarif-schema-2.1.0.json) demands of the parts that are used here.
#[test]
fn a_sarif_log_has_the_shape_of_the_standard() {
    let findings = findings();
    let log = findings_sarif(&findings);
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string() && driver["version"].is_string());
    assert_eq!(run["columnKind"], "unicodeCodePoints");
    let rules: Vec<&Value> = driver["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| &rule["id"])
        .collect();
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), findings.len());
    for (result, finding) in results.iter().zip(&findings) {
        assert!(rules.contains(&&result["ruleId"]));
        let level = result["level"].as_str().unwrap();
        assert!(["error", "warning", "note"].contains(&level));
        assert!(
            result["message"]["text"]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        );
        let location = &result["locations"][0]["physicalLocation"];
        assert_eq!(location.is_null(), finding.origin.file.is_empty());
        if let Some(uri) = location["artifactLocation"]["uri"].as_str() {
            assert!(
                uri.bytes()
                    .all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)),
                "{uri}"
            );
        }
        if let Some(region) = location.get("region") {
            let number = |key: &str| region[key].as_u64().unwrap();
            assert!(number("startLine") >= 1 && number("startColumn") >= 1);
            assert!(number("endColumn") > number("startColumn"));
        }
    }
}
