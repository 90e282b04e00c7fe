//! Tests with real repositories, each in its own directory, made by the git command.

mod embedded;
mod fetch;
mod hostile;
mod layer;
mod limits;
mod quarantine;
mod ref_files;
mod tree;
mod url;

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A directory of its own for one test.
pub(super) struct Bed(tempfile::TempDir);

impl Bed {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A repository with a work tree and no commit.
    pub(super) fn repository(&self, name: &str) -> Work {
        let work = Work(self.path(name));
        fs::create_dir(&work.0).unwrap();
        work.git(&["init", "--quiet", "--initial-branch=main"]);
        work
    }

    /// A program that leaves `marker` behind when anything runs it.
    pub(super) fn trap(&self, program: &str, marker: &str) -> PathBuf {
        let marker = self.path(marker);
        let text = format!("#!/bin/sh\n: >'{}'\n", marker.display());
        self.script(program, &text)
    }

    /// An executable file.
    pub(super) fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }
}

/// A repository with a work tree.
pub(super) struct Work(PathBuf);

impl Work {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn git_dir(&self) -> PathBuf {
        self.0.join(".git")
    }

    pub(super) fn url(&self) -> String {
        format!("file://{}", self.0.display())
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        succeeds(git(&self.0).args(arguments))
    }

    pub(super) fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Commits all that is there; returns the id.
    pub(super) fn commit(&self, subject: &str) -> String {
        self.git(&["add", "--all", "--force"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", subject]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes one file and commits it.
    pub(super) fn save(&self, path: &str, content: &str) -> String {
        self.write(path, content.as_bytes());
        self.commit(path)
    }

    /// Stores an object that git itself would refuse to make; returns its id.
    pub(super) fn object(&self, kind: &str, content: &[u8]) -> String {
        let mut command = git(&self.0);
        command.args(["hash-object", "-t", kind, "-w", "--literally", "--stdin"]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        text(child.wait_with_output().unwrap())
    }

    /// A commit of a tree of `(mode, name, object id)` entries, as they are.
    pub(super) fn literal(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut content = Vec::new();
        for (mode, name, id) in entries {
            content.extend_from_slice(format!("{mode} ").as_bytes());
            content.extend_from_slice(name);
            content.push(0);
            let id = gix::ObjectId::from_hex(id.as_bytes()).unwrap();
            content.extend_from_slice(id.as_slice());
        }
        let tree = self.object("tree", &content);
        self.commit_tree(&tree)
    }

    /// A commit of the tree with the id `tree`.
    pub(super) fn commit_tree(&self, tree: &str) -> String {
        self.git(&["commit-tree", "-m", "literal", tree])
    }
}

/// The git command with nobody's configuration.
pub(super) fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).env_clear();
    for (name, value) in [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "A"),
        ("GIT_AUTHOR_EMAIL", "a@example"),
        ("GIT_COMMITTER_NAME", "C"),
        ("GIT_COMMITTER_EMAIL", "c@example"),
    ] {
        command.env(name, value);
    }
    command
}

pub(super) fn succeeds(command: &mut Command) -> String {
    text(command.output().unwrap())
}

/// What a command that must fail writes to standard error.
pub(super) fn fails(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(!output.status.success(), "{command:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn text(output: Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

pub(super) fn append(path: &Path, text: &str) {
    let old = fs::read_to_string(path).unwrap_or_default();
    fs::write(path, old + text).unwrap();
}
