//! What a generator is made of is a list that a person reviews: it runs as root before everything else.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// `dependencies.txt` is what `cargo tree` says, versions aside; `BLESS=1` rewrites it.
#[test]
fn stored_list() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", "bitbuilder-generators"])
        .args(["--edges", "normal", "--prefix", "none", "--format", "{p}"])
        .args(["--offline", "--locked"])
        .current_dir(package)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "bitbuilder-generators")
        .collect();
    let made: String = names.iter().flat_map(|name| [*name, "\n"]).collect();
    let path = package.join("dependencies.txt");
    if std::env::var("BLESS").is_ok() {
        std::fs::write(&path, &made).unwrap();
    }
    let stored = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(made, stored, "BLESS=1 rewrites");
}
