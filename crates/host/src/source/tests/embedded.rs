//! Repositories that accept pushes: what a push may do, through git's real receive-pack.

use super::{Bed, Work, append, fails, git, succeeds};
use crate::source::{SourceError, embedded, open, resolve_ref};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A repository whose hooks accept everything and note that they ran.
fn accepting(bed: &Bed) -> PathBuf {
    let log = bed.path("log");
    let text = format!(
        "#!/bin/sh\necho \"$(basename $0)\" >>'{}'\ncat >>'{}'\n",
        log.display(),
        log.display()
    );
    let hook = bed.script("hook", &text);
    let path = bed.path("git/shop.git");
    embedded::create(&path, &hook).unwrap();
    path
}

fn push(work: &Work, to: &Path, arguments: &[&str]) -> Command {
    let mut command = git(work.path());
    command.args(["push", "--quiet"]).arg(to).args(arguments);
    command
}

fn refs(path: &Path) -> String {
    succeeds(git(path).args(["for-each-ref", "--format=%(refname)"]))
}

#[test]
fn a_push_runs_our_hooks_and_lands() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let work = bed.repository("work");
    let commit = work.save("metadata.json", "{}");
    succeeds(&mut push(&work, &path, &["main"]));
    assert_eq!(
        resolve_ref(&open(&path).unwrap(), "main").unwrap().id,
        commit
    );
    let line = format!("{} {commit} refs/heads/main\n", "0".repeat(40));
    let log = fs::read_to_string(bed.path("log")).unwrap();
    assert_eq!(log, format!("pre-receive\n{line}post-receive\n{line}"));
    // The only branch of a fresh repository can be cloned.
    succeeds(
        git(&bed.path(""))
            .args(["clone", "--quiet"])
            .arg(&path)
            .arg("clone"),
    );
    assert!(bed.path("clone/metadata.json").exists());
}

#[test]
fn a_refusing_hook_leaves_nothing() {
    let bed = Bed::new();
    let hook = bed.script(
        "hook",
        "#!/bin/sh\necho 'metadata.json:1:1: no' >&2\nexit 1\n",
    );
    let path = bed.path("shop.git");
    embedded::create(&path, &hook).unwrap();
    let work = bed.repository("work");
    let commit = work.save("metadata.json", "{");
    let said = fails(&mut push(&work, &path, &["main"]));
    assert!(said.contains("remote: metadata.json:1:1: no"), "{said}");
    assert_eq!(refs(&path), "");
    fails(git(&path).args(["cat-file", "-e", &commit]));
}

#[test]
fn history_is_not_rewritten_and_nothing_is_deleted() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let work = bed.repository("work");
    let first = work.save("a", "1");
    let second = work.save("a", "2");
    succeeds(&mut push(&work, &path, &["main"]));
    work.git(&["reset", "--quiet", "--hard", &first]);
    work.save("a", "3");
    let said = fails(&mut push(&work, &path, &["--force", "main"]));
    assert!(said.contains("non-fast-forward"), "{said}");
    let said = fails(&mut push(&work, &path, &["--delete", "main"]));
    assert!(said.contains("delet"), "{said}");
    assert_eq!(
        resolve_ref(&open(&path).unwrap(), "main").unwrap().id,
        second
    );
}

#[test]
fn only_branches_and_tags_are_accepted_and_shown() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let work = bed.repository("work");
    let commit = work.save("a", "1");
    work.git(&["tag", "v1"]);
    succeeds(&mut push(&work, &path, &["main", "v1"]));
    for hidden in [
        &format!("refs/replace/{commit}"),
        "refs/bitbuilder/audit",
        "refs/notes/x",
        "refs/stash",
    ] {
        let said = fails(&mut push(&work, &path, &[&format!("main:{hidden}")]));
        assert!(said.contains("hidden"), "{hidden}: {said}");
    }
    succeeds(git(&path).args(["update-ref", "refs/bitbuilder/audit", &commit]));
    let shown = succeeds(git(&bed.path("")).arg("ls-remote").arg(&path));
    assert!(
        shown.contains("refs/heads/main") && shown.contains("refs/tags/v1"),
        "{shown}"
    );
    assert!(!shown.contains("bitbuilder"), "{shown}");
}

