//! Trails that are written, read by Git, and tampered with.

use super::*;
use crate::disk::{self, crash};
use crate::host::{Caller, HostError};
use crate::reconcile::Trigger;
use crate::sim::SimHost;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Output};

struct Scene {
    directory: tempfile::TempDir,
    host: SimHost,
}

impl Scene {
    fn new() -> Self {
        // What is synced a thousand times takes no time in memory.
        let directory = tempfile::tempdir_in("/dev/shm").unwrap();
        let host = SimHost::open(directory.path().join("host")).unwrap();
        Self { directory, host }
    }

    /// A trail of `count` records.
    fn with(count: u64) -> Self {
        let scene = Self::new();
        for number in 1..=count {
            record(&scene.host, draft(number));
        }
        scene
    }

    fn trail(&self) -> PathBuf {
        self.host.root().audit_trail()
    }

    fn keys(&self) -> Vec<PublicKey> {
        public_keys(self.host.root()).unwrap()
    }

    fn verify(&self) -> Result<Verified, AuditError> {
        verify(&self.trail(), &self.keys(), None)
    }

    fn git(&self, arguments: &[&str]) -> Output {
        let config = |key: &str, value: String| ["-c".to_owned(), format!("{key}={value}")];
        let signers = allowed_signers(self.host.root());
        let mut git = Process::new("git");
        git.env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.directory.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(config("gpg.format", "ssh".into()))
            .args(config(
                "gpg.ssh.allowedSignersFile",
                signers.to_str().unwrap().into(),
            ))
            .args(config("user.name", "Mallory".into()))
            .args(config("user.email", "m@example.org".into()))
            .arg("-C")
            .arg(self.trail())
            .args(arguments);
        git.output().unwrap()
    }

