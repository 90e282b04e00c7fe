//! Signatures of OpenSSH.

use super::{Case, DAY, NOON, run, with};
use crate::signature::ssh::check;
use bitbuilder_core::finding::Severity;
use bitbuilder_core::model::VerifyCommits;
use bitbuilder_core::signature::Problem;
use proptest::prelude::*;
use std::fs;
use std::process::Command;

#[test]
fn who_signed_and_may_is_named() {
    let case = Case::new();
    let commit = case.signed("one", "alice");
    let signer = format!("alice ({})", case.keys.fingerprint("alice"));
    case.accepts(None, &commit, &signer);
    assert_eq!(case.verify(None, &commit).signer, Some(signer));
}

#[test]
fn git_and_we_agree() {
    let case = Case::new();
    let list = case.directory.path().join("allowed_signers");
    for (name, kind) in [
        ("alice", "ed25519"),
        ("curve", "ecdsa"),
        ("carol", "ed25519"),
    ] {
        case.keys.make(name, kind);
    }
    let line = |name: &str, options: &str| format!("{name} {options} {}\n", case.keys.public(name));
    let dates = "valid-after=\"20260302Z\",valid-before=\"20260303Z\"";
    let text = [line("alice", ""), line("curve", ""), line("carol", dates)].concat();
    fs::write(&list, &text).unwrap();
    let mut case = case;
    case.ring.allowed.clear();
    case.ring.allowed = bitbuilder_core::signature::allowed_signers("list", &text, &mut Vec::new());
    case.verify.signers = ["alice", "curve", "carol"].map(str::to_owned).into();
    case.now = NOON + 30 * DAY;
    let setting = format!("gpg.ssh.allowedSignersFile={}", list.display());
    let git_verifies = |commit: &str| {
        let mut command = Command::new("git");
        command
            .current_dir(&case.repo.0)
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.args(["-c", &setting, "verify-commit", commit]);
        command.output().unwrap().status.success()
    };
    for (name, time, good) in [
        ("alice", NOON, true),
        ("curve", NOON, true),
        ("mallory", NOON, false),
        ("carol", NOON, false),
        ("carol", NOON + DAY, true),
        ("carol", NOON + 3 * DAY, false),
    ] {
        case.commit(name, time);
        let commit = case.repo.sign(&case.keys, name);
        let verified = case.verify(None, &commit);
        assert_eq!(
            verified.refusal.is_none(),
            good,
            "{name} {time}: {verified:?}"
        );
        assert_eq!(git_verifies(&commit), good, "{name} {time}");
        let tampered = case.repo.replace(|object| {
            let text = String::from_utf8(object).unwrap();
            text.replace(&format!("\n\n{name}"), "\n\nforged")
                .into_bytes()
        });
        case.refuses(
            None,
            &tampered,
            "signature-bad",
            "does not belong to its content",
        );
        assert!(!git_verifies(&tampered));
    }
}

#[test]
fn what_git_itself_signs_is_verified() {
    let case = Case::new();
    let work = case.directory.path().join("work");
    let url = case.repo.0.display().to_string();
    let key = case.keys.key("alice").display().to_string();
    case.commit("one", NOON);
    case.repo
        .git(&["clone", "-q", &url, work.to_str().unwrap()]);
    run(Command::new("git")
        .current_dir(&work)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args([
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.org",
            "-c",
            "gpg.format=ssh",
            "-c",
            &format!("user.signingKey={key}"),
            "commit",
            "-q",
            "-S",
            "--allow-empty",
            "-m",
            "Ünïcode\n\n gpgsig no\n",
        ]));
    run(Command::new("git")
        .current_dir(&work)
        .args(["push", "-q", "origin", "main"]));
    let mut case = case;
    case.now = u64::MAX >> 1;
    case.accepts(None, &case.repo.head(), "alice");
}

#[test]
fn only_those_may_sign_whom_the_registry_names() {
    let mut case = Case::new();
    let bob = case.signed("one", "bob");
    case.refuses(None, &bob, "signer-foreign", "bob");
    let unknown = case.signed("two", "mallory");
    case.refuses(
        None,
        &unknown,
        "signer-unknown",
        &case.keys.fingerprint("mallory"),
    );
    case.verify.signers = vec![case.keys.fingerprint("mallory")];
    case.accepts(None, &unknown, "SHA256:");
    case.refuses(None, &bob, "signer-foreign", "bob");
    case.revoke(&case.keys.public("mallory"));
    case.refuses(None, &unknown, "signer-revoked", "revoked");
}

