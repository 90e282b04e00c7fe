//! What a repository could make git run or show: each is set up so that it works with a plain git, and is off here.

use super::{Bed, Work, append, git, succeeds};
use crate::source::{Mirror, SourceError, TreeLimits, fetch, open, read_tree, resolve_ref};
use bitbuilder_core::tree::{Entry, Tree};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

fn mirrored(bed: &Bed, work: &Work) -> PathBuf {
    let path = bed.path("mirror.git");
    Mirror::ensure(&path, &work.url()).unwrap();
    fetch(&path, &work.url(), "main", TIME).unwrap();
    path
}

fn tree(repository: &Path, reference: &str) -> Tree {
    let repository = open(repository).unwrap();
    let commit = resolve_ref(&repository, reference).unwrap();
    let reading = read_tree(&repository, &commit.id, &TreeLimits::default()).unwrap();
    reading.checked().value.unwrap()
}

fn content(tree: &Tree, path: &str) -> String {
    match &tree.entries[path] {
        Entry::File(blob) => String::from_utf8(blob.content.as_deref().unwrap().to_vec()).unwrap(),
        other => panic!("{path}: {other:?}"),
    }
}

/// Everything that the source does with a mirror whose remote has moved.
fn whole_round(mirror: &Path, work: &Work) -> Tree {
    work.save("moved", "x");
    assert!(fetch(mirror, &work.url(), "main", TIME).unwrap().moved);
    tree(mirror, "main")
}

#[test]
fn hooks_do_not_run() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirrored(&bed, &work);
    for hook in [
        "reference-transaction",
        "post-merge",
        "post-checkout",
        "pre-auto-gc",
        "post-index-change",
    ] {
        bed.trap(&format!("mirror.git/hooks/{hook}"), "marker");
    }
    whole_round(&mirror, &work);
    assert!(!bed.path("marker").exists());
    succeeds(git(&mirror).args([
        "-c",
        "core.hooksPath=hooks",
        "update-ref",
        "refs/heads/x",
        "main",
    ]));
    assert!(bed.path("marker").exists(), "the trap works");
}

#[test]
fn hooks_and_configuration_of_a_remote_do_not_run() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirrored(&bed, &work);
    // Committed first: git commit itself would run them.
    work.save("a", "2");
    let trap = bed.trap("trap", "marker");
    for hook in [
        "reference-transaction",
        "post-checkout",
        "post-index-change",
        "pre-receive",
    ] {
        fs::create_dir_all(work.git_dir().join("hooks")).unwrap();
        fs::copy(&trap, work.git_dir().join("hooks").join(hook)).unwrap();
    }
    let trap = trap.display();
    let config = format!(
        "[core]\n\tfsmonitor = {trap}\n\tsshCommand = {trap}\n\tpager = {trap}\n\
         [uploadpack]\n\tpackObjectsHook = {trap}\n[gc]\n\tauto = 1\n"
    );
    append(&work.git_dir().join("config"), &config);
    assert!(fetch(&mirror, &work.url(), "main", TIME).unwrap().moved);
    assert_eq!(content(&tree(&mirror, "main"), "a"), "2");
    assert!(!bed.path("marker").exists());
    work.git(&["status"]);
    assert!(bed.path("marker").exists(), "the trap works");
}

#[test]
fn configuration_in_a_mirror_runs_nothing() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirrored(&bed, &work);
    let trap = bed.trap("trap", "marker");
    let trap = trap.display();
    let more = format!(
        "[core]\n\tsshCommand = {trap}\n\tgitProxy = {trap}\n\taskPass = {trap}\n[credential]\n\thelper = {trap}\n"
    );
    fs::write(bed.path("included"), &more).unwrap();
    append(
        &mirror.join("config"),
        &format!(
            "{more}[core]\n\tfsmonitor = {trap}\n\talternateRefsCommand = {trap}\n\thooksPath = hooks\n\
             [fetch]\n\trecurseSubmodules = true\n[gc]\n\tauto = 1\n[maintenance]\n\tauto = true\n\
             [include]\n\tpath = {}\n",
            bed.path("included").display()
        ),
    );
    whole_round(&mirror, &work);
    // The ssh program is ours, whatever the mirror says.
    assert!(fetch(&mirror, "ssh://git@127.0.0.1:1/x", "main", TIME).is_err());
    assert!(!bed.path("marker").exists());
    let _ = git(&mirror)
        .args(["fetch", "ssh://git@127.0.0.1:1/x"])
        .output()
        .unwrap();
    assert!(bed.path("marker").exists(), "the trap works");
}

