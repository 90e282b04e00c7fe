//! Signatures of GnuPG, verified by sqv. What was made how: data/README.md.

use super::Case;
use bitbuilder_core::signature::Certificate;

const ALICE: &str = "b5ffee4837a3abec7b7a01b223d5d56bb70806e5";
const BOB: &str = "6339ac6db85727f19634c15c3c65ecc31edc91f0";
const EVE: &str = "4d62e3eef7203677f2d4d41157c21485290b129f";

macro_rules! data {
    ($name:literal) => {
        include_str!(concat!("data/", $name))
    };
}

/// A case whose ring has these certificates, all of which may sign.
fn case(certificates: &[(&str, &str)]) -> Case {
    let mut case = Case::new();
    for (name, armor) in certificates {
        case.ring.certificates.push(Certificate {
            name: (*name).to_owned(),
            armor: (*armor).to_owned(),
        });
        case.verify.signers.push((*name).to_owned());
    }
    case
}

#[test]
fn a_certificate_signs_when_the_registry_names_it() {
    let mut case = case(&[
        ("alice-pgp", data!("alice.asc")),
        ("bob-pgp", data!("bob.asc")),
    ]);
    let commit = case.repo.object(data!("alice.commit").as_bytes());
    case.accepts(None, &commit, &format!("alice-pgp ({ALICE})"));
    case.verify.signers = vec![ALICE.to_ascii_uppercase()];
    case.accepts(None, &commit, ALICE);
    case.verify.signers = vec!["bob-pgp".into()];
    case.refuses(None, &commit, "signer-foreign", "alice-pgp");
    case.verify.signers = vec!["alice-pgp".into()];
    case.revoke(ALICE);
    case.refuses(None, &commit, "signer-revoked", ALICE);
}

#[test]
fn forged_unknown_and_weak_signatures_are_refused() {
    let known = case(&[("alice-pgp", data!("alice.asc"))]);
    let forged = data!("alice.commit").replace("A change", "Another");
    let forged = known.repo.object(forged.as_bytes());
    known.refuses(None, &forged, "signature-bad", "does not belong");
    let weak = known.repo.object(data!("alice-sha1.commit").as_bytes());
    known.refuses(None, &weak, "signature-bad", "SHA1");
    let bob = known.repo.object(data!("bob.commit").as_bytes());
    known.refuses(None, &bob, "signer-unknown", BOB);
    let nobody = case(&[]);
    let commit = nobody.repo.object(data!("alice.commit").as_bytes());
    nobody.refuses(None, &commit, "signer-unknown", "no certificate");
    let garbage = data!("alice.commit").replace("iHUEABYKAB0WIQS1", "AAAAAAAAAAAAAAAA");
    let garbage = known.repo.object(garbage.as_bytes());
    known.refuses(None, &garbage, "signature-bad", "");
}

#[test]
fn a_certificate_has_its_time_and_its_end() {
    let eve = case(&[("eve", data!("eve.asc"))]);
    let late = eve.repo.object(data!("eve-late.commit").as_bytes());
    eve.refuses(None, &late, "signature-bad", "2026-02-01");
    let in_time = eve.repo.object(data!("eve-in-time.commit").as_bytes());
    eve.accepts(None, &in_time, EVE);

    let bob = case(&[("bob-pgp", data!("bob.asc"))]);
    let commit = bob.repo.object(data!("bob.commit").as_bytes());
    bob.accepts(None, &commit, BOB);
    // A revocation counts wherever it is, whatever another copy says.
    for order in [
        ["bob.asc", "bob-revoked.asc"],
        ["bob-revoked.asc", "bob.asc"],
    ] {
        let armor = |name| {
            if name == "bob.asc" {
                data!("bob.asc")
            } else {
                data!("bob-revoked.asc")
            }
        };
        let bob = case(&order.map(|name| ("bob-pgp", armor(name))));
        let commit = bob.repo.object(data!("bob.commit").as_bytes());
        bob.refuses(None, &commit, "signer-revoked", "");
    }
}

#[test]
fn a_signature_is_not_from_the_future() {
    let mut case = case(&[("alice-pgp", data!("alice.asc"))]);
    let commit = case.repo.object(data!("alice.commit").as_bytes());
    case.now = super::NOON - 2 * super::DAY;
    let verified = case.verify(None, &commit);
    assert!(verified.refusal.is_some(), "{verified:?}");
}
