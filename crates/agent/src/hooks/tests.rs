//! Real pushes: Git runs a hook that starts this test program again, with the one test [`as_hook`].

use super::pre_receive::{Push, judge};
use super::{Place, Source};
use crate::console::Console;
use bitbuilder_core::finding::{Finding, Origin};
use bitbuilder_core::model::Name;
use bitbuilder_host::paths::HostRoot;
use bitbuilder_host::reconcile::{Preview, embedded_url};
use bitbuilder_host::source::quarantine::{Environment, parse_receive_lines};
use bitbuilder_host::source::{Reading, Repository, TreeLimits, embedded, read_tree};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Set for the hook: root of the host.
const ROOT: &str = "BITBUILDER_TEST_ROOT";
/// Set for the hook: the repository that the registry says, if not this one.
const REPOSITORY: &str = "BITBUILDER_TEST_REPOSITORY";

/// The hook's side; nothing when it is run as a test.
#[test]
fn as_hook() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let root = HostRoot::new(root);
    let updates = parse_receive_lines(std::io::stdin().lock()).unwrap();
    let directory = std::env::current_dir().unwrap();
    let (place, repository) = Place::of(&root, &directory).unwrap();
    let url = embedded_url(place.id());
    let source = Source {
        repository: std::env::var(REPOSITORY).unwrap_or(url),
        reference: "main".into(),
    };
    let push = Push {
        place: &place,
        repository: &repository,
        environment: Environment::from(|name| std::env::var_os(name)).ok(),
        scratch: &root.runtime(),
    };
    let console = Console::stdout();
    let preview = |repository: &Repository, commit: &str| {
        let reading = read_tree(repository, commit, &TreeLimits::default())?;
        Ok(compile(&reading))
    };
    let judged = judge(&push, &source, &updates, &preview, &console);
    if let Err(failure) = judged {
        failure.report(&Console::stderr());
        std::process::exit(i32::from(failure.code()));
    }
}

/// A compiler that dislikes the file `bad` and warns of the file `odd`.
fn compile(reading: &Reading) -> Preview {
    let mut findings = Vec::new();
    for path in reading.tree.entries.keys() {
        match path.as_str() {
            "bad" => findings.push(Finding::error(Origin::file(path), "bad", "it is bad")),
            "odd" => findings.push(Finding::warning(Origin::file(path), "odd", "it is odd")),
            _ => {}
        }
    }
    Preview {
        findings,
        ..Preview::default()
    }
}

/// An embedded repository of tenant `shop`, and a clone that pushes to it.
struct Case {
    directory: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let hook = directory.path().join("hook");
        let program = std::env::current_exe().unwrap();
        let script = format!(
            "#!/bin/sh\ncase $0 in *pre-receive) exec {program:?} --exact hooks::tests::as_hook --nocapture;; esac\n"
        );
        fs::write(&hook, script).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        let case = Self {
            variables: vec![(ROOT, directory.path().display().to_string())],
            directory,
        };
        embedded::create(&case.repository(), &hook).unwrap();
        fs::create_dir_all(case.root().runtime()).unwrap();
        case.git(&["init", "-q", "-b", "main"]);
        case
    }

    fn root(&self) -> HostRoot {
        HostRoot::new(self.directory.path())
    }

    fn repository(&self) -> PathBuf {
        self.root().embedded("shop")
    }

    fn commit(&self, file: &str) {
        fs::write(self.clone().join(file), "text").unwrap();
        self.git(&["add", "."]);
        self.git(&["commit", "-q", "-m", file]);
    }

    fn clone(&self) -> PathBuf {
        let clone = self.directory.path().join("clone");
        fs::create_dir_all(&clone).unwrap();
        clone
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=t", "-c", "user.email=t@example"])
            .args(arguments)
            .current_dir(self.clone())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NO_COLOR", "1")
            .envs(self.variables.iter().cloned());
        command.output().unwrap()
    }

    fn git(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    }

    /// Whether a push was accepted, and what the person who pushes saw.
    fn push(&self, references: &[&str]) -> (bool, String) {
        let url = self.repository().display().to_string();
        let mut arguments = vec!["push", url.as_str()];
        arguments.extend(references);
        let output = self.run(&arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let left = fs::read_dir(self.root().runtime()).unwrap().count();
        assert_eq!(left, 0, "scratch directories stay: {text}");
        (output.status.success(), text)
    }
}

#[track_caller]
fn assert_has(text: &str, wanted: &str) {
    assert!(text.contains(wanted), "`{wanted}` is not in:\n{text}");
}

#[test]
fn what_is_wrong_is_said_and_refused() {
    let case = Case::new();
    case.commit("odd");
    let (accepted, text) = case.push(&["main"]);
    assert!(accepted, "{text}");
    assert_has(&text, "remote: warning[odd]: it is odd");

    case.commit("bad");
    let (accepted, text) = case.push(&["main"]);
    assert!(!accepted, "{text}");
    assert_has(&text, "remote: error[bad]: it is bad");
    assert_has(&text, "is refused; what runs goes on unchanged");
    assert_has(&text, "next: correct what is said above");
}

#[test]
fn the_deployed_ref_only_moves_forward() {
    let case = Case::new();
    case.commit("a");
    case.commit("b");
    assert!(case.push(&["main"]).0);
    case.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let (accepted, text) = case.push(&["+main"]);
    assert!(!accepted, "{text}");
    assert_has(&text, "force pushes are refused");
    assert_has(&text, "git revert");
    let (accepted, text) = case.push(&[":main"]);
    assert!(!accepted, "{text}");
    assert_has(&text, "cannot be deleted");
}

#[test]
fn other_refs_are_kept() {
    let case = Case::new();
    case.commit("bad");
    let (accepted, text) = case.push(&["main:dev"]);
    assert!(accepted, "{text}");
    assert_has(
        &text,
        "refs/heads/dev is kept here; only `main` is deployed",
    );
}

#[test]
fn a_push_to_an_unused_repository_says_so() {
    let mut case = Case::new();
    let elsewhere = "https://git.example/shop".to_owned();
    case.variables.push((REPOSITORY, elsewhere));
    case.commit("bad");
    let (accepted, text) = case.push(&["main"]);
    assert!(accepted, "{text}");
    assert_has(
        &text,
        "tenant shop is deployed from https://git.example/shop",
    );
}

#[test]
fn only_repositories_of_the_host_have_hooks() {
    let case = Case::new();
    let root = case.root();
    let (place, _) = Place::of(&root, &case.repository()).unwrap();
    assert_eq!(place, Place::Tenant(Name::new("shop").unwrap()));
    let refused = |path: &Path| Place::of(&root, path).is_err();
    assert!(refused(&case.clone()));
    assert!(refused(&case.repository().join("objects")));
    fs::create_dir(root.join("/var/lib/bitbuilder/git/No.git")).unwrap();
    assert!(refused(&root.join("/var/lib/bitbuilder/git/No.git")));
}