#[test]
fn the_environment_of_the_caller_has_no_effect() {
    // `git` is always started with a cleared environment: what would be inherited is checked on a real command.
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirrored(&bed, &work);
    let listing = crate::git::Invocation::new("config")
        .repository(&mirror)
        .args(["--list", "--show-origin", "--show-scope"])
        .run()
        .unwrap();
    for line in String::from_utf8(listing).unwrap().lines() {
        let ours = line.starts_with("command\t") || line.starts_with("local\t");
        assert!(ours, "{line}");
    }
}

#[test]
fn filters_and_attributes_do_not_change_what_is_read() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n";
    work.write("big.json", pointer.as_bytes());
    work.write("id.txt", b"$Id$ $Format:%H$\n");
    work.write("crlf.txt", b"a\nb\n");
    work.save(
        ".gitattributes",
        "*.json filter=lfs diff=evil merge=evil textconv=evil\n*.txt ident text eol=crlf export-subst\n",
    );
    let mirror = mirrored(&bed, &work);
    let trap = bed.trap("trap", "marker").display().to_string();
    let drivers = format!(
        "[filter \"lfs\"]\n\tsmudge = {trap}\n\tclean = {trap}\n\tprocess = {trap}\n\trequired = true\n\
         [diff \"evil\"]\n\tcommand = {trap}\n\ttextconv = {trap}\n[merge \"evil\"]\n\tdriver = {trap}\n"
    );
    append(&mirror.join("config"), &drivers);
    fs::write(mirror.join("info/attributes"), "* filter=lfs diff=evil\n").unwrap();
    let read = whole_round(&mirror, &work);
    assert_eq!(content(&read, "big.json"), pointer);
    assert_eq!(content(&read, "id.txt"), "$Id$ $Format:%H$\n");
    assert_eq!(content(&read, "crlf.txt"), "a\nb\n");
    assert!(!bed.path("marker").exists());
    fs::create_dir(bed.path("checkout")).unwrap();
    let checkout = format!("--work-tree={}", bed.path("checkout").display());
    let _ = git(&mirror)
        .args([checkout.as_str(), "checkout", "main", "--", "."])
        .output()
        .unwrap();
    assert!(bed.path("marker").exists(), "the trap works");
}

#[test]
fn submodules_are_entries_and_never_fetched() {
    let bed = Bed::new();
    let inner = bed.repository("inner");
    inner.save("secret", "1");
    let work = bed.repository("work");
    work.save("a", "1");
    work.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &inner.url(),
        "sub",
    ]);
    work.commit("submodule");
    let mirror = mirrored(&bed, &work);
    append(
        &mirror.join("config"),
        "[fetch]\n\trecurseSubmodules = true\n[submodule]\n\trecurse = true\n",
    );
    let read = whole_round(&mirror, &work);
    assert_eq!(read.entries["sub"], Entry::Submodule);
    assert!(!read.entries.contains_key("sub/secret"));
    assert!(!mirror.join("modules").exists());
}

