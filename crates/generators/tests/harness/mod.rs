//! Runs a generator on the files of a host, into an empty directory.

use bitbuilder_generators::{Generator, generate};
use std::fs;
use std::path::Path;

/// The links that `generator` makes on the host at `root`, sorted, and what it reports.
pub(crate) fn run(generator: Generator, root: &Path) -> (Vec<(String, String)>, Vec<String>) {
    let normal = tempfile::tempdir().unwrap();
    let mut messages = Vec::new();
    generate(generator, root, normal.path(), &mut |trouble| {
        messages.push(trouble.to_string());
    })
    .unwrap();
    let mut links = Vec::new();
    collect(normal.path(), "", &mut links);
    links.sort();
    (links, messages)
}

fn collect(directory: &Path, prefix: &str, links: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &format!("{name}/"), links);
        } else {
            let target = fs::read_link(entry.path()).unwrap();
            links.push((name, target.to_str().unwrap().to_owned()));
        }
    }
}
