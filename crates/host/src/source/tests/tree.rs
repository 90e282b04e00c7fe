//! Trees as values: what is read, from a commit and from a directory.

use super::{Bed, Work};
use crate::source::{Reading, TreeLimits, open, read_directory, read_tree};
use bitbuilder_core::tree::Entry;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

fn read(work: &Work, commit: &str) -> Reading {
    read_tree(
        &open(&work.git_dir()).unwrap(),
        commit,
        &TreeLimits::default(),
    )
    .unwrap()
}

fn rules(reading: &Reading) -> Vec<(&str, &str)> {
    let findings = reading.findings.iter();
    findings
        .map(|f| (f.origin.file.as_str(), f.rule.as_str()))
        .collect()
}

/// Files of every kind that both a commit and a directory can hold.
fn filled(bed: &Bed) -> Work {
    let work = bed.repository("work");
    work.write("metadata.json", b"{}");
    work.write("containers/web/config.yaml", b"boot: true\n");
    work.write("containers/web/rootfs-overlay/etc/motd", b"hello\n");
    work.write("containers/rootfs/config.yaml", b"boot: true\n");
    work.write("extensions/sysext/tools.sysext.raw", &[0; 4096]);
    work.write("a.b", b"");
    work.write("a/c", b"sorted behind a.b by git");
    work.write("docs/grüße 中.md", b"x");
    work.write("scripts/health-check.sh", b"#!/bin/sh\n");
    let script = work.path().join("scripts/health-check.sh");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    symlink("../../outside", work.path().join("link")).unwrap();
    symlink("/etc/passwd", work.path().join("absolute")).unwrap();
    work
}

#[test]
fn a_commit_is_read_without_a_checkout() {
    let bed = Bed::new();
    let work = filled(&bed);
    let commit = work.commit("all");
    // Nothing in the work tree matters.
    fs::write(work.path().join("metadata.json"), "changed").unwrap();
    let reading = read(&work, &commit);
    assert_eq!(rules(&reading), []);
    let Entry::File(metadata) = &reading.tree.entries["metadata.json"] else {
        panic!()
    };
    assert_eq!(metadata.content.as_deref(), Some(b"{}".as_slice()));
    assert_eq!(metadata.oid, work.git(&["rev-parse", "HEAD:metadata.json"]));
    assert!(!metadata.executable);
    let file = |path: &str| match &reading.tree.entries[path] {
        Entry::File(blob) => blob.clone(),
        other => panic!("{other:?}"),
    };
    assert!(file("scripts/health-check.sh").executable);
    // Data stays where it is, documents come along.
    assert_eq!(file("containers/web/rootfs-overlay/etc/motd").content, None);
    assert_eq!(file("extensions/sysext/tools.sysext.raw").content, None);
    assert_eq!(file("extensions/sysext/tools.sysext.raw").size, 4096);
    assert!(file("containers/rootfs/config.yaml").content.is_some());
    let target = |path: &str| reading.tree.entries[path].clone();
    assert_eq!(target("link"), Entry::Symlink("../../outside".into()));
    assert_eq!(target("absolute"), Entry::Symlink("/etc/passwd".into()));
    assert_eq!(
        reading.tree.directories["containers/web/rootfs-overlay"],
        work.git(&["rev-parse", "HEAD:containers/web/rootfs-overlay"])
    );
}

#[test]
fn a_directory_reads_as_its_commit_would() {
    let bed = Bed::new();
    let work = filled(&bed);
    let mut directory = read_directory(work.path(), &TreeLimits::default()).unwrap();
    let commit = work.commit("all");
    let mut committed = read(&work, &commit);
    // Git has no empty directory.
    fs::create_dir_all(work.path().join("empty/inner")).unwrap();
    assert_eq!(
        read_directory(work.path(), &TreeLimits::default())
            .unwrap()
            .tree,
        directory.tree
    );
    for reading in [&mut directory, &mut committed] {
        for entry in reading.tree.entries.values_mut() {
            if let Entry::File(blob) = entry {
                blob.oid.clear();
            }
        }
    }
    assert_eq!(directory, committed);
}

#[test]
fn foreign_entries_of_a_directory_are_not_opened() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let fifo = work.path().join("metadata.json");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(work.path().join("socket")).unwrap();
    fs::create_dir_all(work.path().join("nested/.git")).unwrap();
    work.write("nested/file", b"x");
    let reading = read_directory(work.path(), &TreeLimits::default()).unwrap();
    let entries: Vec<_> = reading
        .tree
        .entries
        .iter()
        .map(|(path, entry)| (path.as_str(), entry))
        .collect();
    assert_eq!(
        entries,
        [
            ("metadata.json", &Entry::Special),
            ("nested", &Entry::Submodule),
            ("socket", &Entry::Special)
        ]
    );
}

#[test]
fn hostile_names_are_findings() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let blob = work.object("blob", b"x");
    for (name, shown) in [
        (b"..".as_slice(), ".."),
        (b".", "."),
        (b".git", ".git"),
        (b".GiT", ".GiT"),
        (b"a/b", "a/b"),
        (b"a\nb", "a\\x0ab"),
        (b"\x1b[31m", "\\x1b[31m"),
        (b"\xff", "\\xff"),
        (b"\xff\\xfe", "\\xff\\\\xfe"),
        (b"c\xc2\x9bd", "c\\xc2\\x9bd"),
    ] {
        let commit = work.literal(&[("100644", name, &blob)]);
        let reading = read(&work, &commit);
        assert_eq!(rules(&reading), [(shown, "hostile-name")], "{name:?}");
        assert!(reading.checked().value.is_none());
    }
    let long = [b'a'; 256];
    let commit = work.literal(&[("100644", &long, &blob)]);
    assert_eq!(rules(&read(&work, &commit)).len(), 1);
    let commit = work.literal(&[("100644", b"a", &blob), ("100644", b"a", &blob)]);
    assert_eq!(rules(&read(&work, &commit)), [("a", "hostile-name")]);
}

#[test]
fn a_hostile_directory_is_not_entered() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("inner/metadata.json", "{}");
    let inner = work.git(&["rev-parse", "HEAD:inner"]);
    for name in [b"..".as_slice(), b".git"] {
        let reading = read(&work, &work.literal(&[("40000", name, &inner)]));
        assert_eq!(reading.findings.len(), 1);
        assert!(reading.tree.entries.is_empty(), "{:?}", reading.tree);
    }
}

#[test]
fn hostile_links_are_findings() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let long = "x".repeat(4096);
    for target in [b"".as_slice(), b"a\nb", b"\xff", long.as_bytes()] {
        let blob = work.object("blob", target);
        let reading = read(&work, &work.literal(&[("120000", b"link", &blob)]));
        assert_eq!(rules(&reading), [("link", "hostile-link")], "{target:?}");
    }
}

#[test]
fn an_entry_that_is_not_what_its_mode_says_is_an_error() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let blob = work.object("blob", b"x");
    let commit = work.literal(&[("40000", b"dir", &blob)]);
    let repository = open(&work.git_dir()).unwrap();
    assert!(read_tree(&repository, &commit, &TreeLimits::default()).is_err());
    let tree = work.git(&["rev-parse", &format!("{commit}^{{tree}}")]);
    let commit = work.literal(&[("100644", b"file", &tree)]);
    assert!(read_tree(&repository, &commit, &TreeLimits::default()).is_err());
    // A tree that contains itself cannot be made; one that is deep can: see the limits.
    assert!(read_tree(&repository, &"0".repeat(40), &TreeLimits::default()).is_err());
    assert!(read_tree(&repository, "main", &TreeLimits::default()).is_err());
}
