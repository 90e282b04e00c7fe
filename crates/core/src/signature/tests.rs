//! Lists of keys, hostile and not, and what a good signature is worth.

use super::*;
use crate::finding::{Finding, Severity};
use crate::model::{Verify, VerifyCommits};
use proptest::prelude::*;

const ALICE: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKKk/CZNLcybxNG5vg/0E1WY1BmQF+qvsgfVeOGAv/ld";
const ALICE_KEY: &str = "SHA256:ViQsmG4sOp/gLhGW5AhhY69aTkJPSApbyIOmsdVnUF8";
const BOB: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBGiOnmPPDtEBWZb04eJCqzVSIDGGhhaA/OCR0tPsAQoEnJO4keXta9l5P27Yp8OrCmXUmHonMbiZ+JfILyGYkPY=";
const BOB_KEY: &str = "SHA256:87UuwME5w5phczimW1npdsBTrxYdRjLuG+pES3EopME";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQCYQhELOPNCsNX4DmgmMX8oPw4AW+8MvyMcbJN+3R03V3gtRaZ5BC+6zQnHW046RZXIXFfslx2nch3Wq7E6xTO8/JDelLN+tSfo9yPl6ECPMPHsdUKeBJIGcfnWmWw9XnUW8v7jv61QfFDYLa5AOEWtAwxztzZqDJ30ViwrJ0jRSQ==";
const OPENPGP: &str = "0f2d1e9ae260e06e733c69542642042e3fb6ceb1";

fn read(text: &str) -> (Vec<AllowedSigner>, Vec<Finding>) {
    let mut findings = Vec::new();
    let signers = allowed_signers("allowed_signers", text, &mut findings);
    (signers, findings)
}

#[test]
fn a_list_says_whose_the_keys_are_and_when_they_are_valid() {
    let text = format!(
        "# the team\n\n\
         alice@example.org,*@ops.example.org {ALICE} a comment\n\
         \t\"bob@example.org\"\tnamespaces=\"file,git\",valid-after=\"20260101\",Valid-Before=\"20270101Z\"\t{BOB}\n"
    );
    let (signers, findings) = read(&text);
    assert_eq!(findings, []);
    let [alice, bob] = signers.as_slice() else {
        panic!("{signers:?}")
    };
    assert_eq!(alice.key.fingerprint, ALICE_KEY);
    assert_eq!((alice.origin.line, alice.origin.column), (3, 1));
    assert!(alice.principals.accepts("carol@ops.example.org"));
    assert_eq!((&alice.namespaces, alice.valid_after), (&None, None));
    assert_eq!(bob.key.fingerprint, BOB_KEY);
    assert_eq!((bob.origin.line, bob.origin.column), (4, 2));
    assert_eq!(bob.principals, Patterns("bob@example.org".into()));
    assert_eq!(bob.namespaces, Some(Patterns("file,git".into())));
    assert_eq!(
        (bob.valid_after, bob.valid_before),
        (Some(1_767_225_600), Some(1_798_761_600))
    );
}

#[test]
fn what_is_wrong_in_a_list_is_said_where_it_is() {
    for (line, column, message) in [
        ("alice".to_owned(), 1, "no key"),
        (format!("alice {}", &ALICE[..11]), 1, "no key"),
        (ALICE.to_owned(), 1, "whose key"),
        ("alice ssh-ed25519 AAAA".to_owned(), 19, "damaged"),
        ("alice ssh-ed25519 ???".to_owned(), 19, "base64"),
        (format!("alice nonsense {ALICE}"), 7, "not known"),
        (format!("alice namespaces=git {ALICE}"), 7, "double quotes"),
        (
            format!("alice valid-after=\"2026\" {ALICE}"),
            7,
            "not a time",
        ),
        (format!("alice valid-before {ALICE}"), 7, "not a time"),
        (
            format!("alice valid-after=\"20260101\",valid-after=\"20260101\" {ALICE}"),
            7,
            "twice",
        ),
        (
            format!("alice valid-after=\"20270101\",valid-before=\"20260101\" {ALICE}"),
            7,
            "at no time",
        ),
        (format!("\"alice {ALICE}"), 1, "whose key"),
        (format!("\"\" {ALICE}"), 1, "whose key"),
    ] {
        let (signers, findings) = read(&line);
        assert_eq!(signers, [], "{line}");
        let [finding] = findings.as_slice() else {
            panic!("{line}: {findings:?}")
        };
        assert_eq!(finding.severity, Severity::Error, "{line}");
        assert!(finding.message.contains(message), "{line}: {finding:?}");
        assert_eq!(
            (finding.origin.line, finding.origin.column),
            (1, column),
            "{line}"
        );
    }
}