    #[track_caller]
    fn git_ok(&self, arguments: &[&str]) -> String {
        let output = self.git(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The trail with commit `old` replaced by what `change` makes of its bytes, and all later ones on top of it.
    fn rewritten(&self, number: u64, change: impl FnOnce(String) -> String) {
        let commits = self.git_ok(&["rev-list", "--reverse", "audit"]);
        let commits: Vec<&str> = commits.lines().collect();
        let at = usize::try_from(number - 1).unwrap();
        let text = self.git_ok(&["cat-file", "commit", commits[at]]) + "\n";
        let mut parent = self.commit(&change(text));
        for later in &commits[at + 1..] {
            let text = self.git_ok(&["cat-file", "commit", later]) + "\n";
            let (tree, rest) = text.split_once('\n').unwrap();
            let (_, rest) = rest.split_once('\n').unwrap();
            parent = self.commit(&format!("{tree}\nparent {parent}\n{rest}"));
        }
        self.git_ok(&["update-ref", "refs/heads/audit", &parent]);
    }

    fn commit(&self, text: &str) -> String {
        let path = self.directory.path().join("commit");
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        self.git_ok(&["hash-object", "-t", "commit", "-w", path])
    }
}

fn who() -> Who {
    Who {
        trigger: Some(Trigger::Push { uid: Some(1000) }),
        process: Caller {
            uid: 0,
            login: Some(1000),
        },
    }
}

fn draft(number: u64) -> Draft {
    let tenant = bitbuilder_core::model::Name::new("shop").unwrap();
    Draft {
        time: 1_767_600_000 + number,
        who: who(),
        command: None,
        interrupted: false,
        events: vec![
            Event::new(Some(&tenant), "deployed")
                .with("generation", number)
                .with("commit", "a".repeat(40)),
        ],
    }
}

#[track_caller]
fn broken(result: Result<Verified, AuditError>, number: u64, why: &str) {
    match result {
        Err(AuditError::Broken {
            number: at, reason, ..
        }) => {
            assert!(at == number && reason.contains(why), "{at}: {reason}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_trail_is_verified_by_us_and_by_git() {
    let scene = Scene::with(3);
    let verified = scene.verify().unwrap();
    let numbers: Vec<u64> = verified.records.iter().map(|r| r.entry.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    let first = &verified.records[0].entry.draft.events;
    assert_eq!(first[0].event, "audit-begun");
    assert_eq!(first[1], draft(1).events[0]);
    assert_eq!(verified.records[2].entry.draft, draft(3));

    // And git says the same, in the trail and in a clone of it.
    for commit in scene.git_ok(&["rev-list", "audit"]).lines() {
        let output = scene.git(&["verify-commit", commit]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Good \"git\" signature for audit@"), "{said}");
    }
    scene.git_ok(&["fsck", "--strict"]);
    let clone = scene.directory.path().join("clone");
    scene.git_ok(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let head = &verified.records[2].commit;
    assert_eq!(
        verify(&clone, &scene.keys(), Some(&head[..12])).unwrap(),
        verified
    );
    let newest = newest(&clone, |sealed| sealed.entry.number > 1).unwrap();
    assert_eq!(newest[0], verified.records[2]);
    assert_eq!(newest.len(), 2);
}

#[test]
fn the_key_is_for_root_alone_and_openssh_reads_it() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::with(1);
    let path = scene.host.root().audit().join("key");
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let output = Process::new("ssh-keygen")
        .args(["-y", "-f", path.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let public = String::from_utf8(output.stdout).unwrap();
    let public = PublicKey::from_openssh(&public).unwrap();
    assert_eq!(public.key_data(), scene.keys()[0].key_data());
}

#[test]
fn a_trail_of_another_key_is_refused() {
    let (scene, other) = (Scene::with(2), Scene::new());
    other.host.random().unwrap();
    record(&other.host, draft(1));
    let result = verify(&scene.trail(), &other.keys(), None);
    broken(result, 1, "which is not the key of this trail");
    broken(verify(&scene.trail(), &[], None), 1, "not the key");
}

#[test]
fn an_edited_record_is_found() {
    let scene = Scene::with(3);
    scene.rewritten(2, |text| text.replace("Number: 2", "Number: 2 "));
    broken(scene.verify(), 2, "Number");

    let scene = Scene::with(3);
    scene.rewritten(2, |text| text.replace("deployed shop", "nothing"));
    broken(scene.verify(), 2, "signature is not valid");

    // Another text under the old message.
    let scene = Scene::with(3);
    let blob = scene.directory.path().join("record.json");
    let text = scene.git_ok(&["show", "audit~1:record.json"]);
    std::fs::write(&blob, text.replace("shop", "blog")).unwrap();
    let blob = scene.git_ok(&["hash-object", "-w", blob.to_str().unwrap()]);
    let listing = scene.directory.path().join("tree");
    std::fs::write(&listing, format!("100644 blob {blob}\trecord.json\n")).unwrap();
    let tree = Process::new("git")
        .arg("-C")
        .arg(scene.trail())
        .arg("mktree")
        .stdin(std::fs::File::open(&listing).unwrap())
        .output()
        .unwrap();
    let tree = String::from_utf8(tree.stdout).unwrap();
    scene.rewritten(2, |text| {
        let (_, rest) = text.split_once('\n').unwrap();
        format!("tree {}\n{rest}", tree.trim())
    });
    broken(scene.verify(), 2, "signature is not valid");
}

#[test]
fn an_object_that_is_edited_in_place_is_found() {
    let scene = Scene::with(3);
    let text = scene.git_ok(&["show", "audit~1:record.json"]);
    let blob = scene.git_ok(&["rev-parse", "audit~1:record.json"]);
    let other = scene.directory.path().join("other");
    std::fs::write(&other, text.replace("shop", "blog")).unwrap();
    let other = scene.git_ok(&["hash-object", "-w", other.to_str().unwrap()]);
    let file = |id: &str| scene.trail().join("objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(file(&blob)).unwrap();
    std::fs::copy(file(&other), file(&blob)).unwrap();
    broken(scene.verify(), 2, "was altered");
}

#[test]
fn a_removed_record_is_found() {
    // The second of three goes: the third follows the first.
    let scene = Scene::with(3);
    let first = scene.git_ok(&["rev-parse", "audit~2"]);
    let text = scene.git_ok(&["cat-file", "commit", "audit"]) + "\n";
    let (tree, rest) = text.split_once('\n').unwrap();
    let (_, rest) = rest.split_once('\n').unwrap();
    let last = scene.commit(&format!("{tree}\nparent {first}\n{rest}"));
    scene.git_ok(&["update-ref", "refs/heads/audit", &last]);
    broken(scene.verify(), 2, "it is the 3. record");

    // The first goes: there is no second without it.
    let scene = Scene::with(3);
    scene.rewritten(2, |text| {
        let lines = text.lines().filter(|line| !line.starts_with("parent "));
        lines.map(|line| format!("{line}\n")).collect()
    });
    broken(scene.verify(), 1, "it is the 2. record");
}

#[test]
fn records_in_another_order_are_found() {
    let scene = Scene::with(3);
    let commits = scene.git_ok(&["rev-list", "--reverse", "audit"]);
    let commits: Vec<&str> = commits.lines().collect();
    let mut parent = commits[0].to_owned();
    for number in [2, 1] {
        let text = scene.git_ok(&["cat-file", "commit", commits[number]]) + "\n";
        let (tree, rest) = text.split_once('\n').unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        parent = scene.commit(&format!("{tree}\nparent {parent}\n{rest}"));
    }
    scene.git_ok(&["update-ref", "refs/heads/audit", &parent]);
    broken(scene.verify(), 2, "it is the 3. record");
}

#[test]
fn a_record_that_is_not_signed_or_signed_by_somebody_else_is_found() {
    let scene = Scene::with(2);
    let tree = scene.git_ok(&["rev-parse", "audit^{tree}"]);
    let previous = scene.git_ok(&["rev-parse", "audit~1"]);
    let text = scene.git_ok(&["cat-file", "commit", "audit"]);
    let message = text.split_once("\n\n").unwrap().1.to_owned();
    let unsigned = scene.git_ok(&["commit-tree", &tree, "-p", &previous, "-m", &message]);
    scene.git_ok(&["update-ref", "refs/heads/audit", &unsigned]);
    broken(scene.verify(), 2, "it is not signed");

    let own = scene.directory.path().join("mallory");
    let made = Process::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&own)
        .status();
    assert!(made.unwrap().success());
    let signing = format!("user.signingkey={}", own.display());
    let forged = [
        "-c",
        &signing,
        "commit-tree",
        "-S",
        &tree,
        "-p",
        &previous,
        "-m",
        &message,
    ];
    let forged = scene.git_ok(&forged);
    scene.git_ok(&["update-ref", "refs/heads/audit", &forged]);
    broken(scene.verify(), 2, "not the key of this trail");
}

#[test]
fn a_trail_that_was_cut_off_is_found_by_who_kept_its_head() {
    let scene = Scene::with(3);
    let head = scene.git_ok(&["rev-parse", "audit"]);
    scene.git_ok(&["update-ref", "refs/heads/audit", "audit~1"]);
    assert_eq!(scene.verify().unwrap().records.len(), 2);
    let result = verify(&scene.trail(), &scene.keys(), Some(&head));
    assert!(matches!(result, Err(AuditError::Cut { .. })), "{result:?}");
    // Written again, with the right key: the auditor knows better.
    record(&scene.host, draft(7));
    assert_eq!(scene.verify().unwrap().records.len(), 3);
    let result = verify(&scene.trail(), &scene.keys(), Some(&head));
    assert!(matches!(result, Err(AuditError::Cut { .. })), "{result:?}");
}

#[test]
fn a_new_key_is_brought_in_by_the_old_one() {
    let scene = Scene::with(2);
    let pinned = scene.keys();
    rotate_key(
        &scene.host,
        Draft {
            events: Vec::new(),
            ..draft(3)
        },
    )
    .unwrap();
    record(&scene.host, draft(4));
    assert_eq!(scene.keys().len(), 2);
    // Who pinned the first key follows, and only the new one may sign from then on.
    let verified = verify(&scene.trail(), &pinned, None).unwrap();
    assert_eq!(verified.records.len(), 4);
    assert_eq!(verified.key, fingerprint(&scene.keys()[1]));
    for commit in ["audit", "audit~1", "audit~2"] {
        let output = scene.git(&["verify-commit", commit]);
        assert!(output.status.success(), "{output:?}");
    }
    // Without the record of it, the new key is a stranger.
    let text = scene.git_ok(&["cat-file", "commit", "audit"]) + "\n";
    let third = scene.git_ok(&["rev-parse", "audit~1"]);
    let second = scene.git_ok(&["rev-parse", "audit~2"]);
    let cut = scene.commit(
        &text
            .replace(&third, &second)
            .replace("Number: 4", "Number: 3"),
    );
    scene.git_ok(&["update-ref", "refs/heads/audit", &cut]);
    broken(verify(&scene.trail(), &pinned, None), 3, "not the one");
}

#[test]
fn a_key_that_is_gone_ends_the_trail_with_a_reason() {
    let scene = Scene::with(1);
    let key = scene.host.root().audit().join("key");
    let aside = scene.directory.path().join("key");
    std::fs::rename(&key, &aside).unwrap();
    let error = Trail::open(&scene.host).and_then(|mut trail| trail.write(draft(2)));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("it is gone"), "{error}");
    // What is recorded meanwhile waits, and is added in its order.
    record(&scene.host, draft(2));
    record(&scene.host, draft(3));
    assert_eq!(waiting(scene.host.root()).unwrap(), 2);
    std::fs::rename(&aside, &key).unwrap();
    record(&scene.host, draft(4));
    assert_eq!(waiting(scene.host.root()).unwrap(), 0);
    let records = scene.verify().unwrap().records;
    let drafts: Vec<_> = records[1..].iter().map(|r| r.entry.draft.clone()).collect();
    assert_eq!(drafts, [draft(2), draft(3), draft(4)]);
}

#[test]
fn where_there_is_no_trail_there_is_nothing_to_verify() {
    assert!(matches!(
        verify(Path::new("/nonexistent"), &[], None),
        Err(AuditError::None(_))
    ));
    let scene = Scene::new();
    assert!(matches!(scene.verify(), Err(AuditError::None(_))));
}

#[test]
fn many_records_are_packed() {
    let scene = Scene::with(1001);
    let counts = scene.git_ok(&["count-objects", "-v"]);
    assert!(counts.contains("\npacks: 1\n"), "{counts}");
    assert_eq!(scene.verify().unwrap().records.len(), 1001);
}

#[test]
fn a_flood_of_refusals_is_counted() {
    let scene = Scene::new();
    let refused = |number: u64, time: u64| {
        let tenant = bitbuilder_core::model::Name::new("shop").unwrap();
        let commit = format!("{number:040x}");
        let event = Event::new(Some(&tenant), "refused").with("commit", commit);
        Draft {
            time,
            events: vec![event],
            ..draft(0)
        }
    };
    for number in 0..500 {
        record(&scene.host, refused(number, 1_767_600_000));
    }
    assert_eq!(scene.verify().unwrap().records.len(), 20);
    record(&scene.host, refused(500, 1_767_700_000));
    let records = scene.verify().unwrap().records;
    let last = &records.last().unwrap().entry.draft.events;
    assert_eq!(records.len(), 21);
    assert_eq!(last[1].event, "refusals-counted");
    assert_eq!(last[1].details["count"], 480);
}

#[test]
fn an_act_that_is_killed_is_recorded_by_the_next_one() {
    let tenant = bitbuilder_core::model::Name::new("shop").unwrap();
    let event = || Event::new(Some(&tenant), "deployed").with("generation", 1);
    let acts = |host: &SimHost| {
        act(host, &Trigger::Timer, None, || {
            ahead(host, vec![event()])?;
            // Here is the effect.
            disk::point();
            note(host.root(), event());
            Ok::<_, HostError>(())
        })
        .unwrap();
    };
    let scene = Scene::new();
    let ((), effects) = crash::count(|| acts(&scene.host));
    assert!(effects > 20, "{effects}");
    assert_eq!(scene.verify().unwrap().records.len(), 1);
    for kill in 0..effects {
        let scene = Scene::new();
        let killed = crash::at(kill, || acts(&scene.host));
        assert!(killed.is_none());
        // Whoever comes next, and does something of its own.
        act(&scene.host, &Trigger::Timer, None, || {
            note(scene.host.root(), Event::new(None, "next"));
            Ok::<_, HostError>(())
        })
        .unwrap();
        let records = scene.verify().unwrap().records;
        let events = records.iter().flat_map(|r| &r.entry.draft.events);
        let deployed = events.filter(|event| event.event == "deployed");
        // Before the effect there may be nothing; after it there is one record, or two around one instant.
        let count = deployed.count();
        let before = kill < ahead_effects(&event());
        assert!(
            if before { count <= 1 } else { count == 1 },
            "{kill}: {count}"
        );
        assert_eq!(waiting(scene.host.root()).unwrap(), 0);
        assert!(
            !scene.host.root().audit().join("act.json").exists(),
            "{kill}"
        );
    }
}

/// Effects until an act is on the disk.
fn ahead_effects(event: &Event) -> u64 {
    let scene = Scene::new();
    let draft = Draft {
        events: vec![event.clone()],
        ..draft(1)
    };
    let kept = || waiting::keep_act(&scene.host, &draft, false).unwrap();
    crash::count(kept).1
}
