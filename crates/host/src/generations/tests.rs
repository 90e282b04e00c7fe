use super::*;
use crate::atomic::Written;
use crate::host::HostError;
use crate::paths::HostRoot;
use bitbuilder_core::artefact::{Artefact, Artefacts, Manifest, Provenance, UpdateClass};
use bitbuilder_core::model::Name;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

pub(crate) fn name(id: &str) -> Name {
    Name::new(id).unwrap()
}

pub(crate) fn artefacts<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Artefacts {
    let files = files.into_iter().map(|(path, content)| {
        let artefact = Artefact {
            content: content.into(),
            mode: 0o644,
            origin: None,
            unit: None,
            class: UpdateClass::Restart,
        };
        (path.to_owned(), artefact)
    });
    Artefacts {
        files: files.collect(),
        ..Artefacts::default()
    }
}

pub(crate) fn manifest(id: &str, number: u64, artefacts: &Artefacts) -> Manifest {
    let provenance = Provenance {
        tenant: name(id),
        number,
        parent: number.checked_sub(1).filter(|parent| *parent > 0),
        commit: "c".repeat(40),
        reference: "refs/heads/main".into(),
        repository: "file:///shop.git".into(),
        system: "s".repeat(40),
        signer: None,
        inputs: String::new(),
        created: 1,
    };
    bitbuilder_core::artefact::manifest(provenance, artefacts)
}

fn host() -> (tempfile::TempDir, HostRoot, Name) {
    let dir = tempfile::tempdir().unwrap();
    let root = HostRoot::new(dir.path());
    (dir, root, name("shop"))
}

fn put(root: &HostRoot, number: u64, content: &str) -> Result<Written, HostError> {
    let artefacts = artefacts([("boot", content), ("system/a.service.d/50-x.conf", content)]);
    write(root, &manifest("shop", number, &artefacts), &artefacts)
}

#[test]
fn a_generation_is_written_once() {
    let (_dir, root, id) = host();
    assert_eq!(put(&root, 1, "x").unwrap(), Written::Created);
    assert_eq!(put(&root, 1, "x").unwrap(), Written::Unchanged);
    assert!(matches!(
        put(&root, 1, "y"),
        Err(HostError::Immutable { .. })
    ));
    assert_eq!(verify(&root, &id, 1).unwrap(), []);
    let file = root.generation(&id, 1).join("system/a.service.d/50-x.conf");
    assert_eq!(fs::read_to_string(file).unwrap(), "x");
}

#[test]
fn an_equal_generation_of_another_commit_is_refused_under_the_same_number() {
    let (_dir, root, _id) = host();
    let artefacts = artefacts([("boot", "x")]);
    let mut manifest = manifest("shop", 1, &artefacts);
    write(&root, &manifest, &artefacts).unwrap();
    manifest.created = 99;
    assert_eq!(
        write(&root, &manifest, &artefacts).unwrap(),
        Written::Unchanged
    );
    manifest.commit = "d".repeat(40);
    let error = write(&root, &manifest, &artefacts).unwrap_err();
    assert!(matches!(error, HostError::Immutable { .. }), "{error}");
}

#[test]
fn paths_that_leave_the_generation_are_refused() {
    let (_dir, root, id) = host();
    for path in ["../x", "/etc/x", "a/../../x", "", "generation.json", "a\0b"] {
        let artefacts = artefacts([(path, "x")]);
        let error = write(&root, &manifest("shop", 1, &artefacts), &artefacts).unwrap_err();
        assert!(error.to_string().contains("outside"), "{path:?}: {error}");
    }
    assert_eq!(list(&root, &id).unwrap(), [] as [u64; 0]);
}

#[test]
fn a_manifest_of_other_files_is_refused() {
    let (_dir, root, _id) = host();
    let rendered = artefacts([("boot", "x")]);
    let other = artefacts([("boot", "y")]);
    let error = write(&root, &manifest("shop", 1, &other), &rendered).unwrap_err();
    assert!(error.to_string().contains("does not describe"), "{error}");
}

