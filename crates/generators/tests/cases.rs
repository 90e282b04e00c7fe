//! A directory of `tests/cases/generators/` is a test case: `root/`, the files of a host, and `expected`, the links and
//! messages of both generators. `BLESS=1` rewrites `expected`.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod harness;

use harness::run;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bitbuilder_generators::Generator;

/// Root of the source tree.
fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What both generators do on the host at `root`, as text.
fn listing(root: &Path) -> String {
    let mut text = String::new();
    for generator in [Generator::Tenant, Generator::Mount] {
        let (links, messages) = run(generator, root);
        let _ = writeln!(text, "{}", generator.program());
        for (link, target) in links {
            let _ = writeln!(text, "  {link} -> {target}");
        }
        for message in messages {
            let _ = writeln!(text, "  <4>{message}");
        }
    }
    text
}

fn directories(of: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(repository().join(of))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn stored_cases() {
    let mut wrong = String::new();
    for case in directories("tests/cases/generators") {
        let made = listing(&case.join("root"));
        let expected = case.join("expected");
        if std::env::var("BLESS").is_ok() {
            fs::write(&expected, &made).unwrap();
        }
        let stored = fs::read_to_string(&expected).unwrap_or_default();
        if made != stored {
            let _ = writeln!(
                wrong,
                "{}\n--- stored\n{stored}--- made\n{made}",
                case.display()
            );
        }
    }
    assert!(wrong.is_empty(), "BLESS=1 rewrites:\n{wrong}");
}

/// The renderer and the generators agree: every line of every stored rendering is placed.
#[test]
fn everything_that_is_rendered() {
    let mut cases = directories("tests/cases/render");
    // Some are of networks only, and say nothing of the boot.
    cases.retain(|case| case.join("expected/mount-boot").exists());
    assert!(!cases.is_empty());
    for case in cases {
        let generation = case.join("expected");
        let boot = fs::read_to_string(generation.join("boot")).unwrap();
        let id = boot
            .lines()
            .find_map(|line| line.strip_prefix("tenant@")?.split_once(".service.d\t"))
            .unwrap()
            .0;
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("var/lib/tenants").join(id);
        fs::create_dir_all(&home).unwrap();
        symlink(&generation, home.join("current")).unwrap();
        registry(root.path(), &format!(r#"{{"tenants":[{{"id":"{id}"}}]}}"#));
        for (generator, file) in [
            (Generator::Tenant, "boot"),
            (Generator::Mount, "mount-boot"),
        ] {
            let (links, messages) = run(generator, root.path());
            assert_eq!(messages, Vec::<String>::new(), "{}", case.display());
            let text = fs::read_to_string(generation.join(file)).unwrap();
            let links: String = links
                .iter()
                .map(|(link, target)| {
                    let own = format!("/var/lib/tenants/{id}/current/");
                    format!("{link}\t{}\n", target.strip_prefix(&own).unwrap_or(target))
                })
                .collect();
            assert_eq!(links, text, "{}", case.display());
        }
    }
}

fn registry(root: &Path, text: &str) {
    let path = root.join("var/lib/bitbuilder/tenants.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A host with the enabled tenants `a` and `b`, where `boot` is the file of `a`, and `b` is well.
fn beside_b(make: impl FnOnce(&Path)) -> (Vec<(String, String)>, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    registry(root.path(), r#"{"tenants":[{"id":"a"},{"id":"b"}]}"#);
    for id in ["a", "b"] {
        let home = root.path().join("var/lib/tenants").join(id);
        fs::create_dir_all(home.join("generations/1/system")).unwrap();
        symlink("generations/1", home.join("current")).unwrap();
        let slice = format!("tenant-{id}.slice");
        fs::write(home.join("current/system").join(&slice), "").unwrap();
        fs::write(
            home.join("current/boot"),
            format!("{slice}\tsystem/{slice}\n"),
        )
        .unwrap();
    }
    let file = root.path().join("var/lib/tenants/a/current/boot");
    fs::remove_file(&file).unwrap();
    make(&file);
    run(Generator::Tenant, root.path())
}

fn only_b(make: impl FnOnce(&Path)) -> String {
    let (links, mut messages) = beside_b(make);
    let slice = "tenant-b.slice".to_owned();
    let target = format!("/var/lib/tenants/b/current/system/{slice}");
    assert_eq!(links, [(slice, target)]);
    assert_eq!(messages.len(), 1, "{messages:?}");
    messages.remove(0)
}

#[test]
fn a_fifo_does_not_block() {
    let message = only_b(|file| {
        rustix::fs::mkfifoat(rustix::fs::CWD, file, rustix::fs::Mode::RWXU).unwrap();
    });
    assert!(message.contains("Invalid argument"), "{message}");
}

#[test]
fn a_link_is_not_followed() {
    let message = only_b(|file| symlink("/etc/passwd", file).unwrap());
    assert!(message.contains("symbolic links"), "{message}");
}

#[test]
fn a_directory_is_not_a_file() {
    let message = only_b(|file| fs::create_dir(file).unwrap());
    assert!(message.contains("Is a directory"), "{message}");
}

#[test]
fn a_file_without_end_is_not_read_to_its_end() {
    let message = only_b(|file| {
        let file = fs::File::create(file).unwrap();
        file.set_len(1 << 40).unwrap();
    });
    assert!(message.contains("File too large"), "{message}");
}

#[test]
fn bytes_that_are_no_text() {
    let message =
        only_b(|file| fs::write(file, b"tenant-a.slice\tsystem/tenant-a.slice\n\xff\n").unwrap());
    assert!(message.contains("line 2: it is not UTF-8"), "{message}");
}

#[test]
fn a_registry_without_end() {
    let root = tempfile::tempdir().unwrap();
    registry(root.path(), "");
    let path = root.path().join("var/lib/bitbuilder/tenants.json");
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(1 << 40).unwrap();
    let (links, messages) = run(Generator::Tenant, root.path());
    assert!(links.is_empty());
    assert!(messages[0].contains("File too large"), "{messages:?}");
}

/// All are placed, and what is damaged is reported in the order of the registry.
#[test]
fn many_tenants() {
    let root = tempfile::tempdir().unwrap();
    let ids: Vec<String> = (0..200).map(|index| format!("t{index}")).collect();
    let list: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
    registry(
        root.path(),
        &format!(r#"{{"tenants":[{}]}}"#, list.join(",")),
    );
    for (index, id) in ids.iter().enumerate() {
        let home = root.path().join("var/lib/tenants").join(id);
        fs::create_dir_all(home.join("current")).unwrap();
        let wants = "/usr/lib/systemd/system/tenant@.service";
        let text = format!(
            "multi-user.target.wants/tenant@{id}.service\t{wants}\ntenant-{id}.slice\tsystem/tenant-{id}.slice\n"
        );
        let whole = if index % 10 == 3 {
            text.len() - 1
        } else {
            text.len()
        };
        fs::write(home.join("current/boot"), &text[..whole]).unwrap();
    }
    let (links, messages) = run(Generator::Tenant, root.path());
    assert_eq!(links.len(), 180 * 2);
    let named: Vec<&str> = messages
        .iter()
        .filter_map(|m| m.split(':').next())
        .collect();
    let damaged: Vec<&String> = ids.iter().skip(3).step_by(10).collect();
    assert_eq!(named, damaged);
}

#[test]
fn what_other_generators_made_stays() {
    let root = tempfile::tempdir().unwrap();
    registry(root.path(), r#"{"tenants":[{"id":"a"}]}"#);
    let home = root.path().join("var/lib/tenants/a");
    fs::create_dir_all(home.join("current/system")).unwrap();
    fs::write(home.join("current/system/tenant-a.slice"), "").unwrap();
    fs::write(
        home.join("current/boot"),
        "multi-user.target.wants/tenant@a.service\t/usr/lib/systemd/system/tenant@.service\n\
         tenant-a.slice\tsystem/tenant-a.slice\n",
    )
    .unwrap();
    let normal = tempfile::tempdir().unwrap();
    let wants = normal.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    fs::write(wants.join("other.service"), "").unwrap();
    fs::write(normal.path().join("tenant-a.slice"), "theirs").unwrap();
    let mut messages = Vec::new();
    bitbuilder_generators::generate(
        Generator::Tenant,
        root.path(),
        normal.path(),
        &mut |trouble| messages.push(trouble.to_string()),
    )
    .unwrap();
    assert!(
        messages[0].contains("tenant-a.slice: File exists"),
        "{messages:?}"
    );
    assert_eq!(
        fs::read_to_string(normal.path().join("tenant-a.slice")).unwrap(),
        "theirs"
    );
    assert!(wants.join("other.service").exists());
    assert!(!wants.join("tenant@a.service").exists());
}
