//! Exporting layers: what arrives on the host, and what never does.

use super::{Bed, Work};
use crate::source::{Export, SourceError, TreeLimits, export_directory, export_layer, open};
use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn export(work: &Work, tree: &str, destination: &Path) -> Result<Export, SourceError> {
    let repository = open(&work.git_dir()).unwrap();
    export_layer(
        &repository,
        tree,
        destination,
        &TreeLimits::default(),
        &|_| Ok(()),
    )
}

fn tree_of(work: &Work, commit: &str) -> String {
    work.git(&["rev-parse", &format!("{commit}^{{tree}}")])
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_layer_is_the_tree_as_files() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write("etc/motd", b"hello\n");
    work.write("usr/bin/run", b"#!/bin/sh\n");
    fs::set_permissions(
        work.path().join("usr/bin/run"),
        fs::Permissions::from_mode(0o755),
    )
    .unwrap();
    symlink("/etc/passwd", work.path().join("etc/link")).unwrap();
    symlink("../../../../outside", work.path().join("etc/up")).unwrap();
    let commit = work.commit("all");
    let layer = bed.path("layers/key");
    let chowned = RefCell::new(Vec::new());
    let repository = open(&work.git_dir()).unwrap();
    let tree = tree_of(&work, &commit);
    let note = |path: &Path| {
        chowned.borrow_mut().push(path.to_owned());
        Ok(())
    };
    let made = export_layer(&repository, &tree, &layer, &TreeLimits::default(), &note).unwrap();
    assert_eq!(made, Export::Created);
    assert_eq!(fs::read(layer.join("etc/motd")).unwrap(), b"hello\n");
    assert_eq!(
        fs::read_link(layer.join("etc/link")).unwrap(),
        Path::new("/etc/passwd")
    );
    assert_eq!(
        fs::read_link(layer.join("etc/up")).unwrap(),
        Path::new("../../../../outside")
    );
    assert_eq!(
        (
            mode(&layer),
            mode(&layer.join("etc")),
            mode(&layer.join("etc/motd"))
        ),
        (0o755, 0o755, 0o644)
    );
    assert_eq!(mode(&layer.join("usr/bin/run")), 0o755);
    // Every entry gets its owner, the root of the layer too.
    let partial = bed.path("layers/.key.partial");
    let owned: Vec<PathBuf> = chowned
        .take()
        .iter()
        .map(|path| path.strip_prefix(&partial).unwrap().to_owned())
        .collect();
    let expected = [
        "etc/link",
        "etc/motd",
        "etc/up",
        "etc",
        "usr/bin/run",
        "usr/bin",
        "usr",
        "",
    ];
    assert_eq!(owned, expected.map(PathBuf::from));
    assert_eq!(export(&work, &tree, &layer).unwrap(), Export::Unchanged);
    assert!(!partial.exists());
}

#[test]
fn a_directory_is_exported_alike() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.write("etc/motd", b"hello\n");
    let commit = work.commit("all");
    export(&work, &tree_of(&work, &commit), &bed.path("a")).unwrap();
    let limits = TreeLimits::default();
    export_directory(work.path(), &bed.path("b"), &limits, &|_| Ok(())).unwrap();
    assert_eq!(
        fs::read(bed.path("a/etc/motd")).unwrap(),
        fs::read(bed.path("b/etc/motd")).unwrap()
    );
    assert!(!bed.path("b/.git").exists());
}

#[test]
fn hostile_names_leave_nothing() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let blob = work.object("blob", b"evil");
    let inner = tree_of(&work, &work.literal(&[("100644", b"evil", &blob)]));
    let outside = bed.path("evil");
    let absolute = outside.to_str().unwrap().as_bytes().to_owned();
    let link = work.object("blob", bed.path("").to_str().unwrap().as_bytes());
    let hostile: [&[(&str, &[u8], &str)]; 9] = [
        &[("100644", b"..", &blob)],
        &[("40000", b"..", &inner)],
        &[("100644", b"../evil", &blob)],
        &[("100644", &absolute, &blob)],
        &[("40000", b".git", &inner)],
        &[("100644", b"a\nb", &blob)],
        // A link first, then a directory of its name: a path through the link would leave the layer.
        &[("120000", b"a", &link), ("40000", b"a", &inner)],
        &[("100644", b"a", &blob), ("100644", b"a", &blob)],
        &[("160000", b"sub", "1111111111111111111111111111111111111111")],
    ];
    for entries in hostile {
        let tree = tree_of(&work, &work.literal(entries));
        let error = export(&work, &tree, &bed.path("layers/key")).unwrap_err();
        assert!(
            matches!(error, SourceError::Layer { .. }),
            "{entries:?}: {error}"
        );
        assert_eq!(
            fs::read_dir(bed.path("layers")).unwrap().count(),
            0,
            "{entries:?}"
        );
        assert!(!outside.exists(), "{entries:?}");
    }
}

#[test]
fn a_device_cannot_be_part_of_a_layer() {
    let bed = Bed::new();
    fs::create_dir(bed.path("from")).unwrap();
    let fifo = bed.path("from/fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
    let limits = TreeLimits::default();
    let error =
        export_directory(&bed.path("from"), &bed.path("to"), &limits, &|_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("fifo"), "{error}");
    assert!(!bed.path("to").exists());
}

#[test]
fn a_layer_beyond_a_limit_is_refused_whole() {
    let bed = Bed::new();
    let work = bed.repository("work");
    for n in 0..5 {
        work.write(&n.to_string(), &[b'x'; 100]);
    }
    let tree = tree_of(&work, &work.commit("all"));
    let repository = open(&work.git_dir()).unwrap();
    let default = TreeLimits::default;
    for limits in [
        TreeLimits {
            entries: 4,
            ..default()
        },
        TreeLimits {
            bytes: 450,
            ..default()
        },
        TreeLimits {
            file: 99,
            ..default()
        },
    ] {
        let to = bed.path("layers/key");
        assert!(export_layer(&repository, &tree, &to, &limits, &|_| Ok(())).is_err());
        assert_eq!(fs::read_dir(bed.path("layers")).unwrap().count(), 0);
    }
}

#[test]
fn what_an_interrupted_export_left_is_removed() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let tree = tree_of(&work, &work.save("a", "1"));
    fs::create_dir_all(bed.path("layers/.key.partial/old")).unwrap();
    symlink(work.path(), bed.path("layers/.key.partial/link")).unwrap();
    export(&work, &tree, &bed.path("layers/key")).unwrap();
    let names: Vec<_> = fs::read_dir(bed.path("layers/key"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(names, ["a"]);
    assert!(work.path().join("a").exists(), "the link was not followed");
}

#[test]
fn setuid_bits_and_owners_of_a_directory_do_not_arrive() {
    let bed = Bed::new();
    fs::create_dir(bed.path("from")).unwrap();
    let program = bed.script("from/su", "x");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6777)).unwrap();
    export_directory(
        &bed.path("from"),
        &bed.path("to"),
        &TreeLimits::default(),
        &|_| Ok(()),
    )
    .unwrap();
    assert_eq!(mode(&bed.path("to/su")), 0o755);
}