#[test]
fn keys_have_their_time() {
    let mut case = Case::new();
    case.ring.allowed.clear();
    case.allow(
        "alice",
        "valid-after=\"20260301120000Z\",valid-before=\"20260302Z\"",
    );
    case.now = NOON + 100 * DAY;
    for (time, rule) in [
        (NOON - 1, Some("signer-not-yet-valid")),
        (NOON, None),
        (NOON + DAY, Some("signer-expired")),
        (NOON + 200 * DAY, Some("commit-time")),
    ] {
        case.commit("one", time);
        let commit = case.repo.sign(&case.keys, "alice");
        match rule {
            Some(rule) => case.refuses(None, &commit, rule, "2026-"),
            None => case.accepts(None, &commit, "alice"),
        }
    }
    // The key is stolen after it expired: the thief writes an old date on top of what is deployed.
    let deployed = case.commit("two", NOON + 50 * DAY);
    case.commit("stolen", NOON);
    let stolen = case.repo.sign(&case.keys, "alice");
    case.refuses(Some(&deployed), &stolen, "signer-expired", "dated back");
}

#[test]
fn signatures_of_another_kind_are_said_to_be_so() {
    let case = Case::new();
    case.keys.make("rsa", "rsa");
    let attempt = |change: &dyn Fn(&[u8]) -> Vec<u8>, rule: &str, words: &str| {
        case.commit("one", NOON);
        let commit = case.repo.replace(|payload| change(&payload));
        case.refuses(None, &commit, rule, words);
    };
    let sign = |name: &'static str, namespace: &'static str| {
        let keys = &case.keys;
        move |payload: &[u8]| with(payload, &[&keys.sign(name, namespace, payload)])
    };
    attempt(&sign("rsa", "git"), "signature-unsupported", "an RSA key");
    attempt(&sign("alice", "file"), "signature-namespace", "`file`");
    attempt(&|payload| payload.to_vec(), "unsigned", "not signed");
    let x509 = "-----BEGIN SIGNED MESSAGE-----\nMIIB\n-----END SIGNED MESSAGE-----";
    attempt(
        &|payload| with(payload, &[x509]),
        "signature-unsupported",
        "X.509",
    );
    for garbage in [
        "garbage",
        "",
        "-----BEGIN SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----",
        "-----BEGIN SSH SIGNATURE-----\n\u{fc}\n-----END SSH SIGNATURE-----",
    ] {
        attempt(
            &|payload| with(payload, &[garbage]),
            "signature-bad",
            "cannot be read",
        );
    }
    let twice = |payload: &[u8]| {
        let (bob, alice) = (
            case.keys.sign("bob", "git", payload),
            case.keys.sign("alice", "git", payload),
        );
        with(payload, &[&alice, &bob])
    };
    attempt(&twice, "signature-bad", "two signatures");
    // A signature of another commit.
    let other = case.keys.sign("alice", "git", b"another one");
    attempt(
        &|payload| with(payload, &[&other]),
        "signature-bad",
        "does not belong",
    );
    // One that was cut, or has something behind it.
    let cut = |payload: &[u8]| {
        let armor = case.keys.sign("alice", "git", payload);
        let lines: Vec<&str> = armor.lines().collect();
        let short = [&lines[..2], &lines[3..]].concat().join("\n");
        with(payload, &[&short])
    };
    attempt(&cut, "signature-bad", "");
    // Armor of another width is as good.
    case.commit("one", NOON);
    let wide = case.repo.replace(|payload| {
        let armor = case.keys.sign("alice", "git", &payload);
        let lines: Vec<&str> = armor.lines().collect();
        let inner = lines[1..lines.len() - 1].concat();
        with(
            &payload,
            &[&format!(
                "{}\n{inner}\n{}",
                lines[0],
                lines[lines.len() - 1]
            )],
        )
    });
    case.accepts(None, &wide, "alice");
}

#[test]
fn no_byte_can_be_another_one() {
    let case = Case::new();
    let payload = b"tree 1\nauthor A\n\nmessage\n";
    let armor = case.keys.sign("alice", "git", payload).into_bytes();
    let good = check(payload, &armor).unwrap();
    for at in 0..payload.len() {
        let mut payload = *payload;
        payload[at] ^= 1;
        assert_eq!(check(&payload, &armor), Err(Problem::Bad));
    }
    for at in 0..armor.len() {
        for bit in 0..8 {
            let mut armor = armor.clone();
            armor[at] ^= 1 << bit;
            let checked = check(payload, &armor);
            // White space is no part of the signature.
            let blank = armor[at].is_ascii_whitespace() && checked == Ok(good.clone());
            assert!(checked.is_err() || blank, "{at} {bit}: {checked:?}");
        }
    }
}