#[test]
fn what_is_not_supported_is_left_out_and_said() {
    for line in [
        format!("alice {RSA}"),
        format!("alice cert-authority {ALICE}"),
    ] {
        let (signers, findings) = read(&line);
        assert_eq!(signers, []);
        assert_eq!(findings[0].severity, Severity::Warning, "{findings:?}");
    }
}

#[test]
fn a_list_of_revoked_keys_takes_keys_and_fingerprints() {
    let text = format!(
        "# gone\n{RSA} an old one\n{ALICE_KEY} lost\n{}\n0F2D 1E9A E260 E06E 733C  6954 2642 042E 3FB6 CEB1\n",
        "A".repeat(64)
    );
    let mut findings = Vec::new();
    let revoked = revoked_signers("revoked_signers", &text, &mut findings);
    assert_eq!(findings, []);
    let rsa = "SHA256:FRnDq+f6NZsIt0JLSHWAjAm8LSij1JIItNZD02BXgpw".to_owned();
    let expected = [
        OPENPGP.to_owned(),
        ALICE_KEY.to_owned(),
        "a".repeat(64),
        rsa,
    ];
    assert_eq!(revoked, expected.into());
    for wrong in [
        "alice@example.org",
        "SHA256:short",
        "0f2d1e9a",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
    ] {
        let mut findings = Vec::new();
        revoked_signers("revoked_signers", wrong, &mut findings);
        assert_eq!(findings.len(), 1, "{wrong}");
        assert_eq!(findings[0].severity, Severity::Error);
    }
}

// A key that is valid in 2026.
const BEFORE: i64 = FROM - 86_400;
const FROM: i64 = 1_767_225_600;
const WITHIN: i64 = 1_780_000_000;
const UNTIL: i64 = 1_798_761_600;
const AFTER: i64 = UNTIL + 86_400;

fn required(signers: &[&str]) -> Verify {
    Verify {
        commits: VerifyCommits::Required,
        signers: signers.iter().map(|signer| (*signer).to_owned()).collect(),
    }
}

fn facts(fingerprint: &str, time: i64) -> Facts<'_> {
    Facts {
        fingerprint,
        time,
        parent: None,
        now: time,
    }
}

fn ring(text: &str) -> KeyRing {
    KeyRing {
        allowed: read(text).0,
        ..KeyRing::default()
    }
}

