//! Moving refs, and what a remote may not do.

use super::{Bed, Work, fails, git, succeeds};
use crate::source::{
    Fetched, Mirror, SourceError, fetch, is_descendant, open, read_commit, resolve_ref,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

const TIME: Duration = Duration::from_secs(60);

fn mirror(bed: &Bed, work: &Work) -> PathBuf {
    let path = bed.path("mirror.git");
    Mirror::ensure(&path, &work.url()).unwrap();
    path
}

fn get(mirror: &Path, work: &Work, reference: &str) -> Result<Fetched, SourceError> {
    fetch(mirror, &work.url(), reference, TIME)
}

fn fetched(moved: bool, commit: &str) -> Fetched {
    Fetched {
        moved,
        commit: commit.to_owned(),
    }
}

#[test]
fn a_branch_is_new_then_unmoved_then_moved() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("metadata.json", "{}");
    let mirror = mirror(&bed, &work);
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(true, &first));
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(false, &first));
    let second = work.save("metadata.json", "{ }");
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(true, &second));
    let repository = open(&mirror).unwrap();
    assert!(is_descendant(&repository, &first, &second).unwrap());
    assert!(!is_descendant(&repository, &second, &first).unwrap());
    assert!(is_descendant(&repository, &first, &first).unwrap());
    let commit = resolve_ref(&repository, "main").unwrap();
    assert_eq!(
        (commit.id.as_str(), commit.subject.as_str()),
        (second.as_str(), "metadata.json")
    );
    assert_eq!(
        (commit.author.as_str(), commit.committer.as_str()),
        ("A <a@example>", "C <c@example>")
    );
}

#[test]
fn what_a_killed_fetch_left_is_in_nobodys_way() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirror(&bed, &work);
    get(&mirror, &work, "main").unwrap();
    let left = [
        "packed-refs.lock",
        "refs/heads/main.lock",
        "objects/pack/tmp_pack_abcdef",
        "objects/ab/tmp_obj_abcdef",
    ];
    for path in left {
        fs::create_dir_all(mirror.join(path).parent().unwrap()).unwrap();
        fs::write(mirror.join(path), "").unwrap();
    }
    let second = work.save("a", "2");
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(true, &second));
    for path in left {
        assert!(!mirror.join(path).exists(), "{path}");
    }
}

#[test]
fn an_unmoved_ref_starts_no_process() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("a", "1");
    let mirror = mirror(&bed, &work);
    get(&mirror, &work, "main").unwrap();
    // No git command can fetch within no time.
    let again = fetch(&mirror, &work.url(), "main", Duration::ZERO).unwrap();
    assert_eq!(again, fetched(false, &first));
    // Packed refs are looked at as well.
    work.git(&["pack-refs", "--all"]);
    let again = fetch(&mirror, &work.url(), "main", Duration::ZERO).unwrap();
    assert_eq!(again, fetched(false, &first));
}

#[test]
fn a_forced_ref_moves_and_is_no_descendant() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("a", "1");
    let old = work.save("a", "2");
    let mirror = mirror(&bed, &work);
    get(&mirror, &work, "main").unwrap();
    work.git(&["reset", "--quiet", "--hard", &first]);
    let new = work.save("a", "3");
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(true, &new));
    let repository = open(&mirror).unwrap();
    assert!(!is_descendant(&repository, &old, &new).unwrap());
    assert!(is_descendant(&repository, &first, &new).unwrap());
    // The deployed commit stays readable, and an unknown one has no descendants.
    assert_eq!(read_commit(&repository, &old).unwrap().id, old);
    assert!(!is_descendant(&repository, &"1".repeat(40), &new).unwrap());
}

#[test]
fn an_unrelated_history_is_no_descendant() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let old = work.save("a", "1");
    let mirror = mirror(&bed, &work);
    get(&mirror, &work, "main").unwrap();
    work.git(&["checkout", "--quiet", "--orphan", "other"]);
    work.save("b", "2");
    work.git(&["branch", "--force", "main", "other"]);
    let now = get(&mirror, &work, "main").unwrap();
    assert!(now.moved);
    assert!(!is_descendant(&open(&mirror).unwrap(), &old, &now.commit).unwrap());
}

