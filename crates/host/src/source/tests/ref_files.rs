//! Branches that move, by every way that Git has of moving them.

use super::{Bed, Work};
use crate::source::{LocalRemote, RefFiles};
use std::fs;

fn seen(work: &Work) -> Option<RefFiles> {
    let local = LocalRemote::at(work.path()).unwrap().unwrap();
    RefFiles::of(&local, &["main", "testing-host"]).unwrap()
}

/// A repository with two commits, on the first of which `main` is; the second is on `next`.
fn two_commits(bed: &Bed) -> Work {
    let work = bed.repository("work");
    work.save("metadata.json", "{}");
    work.git(&["checkout", "--quiet", "-b", "next"]);
    work.save("metadata.json", "{ }");
    work
}

#[test]
fn no_move_is_missed() {
    let moves: [&[&str]; 5] = [
        &["update-ref", "refs/heads/main", "next"],
        &["branch", "testing-host", "next"],
        &["branch", "--delete", "--force", "main"],
        &["push", "--quiet", ".", "next:main"],
        &["fetch", "--quiet", ".", "next:testing-host"],
    ];
    for arguments in moves {
        for packed in [false, true] {
            let bed = Bed::new();
            let work = two_commits(&bed);
            if packed {
                work.git(&["pack-refs", "--all"]);
            }
            let before = seen(&work).unwrap();
            assert!(before.hold());
            work.git(arguments);
            assert!(!before.hold(), "{arguments:?}");
            assert!(seen(&work).unwrap().hold());
        }
    }
}

#[test]
fn a_branch_that_only_packed_references_know_can_go() {
    let bed = Bed::new();
    let work = two_commits(&bed);
    work.git(&["branch", "testing-host", "main"]);
    work.git(&["pack-refs", "--all"]);
    let before = seen(&work).unwrap();
    work.git(&["branch", "--delete", "--force", "testing-host"]);
    assert!(!before.hold());
}

#[test]
fn a_file_that_is_written_into_has_moved() {
    let bed = Bed::new();
    let work = two_commits(&bed);
    let next = work.git(&["rev-parse", "next"]);
    let before = seen(&work).unwrap();
    fs::write(work.path().join(".git/refs/heads/main"), next).unwrap();
    assert!(!before.hold());
}

#[test]
fn a_branch_that_follows_another_is_not_seen_by_its_file() {
    let bed = Bed::new();
    let work = two_commits(&bed);
    work.git(&["symbolic-ref", "refs/heads/main", "refs/heads/next"]);
    assert_eq!(seen(&work), None);
}
