//! Repositories that are too large, too hostile or too odd to be stored as files.

use crate::{cases_directory, compare, file, read, shown, tree};
use bitbuilder_core::document::{MAX_DOCUMENT, MAX_FILES, MAX_TREE};
use bitbuilder_core::tree::{Blob, Entry, Tree};
use std::fmt::Write;

const METADATA: (&str, &str) = ("metadata.json", "{ \"tenant\": { \"id\": \"shop\" } }\n");

/// A tree with metadata and `entries`.
fn with(entries: impl IntoIterator<Item = (String, Entry)>) -> Tree {
    let mut tree = tree(&[METADATA]);
    tree.entries.extend(entries);
    tree
}

fn of_size(size: u64) -> Entry {
    Entry::File(Blob {
        size,
        executable: false,
        oid: String::new(),
        content: None,
    })
}

/// Compares what a person sees with `tests/cases/documents/generated/<case>`.
fn golden(case: &str, tree: &Tree) {
    let outcome = read(tree, false, None);
    let path = cases_directory().join("generated").join(case);
    if let Err(message) = compare(&path, Some(&shown(tree, &outcome))) {
        panic!("{message}");
    }
}

#[test]
fn sizes() {
    let long = format!("env: {{ A: \"{}\" }}\n", "x".repeat(MAX_DOCUMENT as usize));
    let mut tree = with([
        ("containers/large/config.yaml".into(), file(long.as_bytes())),
        ("containers/unread/config.yaml".into(), of_size(100)),
        ("containers/huge/config.yaml".into(), of_size(1 << 30)),
    ]);
    golden("document-size", &tree);
    tree = with([("docs/video.raw".into(), of_size(MAX_TREE))]);
    golden("tree-size", &tree);
    let many = (0..=MAX_FILES).map(|n| (format!("docs/{n}"), file(b"")));
    golden("too-many-files", &with(many));
}

#[test]
fn paths_that_no_file_system_should_see() {
    let names = [
        "docs/../../etc/passwd",
        "docs//x",
        "/etc/passwd",
        "docs/.git/hooks/post-checkout",
        "docs/\u{1b}[31mred",
        "docs/\u{202e}fdp.exe",
        "docs/line\nbreak",
        "docs/.",
    ];
    let long = format!("docs/{}", "x".repeat(256));
    let names = names.map(str::to_owned).into_iter().chain([long]);
    golden("paths", &with(names.map(|name| (name, file(b"")))));
}

#[test]
fn entries_that_are_no_files() {
    golden(
        "foreign-entries",
        &with([
            ("containers/web".into(), Entry::Submodule),
            ("network/topology.yaml".into(), Entry::Special),
            ("containers/db".into(), Entry::Symlink("/srv/db".into())),
            ("docs/fifo".into(), Entry::Special),
            ("docs/link".into(), Entry::Symlink(String::new())),
        ]),
    );
}

#[test]
fn one_line_of_a_megabyte() {
    let mut text = String::from("{ \"tenant\": { \"id\": \"shop\" }, \"extensions\": [");
    for n in 0..50_000 {
        let _ = write!(text, "\"e{n}\", ");
    }
    text.push_str("\"Wrong\"] }");
    golden("long-line", &tree(&[("metadata.json", text.as_str())]));
}

#[test]
fn a_thousand_mistakes_are_cut_off() {
    let mut text = String::from("env: {}\n");
    for n in 0..2000 {
        let _ = writeln!(text, "unknown{n}: 1");
    }
    let outcome = read(
        &with([("containers/web/config.yaml".into(), file(text.as_bytes()))]),
        false,
        None,
    );
    assert_eq!(outcome.findings.len(), 101);
    let containers = (0..200).map(|n| {
        (
            format!("containers/c{n}/config.yaml"),
            file(text.as_bytes()),
        )
    });
    let outcome = read(&with(containers), false, None);
    assert!(outcome.findings.len() <= 1001, "{}", outcome.findings.len());
    assert!(
        outcome
            .findings
            .iter()
            .any(|finding| finding.rule == "too-many-findings")
    );
}

#[test]
fn a_thousand_containers_are_read() {
    let tree = thousand();
    let outcome = read(&tree, false, Some("shop"));
    assert_eq!(outcome.findings, []);
    assert_eq!(
        outcome.model.unwrap().matches("    Container {").count(),
        1000
    );
}

/// A tenant of 1,000 containers that depend on each other.
pub(crate) fn thousand() -> Tree {
    let mut files = vec![("metadata.json".to_owned(), METADATA.1.to_owned())];
    files.push((
        "network/topology.yaml".into(),
        "networks: { default: { subnet: 10.70.0.0/16 } }\n".into(),
    ));
    for n in 0..1000 {
        let mut text = format!(
            "image: {{ template: tenant-container }}\ncommand: [/bin/server, --port, \"{n}\"]\nenv:\n  NUMBER: {n}\n  NAME: container {n}\n\
             resources: {{ cpu: 0.5, memory: 128M, tasks: 64 }}\nnetworks:\n  - {{ network: default, address: 10.70.{}.{} }}\n\
             volumes:\n  - {{ name: data-{n}, mount: /srv/data, size: 1G }}\nrestart: always\nhealth:\n  tcp: 8080\n  interval: 10s\n  timeout: 2s\n",
            1 + n / 200,
            2 + n % 200
        );
        if n > 0 {
            let _ = writeln!(text, "dependsOn: [c{}, c{}]", n - 1, n / 2);
        }
        // One name twice is a mistake.
        let text = text.replace("[c0, c0]", "[c0]").replace("[c1, c1]", "[c1]");
        files.push((format!("containers/c{n}/config.yaml"), text));
    }
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    tree(&files)
}