#[test]
fn replace_refs_replace_nothing() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let good = work.save("a", "good");
    let evil = work.save("a", "evil");
    work.git(&["reset", "--quiet", "--hard", &good]);
    let mirror = mirrored(&bed, &work);
    succeeds(git(&mirror).args(["fetch", "--quiet", &work.url(), &evil]));
    succeeds(git(&mirror).args(["replace", &good, &evil]));
    assert_eq!(
        succeeds(git(&mirror).args(["show", "main:a"])),
        "evil",
        "the trap works"
    );
    assert_eq!(content(&tree(&mirror, "main"), "a"), "good");
    // Blobs too, and packed.
    let blob = |text: &str| succeeds(git(&mirror).args(["rev-parse", &format!("{text}:a")]));
    let (good_blob, evil_blob) = (
        work.git(&["rev-parse", &format!("{good}:a")]),
        work.git(&["rev-parse", &format!("{evil}:a")]),
    );
    succeeds(git(&mirror).args(["replace", "-d", &good]));
    succeeds(git(&mirror).args(["replace", &good_blob, &evil_blob]));
    assert_eq!(blob("main"), good_blob);
    succeeds(git(&mirror).args(["pack-refs", "--all"]));
    assert_eq!(
        succeeds(git(&mirror).args(["show", "main:a"])),
        "evil",
        "the trap works"
    );
    assert_eq!(content(&tree(&mirror, "main"), "a"), "good");
    // A replace ref of the remote does not come over.
    work.git(&["replace", &good, &evil]);
    succeeds(git(&mirror).args(["replace", "-d", &good_blob]));
    work.save("b", "x");
    fetch(&mirror, &work.url(), "main", TIME).unwrap();
    assert_eq!(
        succeeds(git(&mirror).args(["for-each-ref", "refs/replace"])),
        ""
    );
}

#[test]
fn borrowed_objects_are_refused() {
    let bed = Bed::new();
    let other = bed.repository("other");
    let secret = other.save("secret", "of another tenant");
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirrored(&bed, &work);
    let alternates = mirror.join("objects/info/alternates");
    fs::create_dir_all(alternates.parent().unwrap()).unwrap();
    for name in ["alternates", "http-alternates"] {
        let file = alternates.with_file_name(name);
        fs::write(
            &file,
            format!("{}\n", other.git_dir().join("objects").display()),
        )
        .unwrap();
        let refused =
            |error: SourceError| assert!(matches!(error, SourceError::Alternates(_)), "{error}");
        refused(open(&mirror).unwrap_err());
        refused(fetch(&mirror, &work.url(), "main", TIME).unwrap_err());
        refused(Mirror::ensure(&mirror, &work.url()).unwrap_err());
        refused(Mirror::open(&mirror).unwrap_err());
        if name == "alternates" {
            assert_eq!(
                succeeds(git(&mirror).args(["cat-file", "-t", &secret])),
                "commit",
                "the trap works"
            );
        }
        fs::remove_file(&file).unwrap();
    }
    open(&mirror).unwrap();
    // A link in its place is one too, also one that leads nowhere.
    std::os::unix::fs::symlink("/nowhere", &alternates).unwrap();
    assert!(open(&mirror).is_err());
}

#[test]
fn a_damaged_object_is_an_error() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("metadata.json", "{}");
    let blob = work.git(&["rev-parse", "HEAD:metadata.json"]);
    let file = work
        .git_dir()
        .join("objects")
        .join(&blob[..2])
        .join(&blob[2..]);
    fs::remove_file(&file).unwrap();
    let repository = open(&work.git_dir()).unwrap();
    let error = read_tree(&repository, &first, &TreeLimits::default()).unwrap_err();
    assert!(error.to_string().contains(&blob), "{error}");
    // Other content under its name is not taken for it.
    let other = work.object("blob", b"[]");
    let from = work
        .git_dir()
        .join("objects")
        .join(&other[..2])
        .join(&other[2..]);
    fs::copy(from, &file).unwrap();
    let mirror = bed.path("mirror.git");
    Mirror::ensure(&mirror, &work.url()).unwrap();
    assert!(fetch(&mirror, &work.url(), "main", TIME).is_err());
    assert!(resolve_ref(&open(&mirror).unwrap(), "main").is_err());
}

#[test]
fn objects_that_git_checks_are_refused_by_a_fetch() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let blob = work.object("blob", b"x");
    for name in [b".git".as_slice(), b"..", b"a/b", b".GIT"] {
        let commit = work.literal(&[("100644", name, &blob)]);
        work.git(&["update-ref", "refs/heads/main", &commit]);
        let mirror = bed.path("mirror.git");
        Mirror::ensure(&mirror, &work.url()).unwrap();
        let error = fetch(&mirror, &work.url(), "main", TIME).unwrap_err();
        assert!(error.to_string().contains("git fetch"), "{error}");
    }
}