#[test]
fn a_pinned_commit_never_moves() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("a", "1");
    work.save("a", "2");
    let mirror = mirror(&bed, &work);
    assert_eq!(get(&mirror, &work, &first).unwrap(), fetched(true, &first));
    work.save("a", "3");
    assert_eq!(get(&mirror, &work, &first).unwrap(), fetched(false, &first));
    let missing = "1".repeat(40);
    let error = get(&mirror, &work, &missing).unwrap_err();
    assert!(
        matches!(error, SourceError::NoRemoteReference { .. }),
        "{error}"
    );
}

#[test]
fn tags_are_followed_to_their_commit() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("a", "1");
    work.git(&["tag", "light"]);
    work.git(&["tag", "-a", "-m", "x", "v1"]);
    work.git(&["tag", "-a", "-m", "x", "of-tag", "v1"]);
    let second = work.save("a", "2");
    let mirror = mirror(&bed, &work);
    for tag in ["light", "v1", "of-tag", "refs/tags/v1"] {
        assert!(get(&mirror, &work, tag).unwrap().moved, "{tag}");
        assert_eq!(
            get(&mirror, &work, tag).unwrap(),
            fetched(false, &first),
            "{tag}"
        );
        if tag == "v1" {
            // The full name is the same ref.
            fs::remove_file(mirror.join("refs/tags/v1")).unwrap();
        }
    }
    // A branch wins over a tag of its name.
    work.git(&["branch", "v1"]);
    assert_eq!(get(&mirror, &work, "v1").unwrap(), fetched(true, &second));
    // A tag that is moved is seen.
    work.git(&["tag", "--force", "light"]);
    assert_eq!(
        get(&mirror, &work, "light").unwrap(),
        fetched(true, &second)
    );
    work.git(&["tag", "blob", "HEAD:a"]);
    assert!(get(&mirror, &work, "blob").is_err());
}

#[test]
fn a_missing_ref_is_named() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirror(&bed, &work);
    let error = get(&mirror, &work, "mian").unwrap_err().to_string();
    assert!(
        error.ends_with("has no branch, tag or commit \"mian\""),
        "{error}"
    );
    let nowhere = format!("file://{}", bed.path("nowhere").display());
    let error = fetch(&mirror, &nowhere, "main", TIME)
        .unwrap_err()
        .to_string();
    assert!(error.contains("nowhere"), "{error}");
    for reference in [
        "",
        "-x",
        "@",
        "main~1",
        "a..b",
        "HEAD^",
        "a b",
        "a:b",
        "refs/heads/../x",
    ] {
        let error = get(&mirror, &work, reference).unwrap_err();
        assert!(
            matches!(error, SourceError::Reference(_)),
            "{reference}: {error}"
        );
    }
}

#[test]
fn only_the_wanted_ref_is_fetched() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    work.git(&["branch", "secret"]);
    work.git(&["tag", "-a", "-m", "x", "v1"]);
    work.git(&["update-ref", "refs/notes/x", "HEAD"]);
    let mirror = mirror(&bed, &work);
    get(&mirror, &work, "main").unwrap();
    let refs = succeeds(git(&mirror).args(["for-each-ref", "--format=%(refname)"]));
    assert_eq!(refs, "refs/heads/main");
}