#[test]
fn what_a_crash_left_of_a_write_is_replaced() {
    let (_dir, root, id) = host();
    let left = root.generations(&id).join(".1.tmp/system");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), "ha").unwrap();
    put(&root, 1, "x").unwrap();
    assert_eq!(verify(&root, &id, 1).unwrap(), []);
    fs::create_dir_all(root.generations(&id).join(".9.old/x")).unwrap();
    fs::create_dir_all(root.generations(&id).join(".9.tmp/x")).unwrap();
    sweep(&root, &id).unwrap();
    assert_eq!(fs::read_dir(root.generations(&id)).unwrap().count(), 1);
}

#[test]
fn current_follows_a_switch_and_only_to_a_generation() {
    let (_dir, root, id) = host();
    assert_eq!(current(&root, &id).unwrap(), None);
    assert_eq!(read_current(&root, &id).unwrap(), None);
    put(&root, 1, "x").unwrap();
    put(&root, 2, "y").unwrap();
    assert_eq!(switch(&root, &id, 1).unwrap(), Written::Created);
    assert_eq!(switch(&root, &id, 2).unwrap(), Written::Changed);
    assert_eq!(switch(&root, &id, 2).unwrap(), Written::Unchanged);
    assert!(switch(&root, &id, 3).is_err());
    assert_eq!(read_current(&root, &id).unwrap().unwrap().number, 2);
    let target = fs::read_link(root.current(&id)).unwrap();
    assert_eq!(target.to_str(), Some("generations/2"));
    assert!(unlink(&root, &id).unwrap());
    assert!(!unlink(&root, &id).unwrap());
}