#[test]
fn who_may_sign_is_named_by_principal_or_fingerprint() {
    let ring = ring(&format!(
        "alice@example.org {ALICE}\n*@ops.example.org {BOB}"
    ));
    let judge = |signers: &[&str], key| {
        let judged = judge_ssh(&ring, &required(signers), NAMESPACE, &facts(key, WITHIN));
        judged.map(|signer| signer.to_string())
    };
    let alice = || Ok(format!("alice@example.org ({ALICE_KEY})"));
    assert_eq!(judge(&["alice@example.org"], ALICE_KEY), alice());
    assert_eq!(judge(&["bob", ALICE_KEY], ALICE_KEY), alice());
    assert_eq!(
        judge(&["carol@ops.example.org"], BOB_KEY),
        Ok(format!("*@ops.example.org ({BOB_KEY})"))
    );
    assert!(judge(&["*@ops.example.org"], BOB_KEY).is_ok());
    for foreign in ["carol@ops.example.org", "alice", "*", "", BOB_KEY] {
        let problem = judge(&[foreign], ALICE_KEY).unwrap_err();
        assert_eq!(problem.rule(), "signer-foreign", "{foreign}");
        assert!(
            problem.to_string().contains("alice@example.org"),
            "{problem}"
        );
    }
    let nobody = "SHA256:Ns8ZmZh+TJ2dqpHW274f59aMCPdcoeLxzcPbKwOyqpM";
    let problem = judge(&["alice@example.org"], nobody).unwrap_err();
    assert_eq!(problem, Problem::Unknown(nobody.into()));
    // The operator's word is enough.
    assert_eq!(judge(&[nobody], nobody), Ok(nobody.to_owned()));
}

#[test]
fn a_key_signs_only_what_and_when_its_line_says() {
    let lines = format!(
        "alice valid-after=\"20260101Z\",valid-before=\"20270101Z\" {ALICE}\nbob namespaces=\"file\" {BOB}"
    );
    let mut ring = ring(&lines);
    let may = required(&["alice", "bob"]);
    let judge = |ring: &KeyRing, namespace, facts: Facts<'_>| {
        let judged = judge_ssh(ring, &may, namespace, &facts);
        judged.map(drop).map_err(|problem| problem.rule())
    };
    for (time, judged) in [
        (BEFORE, Err("signer-not-yet-valid")),
        (FROM - 1, Err("signer-not-yet-valid")),
        (FROM, Ok(())),
        (WITHIN, Ok(())),
        (UNTIL, Ok(())),
        (UNTIL + 1, Err("signer-expired")),
    ] {
        assert_eq!(
            judge(&ring, NAMESPACE, facts(ALICE_KEY, time)),
            judged,
            "{time}"
        );
    }
    let alice = facts(ALICE_KEY, WITHIN);
    assert_eq!(judge(&ring, "file", alice), Err("signature-namespace"));
    assert_eq!(judge(&ring, "Git", alice), Err("signature-namespace"));
    assert_eq!(
        judge(&ring, NAMESPACE, facts(BOB_KEY, WITHIN)),
        Err("signer-foreign")
    );

    // A second line of the same key is enough.
    ring.allowed.extend(read(&format!("bob {BOB}")).0);
    assert_eq!(judge(&ring, NAMESPACE, facts(BOB_KEY, WITHIN)), Ok(()));

    // What is revoked is so in every list and at any time.
    ring.revoked.insert(ALICE_KEY.into());
    assert_eq!(judge(&ring, NAMESPACE, alice), Err("signer-revoked"));
    let by_key = required(&[ALICE_KEY]);
    let judged = judge_ssh(&ring, &by_key, NAMESPACE, &alice);
    assert_eq!(judged, Err(Problem::Revoked(ALICE_KEY.into())));
}

#[test]
fn the_time_of_a_commit_is_the_committers_word_within_reason() {
    let ring = ring(&format!("alice valid-before=\"20270101Z\" {ALICE}"));
    let day = 86_400;
    for (time, parent, now, rule) in [
        // A commit does not become bad when the key of its author expires later.
        (WITHIN, Some(WITHIN - day), AFTER + 900 * day, None),
        (WITHIN, None, AFTER, None),
        // Who has the key after it expired could write any time: not one before the parent's.
        (WITHIN, Some(UNTIL - day), AFTER, Some("signer-expired")),
        // The clocks of two people differ.
        (WITHIN, Some(WITHIN + day), AFTER, None),
        (
            WITHIN,
            Some(WITHIN + day + 1),
            AFTER,
            Some("signer-expired"),
        ),
        // While the key is valid, nobody gains anything by an old date.
        (WITHIN, Some(UNTIL - day), UNTIL, None),
        // A parent from the future counts as one of now.
        (UNTIL, Some(AFTER + 900 * day), UNTIL + day, None),
        (WITHIN, None, WITHIN - day, None),
        (WITHIN, None, WITHIN - day - 1, Some("commit-time")),
    ] {
        let facts = Facts {
            fingerprint: ALICE_KEY,
            time,
            parent,
            now,
        };
        let judged = judge_ssh(&ring, &required(&["alice"]), NAMESPACE, &facts);
        let found = judged.err().map(|problem| problem.rule());
        assert_eq!(found, rule, "{facts:?}");
    }
}

