//! What a push brings, read while git waits for the verdict of the real pre-receive hook.

use super::{Bed, git, succeeds};
use crate::source::quarantine::{self, Environment, RefUpdate, parse_receive_lines};
use crate::source::{SourceError, TreeLimits, embedded, is_descendant, read_tree, resolve_ref};
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

/// A push that waits in its pre-receive hook.
struct Waiting {
    bed: Bed,
    path: PathBuf,
    push: Child,
}

impl Waiting {
    /// Pushes a second commit of `files` and waits until the hook has begun.
    fn push(files: &[(&str, &str)]) -> (Self, String, String) {
        let bed = Bed::new();
        let path = bed.path("shop.git");
        let hook = bed.path("hook");
        for name in ["begun", "verdict"] {
            let mode = rustix::fs::Mode::from(0o600);
            rustix::fs::mkfifoat(rustix::fs::CWD, bed.path(name), mode).unwrap();
        }
        bed.script("hook", "#!/bin/sh\n");
        embedded::create(&path, &hook).unwrap();
        let work = bed.repository("work");
        let first = work.save("metadata.json", "{}");
        succeeds(
            git(work.path())
                .args(["push", "--quiet"])
                .arg(&path)
                .arg("main"),
        );
        let text = format!(
            "#!/bin/sh\ncase $0 in *post-receive) exit;; esac\ncd '{}'\ncat >lines\n\
             printf %s \"$GIT_OBJECT_DIRECTORY\" >objects\nprintf %s \"$GIT_ALTERNATE_OBJECT_DIRECTORIES\" >alternates\n\
             echo >begun\nread verdict <verdict\nexit $verdict\n",
            bed.path("").display()
        );
        bed.script("hook", &text);
        for (name, content) in files {
            work.write(name, content.as_bytes());
        }
        let second = work.commit("second");
        let mut command = git(work.path());
        command
            .args(["push", "--quiet"])
            .arg(&path)
            .arg("main")
            .stderr(Stdio::null());
        let push = command.spawn().unwrap();
        fs::read(bed.path("begun")).unwrap();
        (Self { bed, path, push }, first, second)
    }

    fn environment(&self) -> Environment {
        let variable = |name: &str| fs::read_to_string(self.bed.path(name)).unwrap();
        Environment::from(|name| match name {
            "GIT_OBJECT_DIRECTORY" => Some(variable("objects").into()),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES" => Some(variable("alternates").into()),
            _ => None,
        })
        .unwrap()
    }

    fn scratch(&self) -> PathBuf {
        self.bed.path("scratch")
    }

    /// Lets the hook end with `code` and the push with it.
    fn verdict(&mut self, code: u8) {
        fs::write(self.bed.path("verdict"), format!("{code}\n")).unwrap();
        assert_eq!(self.push.wait().unwrap().success(), code == 0);
    }
}

#[test]
fn a_push_is_read_before_it_is_accepted() {
    let (mut waiting, first, second) = Waiting::push(&[
        ("metadata.json", "{ }"),
        ("containers/web/config.yaml", "boot: true\n"),
    ]);
    let lines = fs::read(waiting.bed.path("lines")).unwrap();
    let updates = parse_receive_lines(lines.as_slice()).unwrap();
    let expected = RefUpdate {
        old: Some(first.clone()),
        new: Some(second.clone()),
        name: "refs/heads/main".into(),
    };
    assert_eq!(updates, [expected]);
    let before = all_files(&waiting.path);
    let push = quarantine::open(&waiting.path, &waiting.environment(), &waiting.scratch()).unwrap();
    let reading = read_tree(&push, &second, &TreeLimits::default()).unwrap();
    let paths: Vec<_> = reading.tree.entries.keys().collect();
    assert_eq!(paths, ["containers/web/config.yaml", "metadata.json"]);
    assert!(is_descendant(&push, &first, &second).unwrap());
    let scratch = push.path().to_owned();
    assert!(scratch.starts_with(waiting.scratch()));
    drop(push);
    assert!(!scratch.exists());
    // Reading has not touched the repository, where the commit is not known yet.
    assert_eq!(all_files(&waiting.path), before);
    assert_eq!(
        resolve_ref(&crate::source::open(&waiting.path).unwrap(), "main")
            .unwrap()
            .id,
        first
    );
    waiting.verdict(0);
}

