//! Limits of a tree: each ends the reading with a finding that names it, time with an error.

use super::{Bed, Work};
use crate::source::{Reading, SourceError, TreeLimits, open, read_directory, read_tree};
use bitbuilder_core::tree::Entry;
use std::time::Duration;

/// Reads the commit and the same files as a directory.
fn both(work: &Work, limits: &TreeLimits) -> [Reading; 2] {
    let commit = work.commit("all");
    let repository = open(&work.git_dir()).unwrap();
    [
        read_tree(&repository, &commit, limits).unwrap(),
        read_directory(work.path(), limits).unwrap(),
    ]
}

fn expect(work: &Work, limits: &TreeLimits, rule: &str) {
    for reading in both(work, limits) {
        let rules: Vec<_> = reading.findings.iter().map(|f| f.rule.as_str()).collect();
        assert_eq!(rules, [rule]);
        assert!(reading.checked().value.is_none());
    }
}

#[test]
fn entries() {
    let bed = Bed::new();
    let work = bed.repository("work");
    for n in 0..20 {
        work.write(&format!("d/{n}"), b"");
    }
    let limits = TreeLimits {
        entries: 10,
        ..TreeLimits::default()
    };
    expect(&work, &limits, "too-many-entries");
    let limits = TreeLimits {
        entries: 21,
        ..TreeLimits::default()
    };
    assert!(
        both(&work, &limits)
            .iter()
            .all(|reading| reading.findings.is_empty())
    );
}

#[test]
fn one_directory_with_a_million_entries_is_not_read_to_its_end() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let blob = work.object("blob", b"");
    let id = gix::ObjectId::from_hex(blob.as_bytes()).unwrap();
    let mut tree = Vec::new();
    for n in 0..200_000 {
        tree.extend_from_slice(format!("100644 {n:06}").as_bytes());
        tree.push(0);
        tree.extend_from_slice(id.as_slice());
    }
    let tree = work.object("tree", &tree);
    let commit = work.commit_tree(&tree);
    let repository = open(&work.git_dir()).unwrap();
    let reading = read_tree(&repository, &commit, &TreeLimits::default()).unwrap();
    assert_eq!(reading.findings.len(), 1);
    assert_eq!(reading.findings[0].rule, "too-many-entries");
}

#[test]
fn a_tree_of_trees_that_grows_exponentially_ends() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let mut id = work.object("blob", b"");
    let mut mode = "100644";
    for _ in 0..60 {
        let entries = ["a", "b", "c", "d"].map(|name| (mode, name.as_bytes(), id.as_str()));
        let commit = work.literal(&entries);
        id = work.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
        mode = "40000";
    }
    let commit = work.commit_tree(&id);
    let repository = open(&work.git_dir()).unwrap();
    let reading = read_tree(&repository, &commit, &TreeLimits::default()).unwrap();
    assert_eq!(reading.findings[0].rule, "too-many-entries");
}

#[test]
fn depth() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write(&format!("{}f", "d/".repeat(65)), b"");
    expect(&work, &TreeLimits::default(), "tree-too-deep");
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write(&format!("{}f", "d/".repeat(64)), b"");
    assert!(
        both(&work, &TreeLimits::default())
            .iter()
            .all(|reading| reading.findings.is_empty())
    );
}

#[test]
fn bytes_of_a_file_and_of_all() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write("docs/a", &[b'x'; 600]);
    work.write("docs/b", &[b'x'; 600]);
    let file = TreeLimits {
        file: 500,
        ..TreeLimits::default()
    };
    for reading in both(&work, &file) {
        assert_eq!(reading.findings.len(), 2);
        assert!(reading.findings.iter().all(|f| f.rule == "file-too-large"));
    }
    let all = TreeLimits {
        bytes: 1000,
        ..TreeLimits::default()
    };
    expect(&work, &all, "tree-too-large");
}

#[test]
fn documents() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write("metadata.json", &[b' '; 600]);
    work.write("network/topology.yaml", &[b' '; 600]);
    // A large document is there without its content: the document check names it.
    let one = TreeLimits {
        document: 500,
        ..TreeLimits::default()
    };
    for reading in both(&work, &one) {
        let Entry::File(blob) = &reading.tree.entries["metadata.json"] else {
            panic!()
        };
        assert_eq!((blob.size, &blob.content), (600, &None));
        assert!(reading.findings.is_empty());
    }
    let all = TreeLimits {
        documents: 1000,
        ..TreeLimits::default()
    };
    expect(&work, &all, "documents-too-large");
}

#[test]
fn time() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let commit = work.save("a", "1");
    let limits = TreeLimits {
        time: Duration::ZERO,
        ..TreeLimits::default()
    };
    let repository = open(&work.git_dir()).unwrap();
    let errors = [
        read_tree(&repository, &commit, &limits).unwrap_err(),
        read_directory(work.path(), &limits).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, SourceError::TimeLimit { .. }), "{error}");
    }
}