#[test]
fn a_certificate_is_named_by_its_file_or_its_fingerprint() {
    let mut ring = KeyRing::default();
    let judge = |ring: &KeyRing, signer: &str| {
        let facts = facts(OPENPGP, WITHIN);
        judge_openpgp(ring, &required(&[signer]), &["alice", OPENPGP], &facts)
    };
    let upper = OPENPGP.to_ascii_uppercase();
    for signer in ["alice", OPENPGP, &upper] {
        let signer = judge(&ring, signer).unwrap();
        assert_eq!(signer.to_string(), format!("alice ({OPENPGP})"));
    }
    assert_eq!(judge(&ring, "bob").unwrap_err().rule(), "signer-foreign");
    ring.revoked.insert(OPENPGP.into());
    assert_eq!(judge(&ring, "alice"), Err(Problem::Revoked(OPENPGP.into())));
}

#[test]
fn every_problem_reads_as_a_sentence_and_says_what_to_do() {
    let who = || "alice".to_owned();
    let text = |problem: Problem| {
        assert!(!problem.help().is_empty() && !problem.rule().is_empty());
        format!("it {problem}")
    };
    assert_eq!(text(Problem::Unsigned), "it is not signed");
    assert_eq!(
        text(Problem::Expired {
            who: who(),
            before: UNTIL
        }),
        "it is signed by alice after the key expired, on 2027-01-01 00:00:00 UTC"
    );
    assert_eq!(
        text(Problem::Unsupported("an RSA key".into())),
        "it is signed with an RSA key, which is not accepted"
    );
}

/// Pieces that lists are made of, and others.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("alice@example.org ".to_owned()),
        Just("namespaces=\"git\",".to_owned()),
        Just("valid-after=\"20260101\" ".to_owned()),
        Just("valid-before=\"".to_owned()),
        Just("cert-authority ".to_owned()),
        Just(format!("{ALICE} ")),
        Just("ssh-ed25519 ".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("#".to_owned()),
        ".{0,8}",
    ]
}

proptest! {
    #[test]
    fn hostile_lists_are_read_to_their_end(pieces in prop::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let (signers, findings) = read(&text);
        // Every line is an entry, is complained about, or says nothing.
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let lines = lines.filter(|line| !line.trim().is_empty()).count();
        prop_assert_eq!(signers.len() + findings.len(), lines);
        for finding in &findings {
            let line = text.lines().nth(finding.origin.line as usize - 1).unwrap();
            prop_assert!(finding.origin.column as usize <= line.chars().count() + 1);
        }
        for signer in &signers {
            prop_assert!(!signer.principals.0.is_empty());
            prop_assert_eq!(&signer.key.fingerprint, ALICE_KEY);
        }
        revoked_signers("revoked_signers", &text, &mut Vec::new());
    }

    #[test]
    fn a_line_survives_comments_and_white_space(before in "[ \t]*", between in "[ \t]+", after in "( .*)?") {
        let text = format!("{before}alice{between}{ALICE}{after}");
        let (signers, findings) = read(&text);
        prop_assert_eq!(findings, vec![]);
        prop_assert_eq!(&signers[0].key.fingerprint, ALICE_KEY);
    }
}