#[test]
fn a_refused_push_leaves_nothing() {
    let (mut waiting, first, second) = Waiting::push(&[("a", "1")]);
    let push = quarantine::open(&waiting.path, &waiting.environment(), &waiting.scratch()).unwrap();
    assert!(read_tree(&push, &second, &TreeLimits::default()).is_ok());
    drop(push);
    waiting.verdict(1);
    let repository = crate::source::open(&waiting.path).unwrap();
    assert!(read_tree(&repository, &second, &TreeLimits::default()).is_err());
    assert_eq!(resolve_ref(&repository, "main").unwrap().id, first);
}

#[test]
fn the_variables_must_belong_to_the_repository() {
    let (mut waiting, ..) = Waiting::push(&[("a", "1")]);
    let right = waiting.environment();
    let other = waiting.bed.repository("other");
    other.save("secret", "1");
    let foreign = other.git_dir().join("objects");
    let open = |objects: &Path, alternates: OsString| {
        let environment = Environment {
            objects: objects.to_owned(),
            alternates,
        };
        quarantine::open(&waiting.path, &environment, &waiting.scratch())
    };
    assert!(open(&right.objects, right.alternates.clone()).is_ok());
    assert!(open(&foreign, right.alternates.clone()).is_err());
    assert!(open(&right.objects, foreign.clone().into()).is_err());
    let mut both = right.alternates.clone();
    both.push(":");
    both.push(&foreign);
    assert!(open(&right.objects, both).is_err());
    // A link in the repository that leads elsewhere is no quarantine of it.
    symlink(&foreign, waiting.path.join("objects/incoming-x")).unwrap();
    assert!(open(Path::new("objects/incoming-x"), right.alternates.clone()).is_err());
    assert!(open(Path::new("objects"), right.alternates.clone()).is_err());
    // The scratch directories of all are gone.
    assert_eq!(fs::read_dir(waiting.scratch()).unwrap().count(), 0);
    waiting.verdict(0);
}

#[test]
fn a_quarantine_with_alternates_of_its_own_is_refused() {
    let (mut waiting, ..) = Waiting::push(&[("a", "1")]);
    let environment = waiting.environment();
    let info = waiting.path.join(&environment.objects).join("info");
    fs::create_dir_all(&info).unwrap();
    let other = waiting.bed.repository("other");
    let secret = other.save("secret", "1");
    fs::write(
        info.join("alternates"),
        format!("{}\n", other.git_dir().join("objects").display()),
    )
    .unwrap();
    let read = quarantine::open(&waiting.path, &environment, &waiting.scratch())
        .and_then(|push| read_tree(&push, &secret, &TreeLimits::default()));
    assert!(matches!(read, Err(SourceError::Alternates(_))), "{read:?}");
    waiting.verdict(1);
}

#[test]
fn outside_of_a_hook_there_is_nothing_to_read() {
    assert!(Environment::from(|_| None).is_err());
}

#[test]
fn lines_of_another_form_are_refused() {
    let (a, b, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
    let parse = |text: &str| parse_receive_lines(text.as_bytes());
    let updates = parse(&format!(
        "{zero} {a} refs/heads/new\n{a} {zero} refs/tags/gone\n"
    ))
    .unwrap();
    assert_eq!(
        (updates[0].old.as_ref(), updates[1].new.as_ref()),
        (None, None)
    );
    assert_eq!(parse("").unwrap(), []);
    for line in [
        format!("{a} {b}\n"),
        format!("{a} {b} refs/heads/x"),
        format!("{a} x refs/heads/x\n"),
        format!("{a}  {b} refs/heads/x\n"),
        format!("{a} {b} refs/heads/../x\n"),
        format!("{a} {b} -x\n"),
        format!("{a} {b} refs/heads/a b\n"),
        format!("{a} {b} refs/heads/{}\n", "x".repeat(9000)),
    ] {
        assert!(parse(&line).is_err(), "{line}");
    }
    let many: String = (0..1001)
        .map(|n| format!("{a} {b} refs/heads/{n}\n"))
        .collect();
    assert!(parse(&many).is_err());
    assert!(parse_receive_lines(b"\xff\xfe\n".as_slice()).is_err());
}

fn all_files(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
            files.push(entry.path());
        }
    }
    files.sort();
    files
}
