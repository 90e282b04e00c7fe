//! Arbitrary and mutated input: never a panic, always an end, and never a value with an error.

use crate::{cases_directory, file, read, shown, stored_tree};
use bitbuilder_core::report::{findings_github, findings_json, findings_sarif, json_text};
use bitbuilder_core::tree::{Entry, Tree};
use proptest::prelude::*;
use std::sync::LazyLock;

static TENANT: LazyLock<Tree> =
    LazyLock::new(|| stored_tree(&cases_directory().join("full/repository")));
static SYSTEM: LazyLock<Tree> =
    LazyLock::new(|| stored_tree(&cases_directory().join("system-full/repository")));

/// Paths of the documents of `tree`, those of every kind.
fn documents(tree: &Tree) -> Vec<&str> {
    let documents = tree.entries.iter().filter(|(path, entry)| {
        let read = matches!(entry, Entry::File(blob) if blob.content.is_some());
        read && (path.ends_with(".yaml") || path.ends_with(".json"))
    });
    documents.map(|(path, _)| path.as_str()).collect()
}

fn content<'t>(tree: &'t Tree, path: &str) -> &'t [u8] {
    match &tree.entries[path] {
        Entry::File(blob) => blob.content.as_deref().unwrap_or_default(),
        _ => &[],
    }
}

/// Reads `tree` and shows what was found in every format.
fn everything(tree: &Tree, system: bool) {
    let outcome = read(tree, system, None);
    let text = shown(tree, &outcome);
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    assert!(!text.contains(control), "{text:?}");
    let github = findings_github(&outcome.findings);
    assert_eq!(github.lines().count(), outcome.findings.len(), "{github}");
    for value in [
        findings_json(&outcome.findings),
        findings_sarif(&outcome.findings),
    ] {
        let text = json_text(&value);
        assert!(!text.contains(control), "{text:?}");
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read, value);
    }
    for finding in &outcome.findings {
        assert!(!finding.rule.is_empty() && !finding.message.is_empty());
        assert!(finding.message.len() < 10_000, "{}", finding.message);
    }
}

fn one_of(tree: &'static Tree) -> impl Strategy<Value = &'static str> {
    prop::sample::select(documents(tree))
}

/// One change of a text.
#[derive(Debug, Clone)]
enum Change {
    Cut(usize, usize),
    Insert(usize, Vec<u8>),
    Repeat(usize, usize, usize),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let token = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "\"",
        "'",
        "\n",
        "  ",
        "- ",
        "&a ",
        "*a",
        "!!str ",
        "---\n",
        "|",
        ">",
        "%",
        "@",
        "`",
        "\t",
        "null",
        "~",
        "true",
        "0x",
        "1e999",
        "-1",
        "99999999999999999999",
        "\\u0000",
        "\0",
        "\u{1b}",
        "\u{202e}",
        "\u{feff}",
        "\u{2028}",
        "é",
        "../",
        "/etc/passwd",
        "::",
        "$(x)",
        "%i",
        "<<: ",
        "? ",
    ]);
    let token = token.prop_map(|text| text.as_bytes().to_vec());
    let bytes = prop_oneof![4 => token, 1 => prop::collection::vec(any::<u8>(), 1..5)];
    prop_oneof![
        (any::<usize>(), 0usize..30).prop_map(|(at, n)| Change::Cut(at, n)),
        (any::<usize>(), bytes).prop_map(|(at, text)| Change::Insert(at, text)),
        (any::<usize>(), 1usize..60, 1usize..40)
            .prop_map(|(at, n, times)| Change::Repeat(at, n, times)),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Change::Swap(a, b)),
    ]
}

fn changed(text: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut text = text.to_vec();
    for change in changes {
        let length = text.len();
        let place = |at: usize| at % (length + 1);
        match change {
            Change::Cut(at, n) => {
                let at = place(*at);
                text.drain(at..(at + n).min(length));
            }
            Change::Insert(at, bytes) => {
                let at = place(*at);
                text.splice(at..at, bytes.iter().copied());
            }
            Change::Repeat(at, n, times) => {
                let at = place(*at);
                let part = text[at..(at + n).min(length)].repeat(*times);
                text.splice(at..at, part);
            }
            Change::Swap(a, b) if length > 0 => text.swap(a % length, b % length),
            Change::Swap(..) => {}
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_tenants(path in one_of(&TENANT), changes in prop::collection::vec(change(), 1..6)) {
        let mut tree = TENANT.clone();
        let text = changed(content(&TENANT, path), &changes);
        tree.entries.insert(path.to_owned(), file(&text));
        everything(&tree, false);
    }

    #[test]
    fn mutated_systems(path in one_of(&SYSTEM), changes in prop::collection::vec(change(), 1..6)) {
        let mut tree = SYSTEM.clone();
        let text = changed(content(&SYSTEM, path), &changes);
        tree.entries.insert(path.to_owned(), file(&text));
        everything(&tree, true);
    }

    #[test]
    fn arbitrary_bytes(path in one_of(&TENANT), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut tree = TENANT.clone();
        tree.entries.insert(path.to_owned(), file(&bytes));
        everything(&tree, false);
    }

    #[test]
    fn arbitrary_values_in_place_of_right_ones(path in one_of(&TENANT), line in any::<prop::sample::Index>(), value in "[-a-zA-Z0-9_./:@{}\\[\\], \"'é\u{1b}]{0,40}") {
        let text = String::from_utf8_lossy(content(&TENANT, path)).into_owned();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = line.index(lines.len());
        if let Some((key, _)) = lines[at].clone().split_once(':') {
            lines[at] = format!("{key}: {value}");
        }
        let mut tree = TENANT.clone();
        tree.entries.insert(path.to_owned(), file(lines.join("\n").as_bytes()));
        everything(&tree, false);
    }

    #[test]
    fn arbitrary_paths(paths in prop::collection::vec("(containers|machines|users|network|scripts|services|extensions|infrastructure|tenants|.gitops|\\.\\.|)(/[-a-z.\u{1b}é]{0,6}){0,4}", 0..8), kinds in prop::collection::vec(0u8..4, 8)) {
        let mut tree = TENANT.clone();
        for (path, kind) in paths.into_iter().zip(kinds) {
            let entry = match kind {
                0 => file(b"x"),
                1 => Entry::Symlink("../../x".into()),
                2 => Entry::Submodule,
                _ => Entry::Special,
            };
            tree.entries.insert(path, entry);
        }
        everything(&tree, false);
        everything(&tree, true);
    }
}