#[test]
fn refused_transports_run_nothing() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirror(&bed, &work);
    let marker = bed.path("marker");
    let evil = format!("ext::sh -c touch% {}", marker.display());
    for url in [evil.as_str(), "http://127.0.0.1:1/x", "git://127.0.0.1:1/x"] {
        let error = fetch(&mirror, url, "main", TIME).unwrap_err();
        assert!(matches!(error, SourceError::Url { .. }), "{error}");
        assert!(Mirror::ensure(&bed.path("other.git"), url).is_err());
    }
    // Git refuses them too, when a configuration rewrites an accepted URL.
    let config = format!(
        "[url \"{evil}\"]\n\tinsteadOf = https://git.example/\n[protocol \"ext\"]\n\tallow = always\n"
    );
    super::append(&mirror.join("config"), &config);
    let error = fetch(&mirror, "https://git.example/", "main", TIME)
        .unwrap_err()
        .to_string();
    assert!(error.contains("transport 'ext' not allowed"), "{error}");
    assert!(!marker.exists());
    fails(git(&mirror).args([
        "-c",
        "protocol.ext.allow=always",
        "fetch",
        "https://git.example/",
    ]));
    assert!(marker.exists(), "the trap works when git is not held");
}

#[test]
fn a_local_repository_of_somebody_else_is_refused() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let mirror = mirror(&bed, &work);
    std::os::unix::fs::chown(work.git_dir(), Some(12345), None).unwrap();
    let error = get(&mirror, &work, "main").unwrap_err();
    assert!(
        matches!(error, SourceError::Ownership { uid: 12345, .. }),
        "{error}"
    );
}

#[test]
fn a_bare_remote_and_a_linked_work_tree_are_remotes() {
    let bed = Bed::new();
    let work = bed.repository("work");
    let first = work.save("a", "1");
    let mirror = mirror(&bed, &work);
    work.git(&["worktree", "add", "--quiet", "-b", "side", "../linked"]);
    let linked = format!("file://{}", bed.path("linked").display());
    assert_eq!(
        fetch(&mirror, &linked, "side", TIME).unwrap(),
        fetched(true, &first)
    );
    assert_eq!(
        fetch(&mirror, &linked, "side", TIME).unwrap(),
        fetched(false, &first)
    );
    succeeds(git(&bed.path("")).args(["clone", "--quiet", "--bare", "work", "bare.git"]));
    let bare = format!("file://{}", bed.path("bare.git").display());
    assert_eq!(
        fetch(&mirror, &bare, "main", TIME).unwrap(),
        fetched(true, &first)
    );
}

#[test]
fn a_remote_with_reftables_is_a_remote() {
    let bed = Bed::new();
    let work = Work(bed.path("work"));
    let made = git(&bed.path(""))
        .args(["init", "-q", "-b", "main", "--ref-format=reftable", "work"])
        .output()
        .unwrap();
    if !made.status.success() {
        return; // git before 2.45
    }
    let first = work.save("a", "1");
    let mirror = mirror(&bed, &work);
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(true, &first));
    assert_eq!(get(&mirror, &work, "main").unwrap(), fetched(false, &first));
}

#[test]
fn a_mirror_is_made_once_and_kept() {
    let bed = Bed::new();
    let work = bed.repository("work");
    work.save("a", "1");
    let path = mirror(&bed, &work);
    get(&path, &work, "main").unwrap();
    super::append(&path.join("config"), "[core]\n\tsshCommand = touch x\n");
    let again = Mirror::ensure(&path, &work.url()).unwrap();
    assert!(
        !fs::read_to_string(path.join("config"))
            .unwrap()
            .contains("sshCommand")
    );
    assert_eq!(Mirror::open(&path).unwrap(), again);
    assert_eq!(again.url().as_str(), work.url());
    assert!(resolve_ref(&open(&path).unwrap(), "main").is_ok());
    // `git fetch` by hand, as the manual says, works on it.
    work.save("a", "2");
    succeeds(git(&path).args(["fetch", "--quiet"]));
    assert_eq!(
        succeeds(git(&path).args(["rev-parse", "main"])),
        work.git(&["rev-parse", "main"])
    );
    // What is not a repository is left alone.
    fs::create_dir(bed.path("data")).unwrap();
    fs::write(bed.path("data/keep"), "x").unwrap();
    assert!(Mirror::ensure(&bed.path("data"), &work.url()).is_err());
    assert!(bed.path("data/keep").exists());
}