#[test]
fn damage_is_named() {
    let (_dir, root, id) = host();
    let artefacts = artefacts([("a", "1"), ("b", "2"), ("c", "3")]);
    write(&root, &manifest("shop", 1, &artefacts), &artefacts).unwrap();
    let directory = root.generation(&id, 1);
    fs::write(directory.join("a"), "other").unwrap();
    fs::remove_file(directory.join("b")).unwrap();
    fs::set_permissions(directory.join("c"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(directory.join("d"), "").unwrap();
    let found: Vec<_> = verify(&root, &id, 1)
        .unwrap()
        .into_iter()
        .map(|damage| (damage.path, damage.kind))
        .collect();
    let expected = [
        ("a".to_owned(), DamageKind::Content),
        ("b".to_owned(), DamageKind::Missing),
        ("c".to_owned(), DamageKind::Mode),
        ("d".to_owned(), DamageKind::Foreign),
    ];
    assert_eq!(found, expected);
    let error = write(&root, &manifest("shop", 1, &artefacts), &artefacts).unwrap_err();
    assert!(matches!(error, HostError::Damaged { .. }), "{error}");
}

#[test]
fn numbers_are_never_used_again() {
    let (_dir, root, id) = host();
    assert_eq!(next_number(&root, &id, 0).unwrap(), 1);
    put(&root, 4, "x").unwrap();
    assert_eq!(next_number(&root, &id, 0).unwrap(), 5);
    assert_eq!(next_number(&root, &id, 8).unwrap(), 9);
    fs::create_dir(root.generations(&id).join("007")).unwrap();
    assert_eq!(list(&root, &id).unwrap(), [4]);
}

#[test]
fn pruning_keeps_what_runs_and_what_was_good() {
    let (_dir, root, id) = host();
    for number in 1..=6 {
        put(&root, number, "x").unwrap();
    }
    switch(&root, &id, 2).unwrap();
    assert_eq!(prune(&root, &id, 3, &[1]).unwrap(), [3, 4, 5]);
    assert_eq!(list(&root, &id).unwrap(), [1, 2, 6]);
    assert_eq!(prune(&root, &id, 0, &[]).unwrap(), [1, 6]);
    assert_eq!(list(&root, &id).unwrap(), [2]);
    assert!(remove(&root, &id, 2).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Whatever is asked in whatever order: a number that has been written holds what was written first, or is gone.
    #[test]
    fn generations_never_change(operations in prop::collection::vec((0..4u8, 1..5u64, 0..3u8), 1..24)) {
        let (_dir, root, id) = host();
        let mut model: BTreeMap<u64, String> = BTreeMap::new();
        for (kind, number, content) in operations {
            let content = content.to_string();
            match kind {
                0 | 1 => match put(&root, number, &content) {
                    Ok(Written::Created) => prop_assert!(model.insert(number, content).is_none()),
                    Ok(_) => prop_assert_eq!(model.get(&number), Some(&content)),
                    Err(HostError::Immutable { .. }) => prop_assert!(model[&number] != content),
                    Err(error) => prop_assert!(false, "{}", error),
                },
                2 => prop_assert_eq!(switch(&root, &id, number).is_ok(), model.contains_key(&number)),
                _ => for gone in prune(&root, &id, number, &[]).unwrap() {
                    prop_assert!(current(&root, &id).unwrap() != Some(gone));
                    model.remove(&gone);
                },
            }
            for (number, content) in &model {
                prop_assert_eq!(verify(&root, &id, *number).unwrap(), vec![]);
                let boot = fs::read_to_string(root.generation(&id, *number).join("boot")).unwrap();
                prop_assert_eq!(&boot, content);
            }
        }
    }
}

/// Two tenants of the registry; `shop` has generation 1, and there is an index.
fn indexed() -> (tempfile::TempDir, HostRoot, Name) {
    let (dir, root, id) = host();
    let registry = r#"{"format":1,"tenants":[{"id":"new"},{"id":"shop"}]}"#;
    crate::atomic::write(&root.registry(), registry.as_bytes(), 0o644).unwrap();
    put(&root, 1, "tenant-shop.slice\tsystem/tenant-shop.slice\n").unwrap();
    switch(&root, &id, 1).unwrap();
    assert!(!has_index(&root));
    index(&root).unwrap();
    assert!(has_index(&root) && !index_is_stale(&root).unwrap());
    (dir, root, id)
}

fn has_index(root: &HostRoot) -> bool {
    root.join("/var/lib/bitbuilder/boot.index").exists()
}

#[test]
fn no_index_outlives_a_link() {
    let (_dir, root, id) = indexed();
    put(&root, 2, "tenant-shop.slice\tsystem/tenant-shop.slice\n").unwrap();
    assert!(has_index(&root));
    switch(&root, &id, 2).unwrap();
    assert!(!has_index(&root));
    index(&root).unwrap();
    unlink(&root, &id).unwrap();
    assert!(!has_index(&root));
}

#[test]
fn a_switch_that_fails_costs_the_index_and_no_more() {
    let (_dir, root, id) = indexed();
    put(&root, 2, "tenant-shop.slice\tsystem/tenant-shop.slice\n").unwrap();
    // In the way of the new link.
    fs::create_dir_all(root.tenant(&id).join(".current.tmp/x")).unwrap();
    assert!(switch(&root, &id, 2).is_err());
    assert!(!has_index(&root));
    assert_eq!(current(&root, &id).unwrap(), Some(1));
}

#[test]
fn an_index_beside_another_registry_is_written_anew() {
    let (_dir, root, _id) = indexed();
    let before = fs::read(root.join("/var/lib/bitbuilder/boot.index")).unwrap();
    crate::atomic::write(&root.registry(), br#"{"format":1,"tenants":[]}"#, 0o644).unwrap();
    assert!(!index_is_stale(&root).unwrap());
    index(&root).unwrap();
    let after = fs::read(root.join("/var/lib/bitbuilder/boot.index")).unwrap();
    assert_ne!(before, after);
}

#[test]
fn a_link_that_was_moved_by_hand_is_found() {
    let (_dir, root, id) = indexed();
    put(&root, 2, "tenant-shop.slice\tsystem/tenant-shop.slice\ntenant@shop.service.d\tsystem/tenant@shop.service.d\n").unwrap();
    fs::remove_file(root.current(&id)).unwrap();
    std::os::unix::fs::symlink("generations/2", root.current(&id)).unwrap();
    assert!(index_is_stale(&root).unwrap());
}
