//! SHA-1: two contents of one id are noticed, and a content that is not the id's is not taken.

use super::{Case, NOON};
use crate::source::{TreeLimits, open, read_tree};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

const PAIR: [&[u8]; 2] = [
    include_bytes!("data/sha-mbles-1.bin"),
    include_bytes!("data/sha-mbles-2.bin"),
];

#[test]
fn our_hash_notices_the_published_collision() {
    for message in PAIR {
        let mut hasher = gix::hash::hasher(gix::hash::Kind::Sha1);
        hasher.update(message);
        let error = hasher.try_finalize().unwrap_err().to_string();
        assert!(error.contains("collision"), "{error}");
    }
}

/// Nobody has published two Git objects of one id. What Git hashes without an object's header are the two sides of a
/// conflict, for git-rerere(1): the published pair is put there.
#[test]
fn the_git_that_fetches_notices_it_too() {
    let directory = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .current_dir(directory.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["-c", "user.name=a", "-c", "user.email=a@example.org"]);
        command.args(arguments).output().unwrap()
    };
    let write = |content: &[u8]| fs::write(directory.path().join("file"), content).unwrap();
    git(&["init", "-q", "-b", "main"]);
    write(b"x\n");
    git(&["add", "file"]);
    git(&["commit", "-q", "-m", "base"]);
    git(&["checkout", "-q", "-b", "other"]);
    write(b"a\n");
    git(&["commit", "-q", "-a", "-m", "a"]);
    git(&["checkout", "-q", "main"]);
    write(b"b\n");
    git(&["commit", "-q", "-a", "-m", "b"]);
    git(&["merge", "-q", "other"]);
    let [one, two] = PAIR;
    write(&[b"<<<<<<< a\n", one, b"\n=======\n", two, b"\n>>>>>>> b\n"].concat());
    let output = git(&["-c", "rerere.enabled=true", "rerere"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("collision attack"), "{output:?}");
}

/// The file of a loose object.
fn loose(case: &Case, id: &str) -> PathBuf {
    case.repo.0.join("objects").join(&id[..2]).join(&id[2..])
}

#[test]
fn an_object_that_is_not_what_its_id_says_is_not_read() {
    let case = Case::new();
    let blob = |text: &str| {
        let file = case.directory.path().join("file");
        fs::write(&file, text).unwrap();
        case.repo
            .git(&["hash-object", "-w", file.to_str().unwrap()])
    };
    let (good, bad) = (blob("good"), blob("evil"));
    let index = case.directory.path().join("index");
    let tree = |id: &str| {
        let _ = fs::remove_file(&index);
        let mut command = Command::new("git");
        command
            .current_dir(&case.repo.0)
            .env("GIT_INDEX_FILE", &index);
        let entry = format!("100644,{id},file");
        super::run(command.args(["update-index", "--add", "--cacheinfo", &entry]));
        let mut command = Command::new("git");
        command
            .current_dir(&case.repo.0)
            .env("GIT_INDEX_FILE", &index);
        super::run(command.arg("write-tree")).trim().to_owned()
    };
    let (signed_tree, other_tree) = (tree(&good), tree(&bad));
    case.commit("one", NOON);
    let commit = case.repo.replace(|payload| {
        let text = String::from_utf8(payload).unwrap();
        let empty = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
        let text = text.replace(empty, &signed_tree);
        super::with(
            text.as_bytes(),
            &[&case.keys.sign("alice", "git", text.as_bytes())],
        )
    });
    let read = || {
        read_tree(
            &open(&case.repo.0).unwrap(),
            &commit,
            &TreeLimits::default(),
        )
    };
    case.accepts(None, &commit, "alice");
    assert!(read().is_ok());

    // Who can write the mirror puts another blob, tree or commit in its place.
    let evil_commit = case.commit("evil", NOON);
    for (id, other) in [
        (&good, &bad),
        (&signed_tree, &other_tree),
        (&commit, &evil_commit),
    ] {
        let (kept, planted) = (
            fs::read(loose(&case, id)).unwrap(),
            fs::read(loose(&case, other)).unwrap(),
        );
        let place = |content: &[u8]| {
            let path = loose(&case, id);
            fs::remove_file(&path).unwrap();
            fs::write(path, content).unwrap();
        };
        place(&planted);
        if id == &commit {
            case.refuses(None, &commit, "object-damaged", "damaged");
        } else {
            let error = read().unwrap_err().to_string();
            assert!(error.contains(other), "{error}");
        }
        place(&kept);
    }
    assert!(read().is_ok());
}