#[test]
fn damaged_and_hostile_objects_are_refused() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let work = bed.repository("work");
    let blob = work.object("blob", b"x");
    let modules = work.object(
        "blob",
        b"[submodule \"x\"]\n\tpath = x\n\turl = --upload-pack=evil\n",
    );
    let hostile: [(&str, &[u8], &str); 5] = [
        ("100644", b".git", &blob),
        ("100644", b"..", &blob),
        ("100644", b"a/b", &blob),
        ("120000", b".gitmodules", &blob),
        ("100644", b".gitmodules", &modules),
    ];
    for entry in hostile {
        let commit = work.literal(&[entry]);
        fails(&mut push(
            &work,
            &path,
            &[&format!("{commit}:refs/heads/main")],
        ));
        assert_eq!(refs(&path), "", "{entry:?}");
    }
    assert!(!bed.path("log").exists(), "no hook sees them");
}

#[test]
fn hooks_and_configuration_are_put_right() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let hook = bed.path("hook");
    let trap = bed.trap("trap", "marker");
    fs::remove_file(path.join("hooks/pre-receive")).unwrap();
    for name in [
        "pre-receive",
        "update",
        "post-update",
        "reference-transaction",
        "proc-receive",
    ] {
        fs::copy(&trap, path.join("hooks").join(name)).unwrap();
    }
    append(
        &path.join("config"),
        &format!(
            "[core]\n\thooksPath = {}\n[receive]\n\tdenyDeletes = false\n",
            bed.path("").display()
        ),
    );
    embedded::create(&path, &hook).unwrap();
    let mut names: Vec<_> = fs::read_dir(path.join("hooks"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["post-receive", "pre-receive"]);
    assert_eq!(fs::read_link(path.join("hooks/pre-receive")).unwrap(), hook);
    let work = bed.repository("work");
    work.save("a", "1");
    succeeds(&mut push(&work, &path, &["main"]));
    fails(&mut push(&work, &path, &["--delete", "main"]));
    assert!(!bed.path("marker").exists());
}

#[test]
fn the_pusher_cannot_choose_the_hooks() {
    let bed = Bed::new();
    let path = accepting(&bed);
    let work = bed.repository("work");
    work.save("a", "1");
    for hook in ["pre-receive", "post-receive", "update"] {
        bed.trap(&format!("mine/{hook}"), "marker");
    }
    let config = format!("[core]\n\thooksPath = {}\n", bed.path("mine").display());
    fs::write(bed.path(".gitconfig"), config).unwrap();
    let home = bed.path("");
    let mut command = push(&work, &path, &["main"]);
    succeeds(command.env_remove("GIT_CONFIG_GLOBAL").env("HOME", &home));
    assert!(!bed.path("marker").exists());
    assert!(
        fs::read_to_string(bed.path("log"))
            .unwrap()
            .contains("pre-receive")
    );
}

#[test]
fn what_is_not_such_a_repository_is_left_alone() {
    let bed = Bed::new();
    let hook = bed.script("hook", "#!/bin/sh\n");
    fs::create_dir(bed.path("data")).unwrap();
    assert!(embedded::create(&bed.path("data"), &hook).is_err());
    assert_eq!(fs::read_dir(bed.path("data")).unwrap().count(), 0);
    let path = accepting(&bed);
    fs::write(path.join("objects/info/alternates"), "/elsewhere\n").unwrap();
    let error = embedded::create(&path, &hook).unwrap_err();
    assert!(matches!(error, SourceError::Alternates(_)), "{error}");
}

#[test]
fn a_path_with_quotes_is_one_path() {
    let bed = Bed::new();
    let hook = bed.trap("hook", "marker");
    let path = bed.path("a \"b\\ c;#.git");
    embedded::create(&path, &hook).unwrap();
    let hooks = succeeds(git(&path).args(["config", "core.hooksPath"]));
    assert_eq!(Path::new(&hooks), path.join("hooks"));
}
