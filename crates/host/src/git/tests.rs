//! The git command held by its limits and its fixed environment.

use super::environment::{self, Access};
use super::invocation::Limits;
use super::run;
use super::version::{self, Version};
use super::{GitError, Invocation};
use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

fn sh(script: &str, limits: &Limits) -> Result<Vec<u8>, GitError> {
    run::run(
        run::limited("sh", limits),
        "git pretended",
        limits,
        &["-c", script],
    )
}

fn within(time: Duration) -> Limits {
    Limits {
        time,
        ..Limits::default()
    }
}

#[test]
fn version_is_read_and_compared() {
    assert_eq!(version::parse("git version 2.47.3\n"), Some(Version(2, 47)));
    assert_eq!(
        version::parse("git version 2.30.2 (Apple)"),
        Some(Version(2, 30))
    );
    assert_eq!(version::parse("hg 6"), None);
    assert!(version::accept("git version 2.30.0").is_ok());
    let old = version::accept("git version 2.29.9").unwrap_err();
    assert_eq!(old.to_string(), "git 2.30 or later is needed; this is 2.29");
}

#[test]
fn a_process_that_hangs_is_killed_with_its_children() {
    let bed = tempfile::tempdir().unwrap();
    let fifo = bed.path().join("fifo");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, rustix::fs::Mode::from(0o600)).unwrap();
    // Parent and child hold the FIFO open for writing and ignore what can be ignored.
    let script = format!(
        "trap '' TERM HUP INT; exec 3>'{}'; (trap '' TERM HUP; sleep 1000) & wait",
        fifo.display()
    );
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        std::fs::File::open(fifo).unwrap().read_to_end(&mut all)
    });
    let error = sh(&script, &within(Duration::from_millis(300))).unwrap_err();
    assert!(matches!(error, GitError::TimeLimit { .. }), "{error}");
    // The end of the file is only seen when nobody holds it any more.
    assert_eq!(reader.join().unwrap().unwrap(), 0);
}

#[test]
fn a_remote_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/x", listener.local_addr().unwrap());
    let bed = tempfile::tempdir().unwrap();
    let waiting = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut hello = Vec::new();
        // Ends when the process behind the connection is gone.
        let _ = connection.read_to_end(&mut hello);
        hello.len()
    });
    let error = Invocation::new("ls-remote")
        .repository(bed.path())
        .args(["--end-of-options", &url])
        .limits(within(Duration::from_secs(2)))
        .run()
        .unwrap_err();
    assert!(matches!(error, GitError::TimeLimit { .. }), "{error}");
    assert!(waiting.join().unwrap() > 0, "it had connected");
}

#[test]
fn too_much_output_ends_the_process() {
    let limits = Limits {
        output: 1000,
        ..Limits::default()
    };
    let error = sh("exec yes", &limits).unwrap_err();
    assert!(
        matches!(error, GitError::OutputLimit { limit: 1000, .. }),
        "{error}"
    );
    assert_eq!(sh("printf %01000d 0", &limits).unwrap().len(), 1000);
    assert!(sh("printf %01001d 0", &limits).is_err());
}

#[test]
fn a_file_that_grows_too_large_ends_the_process() {
    let bed = tempfile::tempdir().unwrap();
    let limits = Limits {
        file: 1 << 16,
        ..Limits::default()
    };
    let script = format!("yes >'{}/file'", bed.path().display());
    let error = sh(&script, &limits).unwrap_err();
    assert!(!matches!(error, GitError::TimeLimit { .. }), "{error}");
    assert!(bed.path().join("file").metadata().unwrap().len() <= 1 << 16);
}

#[test]
fn memory_is_limited() {
    let limits = Limits {
        memory: 64 << 20,
        ..Limits::default()
    };
    let error = sh(
        "x=$(head -c 200000000 /dev/zero | tr '\\0' x); echo ${#x}",
        &limits,
    );
    assert!(error.is_err(), "{error:?}");
}

#[test]
fn the_end_of_the_message_is_kept() {
    let script = "yes filler | head -n 100000 >&2; echo >&2 last; exit 3";
    match sh(script, &Limits::default()).unwrap_err() {
        GitError::Failed {
            message, status, ..
        } => {
            assert!(message.ends_with("last") && message.len() <= 4096);
            assert_eq!(status.code(), Some(3));
        }
        other => panic!("{other}"),
    }
}

#[test]
fn standard_input_is_empty() {
    assert_eq!(sh("cat", &Limits::default()).unwrap(), b"");
}

#[test]
fn nothing_is_inherited() {
    let command = Invocation::new("-c")
        .args(["alias.env=!env", "env"])
        .run()
        .unwrap();
    let text = String::from_utf8(command).unwrap();
    for line in text.lines() {
        let name = line.split('=').next().unwrap();
        let known = environment::VARIABLES
            .iter()
            .any(|(known, _)| *known == name)
            || name.starts_with("GIT_")
            || ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name);
        assert!(known, "{line}");
    }
    assert!(
        text.contains("GIT_ALLOW_PROTOCOL=file:https:ssh\n"),
        "{text}"
    );
    assert!(text.contains("HOME=/nonexistent\n"), "{text}");
}

#[test]
fn paths_of_keys_are_quoted_for_the_shell() {
    let access = Access {
        ssh_key: Some(Path::new("/a b/$(touch x)'key").to_owned()),
        known_hosts: Some(Path::new("/h;ls").to_owned()),
        ca_bundle: None,
        credentials: Some(Path::new("/c'd").to_owned()),
    };
    let helper = environment::credential_helper(&access).unwrap();
    assert_eq!(helper, "store --file='/c'\\''d'");
    let command = environment::ssh_command(&access);
    let command = command.to_str().unwrap();
    assert!(
        command.contains("-i '/a b/$(touch x)'\\''key'"),
        "{command}"
    );
    assert!(command.contains("UserKnownHostsFile='/h;ls'"), "{command}");
    assert!(command.starts_with("ssh -F /dev/null"), "{command}");
}
