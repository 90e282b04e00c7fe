//! Stored repositories and what a person reads about them.

use crate::{cases_directory, compare, read, shown, stored_tree};
use std::path::Path;

#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn check(case: &Path) -> Result<(), String> {
    let name = case.file_name().unwrap().to_str().unwrap();
    let tree = stored_tree(&case.join("repository"));
    let id = std::fs::read_to_string(case.join("registered-as")).ok();
    let outcome = read(
        &tree,
        name.starts_with("system-"),
        id.as_deref().map(str::trim),
    );
    compare(&case.join("expected"), Some(&shown(&tree, &outcome)))?;
    compare(&case.join("model"), outcome.model.as_deref())
}

#[test]
fn every_stored_repository_is_reported_as_stored() {
    let mut cases: Vec<_> = std::fs::read_dir(cases_directory())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("repository").is_dir())
        .collect();
    cases.sort();
    assert!(cases.len() > 30, "the cases are there");
    let wrong: Vec<String> = cases.iter().filter_map(|case| check(case).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_quick_start_is_that_of_the_readme() {
    let case = cases_directory().join("quick-start");
    let tree = stored_tree(&case.join("repository"));
    let outcome = read(&tree, false, Some("tenant-001"));
    assert_eq!(shown(&tree, &outcome), "no findings\n");
}