proptest! {
    #[test]
    fn hostile_armor_is_refused(body in prop::collection::vec(any::<u8>(), 0..300), inside in any::<bool>()) {
        let mut armor = body;
        if inside {
            armor.splice(..0, *b"-----BEGIN SSH SIGNATURE-----\n");
            armor.extend(b"\n-----END SSH SIGNATURE-----\n");
        }
        prop_assert!(check(b"payload", &armor).is_err());
    }
}

#[test]
fn every_commit_of_the_path_is_verified_and_side_branches_are_not() {
    let case = Case::new();
    let deployed = case.commit("before anybody signed", NOON);
    let one = case.signed("one", "alice");
    case.accepts(Some(&deployed), &one, "alice");
    case.commit("nobody's", NOON);
    let middle = case.repo.head();
    let newest = case.signed("three", "alice");
    // The first deployment takes the word of who signed the newest one.
    case.accepts(None, &newest, "alice");
    case.refuses(Some(&deployed), &newest, "unsigned", "not signed");
    case.refuses(Some(&one), &newest, "unsigned", "is not signed");
    let refusal = case.verify(Some(&one), &newest).refusal.unwrap();
    assert_eq!(
        refusal,
        format!("commit {} before it is not signed", &middle[..12])
    );
    case.accepts(Some(&middle), &newest, "alice");

    // A merge of it vouches for what it brings.
    let merge = |first: &str, second: &str| {
        case.repo.replace(|payload| {
            let text = String::from_utf8(payload).unwrap();
            let (tree, rest) = text.split_once("\nparent ").unwrap();
            let rest = rest.split_once('\n').unwrap().1;
            let text = format!("{tree}\nparent {first}\nparent {second}\n{rest}");
            with(
                text.as_bytes(),
                &[&case.keys.sign("alice", "git", text.as_bytes())],
            )
        })
    };
    case.commit("merge", NOON);
    let merged = merge(&one, &middle);
    case.accepts(Some(&one), &merged, "alice");

    // A merge the other way round has the side branch as its path.
    case.commit("pulled", NOON);
    let pulled = merge(&middle, &one);
    let refusal = case.verify(Some(&one), &pulled).refusal.unwrap();
    assert!(refusal.contains(&middle[..12]), "{refusal}");

    // Going back: the commit itself, and nothing that is deployed already.
    case.accepts(Some(&newest), &one, "alice");
    case.refuses(Some(&newest), &deployed, "unsigned", "is not signed");
}

#[test]
fn what_is_deployed_or_only_warned_of_is_not_refused() {
    let mut case = Case::new();
    let deployed = case.commit("one", NOON);
    let verified = case.verify(Some(&deployed), &deployed);
    assert_eq!((verified.refusal, verified.signer), (None, None));
    assert_eq!(verified.findings[0].severity, Severity::Warning);

    case.verify.commits = VerifyCommits::Warn;
    let middle = case.commit("two", NOON);
    let newest = case.signed("three", "alice");
    let verified = case.verify(Some(&deployed), &newest);
    assert_eq!(verified.refusal, None);
    assert!(verified.signer.unwrap().starts_with("alice"));
    let [finding] = verified.findings.as_slice() else {
        panic!("{:?}", verified.findings)
    };
    assert_eq!(
        (finding.severity, finding.rule.as_str()),
        (Severity::Warning, "unsigned")
    );
    assert_eq!(finding.origin.file, format!("commit {}", &middle[..12]));

    case.verify.commits = VerifyCommits::Off;
    assert_eq!(
        case.verify(Some(&deployed), &newest),
        super::Verified::default()
    );
}

#[test]
fn a_path_has_its_bound_and_complaints_end() {
    let case = Case::new();
    let deployed = case.commit("one", NOON);
    let mut stream = String::new();
    for number in 0..1001 {
        let from = if number == 0 {
            format!("from {deployed}\n")
        } else {
            String::new()
        };
        stream.push_str(&format!(
            "commit refs/heads/long\ncommitter C <c@example.org> {NOON} +0000\ndata 1\nx\n{from}\n"
        ));
    }
    let file = case.directory.path().join("stream");
    fs::write(&file, stream).unwrap();
    let status = Command::new("git")
        .current_dir(&case.repo.0)
        .args(["fast-import", "--quiet"])
        .stdin(fs::File::open(file).unwrap())
        .status()
        .unwrap();
    assert!(status.success());
    let newest = case.repo.git(&["rev-parse", "long"]);
    case.refuses(Some(&deployed), &newest, "too-many-commits", "1000");
    let nearer = case.repo.git(&["rev-parse", "long~1"]);
    let verified = case.verify(Some(&deployed), &nearer);
    assert_eq!(verified.findings.len(), 8);
    // What is deployed is nowhere: as a first deployment.
    let nowhere = "1".repeat(40);
    case.refuses(Some(&nowhere), &newest, "unsigned", "is not signed");
}
