//! Keys in the directories of the host.

use super::Keys;
use crate::paths::HostRoot;
use crate::signature::voa::{Context, Found, read};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

const BOB: &str = "6339ac6db85727f19634c15c3c65ecc31edc91f0";

struct Case {
    directory: tempfile::TempDir,
    keys: Keys,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let keys = Keys::new(directory.path());
        let case = Self { directory, keys };
        let os = case.path("/usr/lib/os-release");
        fs::write(os, "ID=debian\nVERSION_ID=\"14\"\nNAME=x\n").unwrap();
        case
    }

    fn root(&self) -> HostRoot {
        HostRoot::new(self.directory.path())
    }

    /// `path` on the host, its directory made.
    fn path(&self, path: &str) -> PathBuf {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    /// A list of signers that allows `name`.
    fn allow(&self, path: &str, name: &str) {
        self.write(path, &format!("{name} {}\n", self.keys.public(name)));
    }

    fn read(&self, context: Context) -> Found {
        read(&self.root(), context)
    }

    /// Whose keys are known for tenants.
    fn principals(&self) -> Vec<String> {
        let found = self.read(Context::Tenants).keys.allowed;
        found
            .into_iter()
            .map(|signer| signer.principals.0)
            .collect()
    }
}

#[test]
fn keys_are_found_by_system_purpose_and_context() {
    let case = Case::new();
    assert_eq!(case.read(Context::System), Found::default());
    case.allow(
        "/etc/voa/debian/git-commit/default/ssh/allowed_signers",
        "alice",
    );
    case.allow(
        "/usr/share/voa/debian:14/git-commit/default/ssh/allowed_signers",
        "bob",
    );
    case.allow(
        "/run/voa/debian/git-commit/system/ssh/allowed_signers",
        "olga",
    );
    // Not of this system, purpose, context or technology.
    for other in [
        "fedora/git-commit/default/ssh",
        "debian:13/git-commit/default/ssh",
        "debian/package/default/ssh",
        "debian/git-commit/shop/ssh",
        "debian/git-commit/default/x509",
    ] {
        case.allow(&format!("/etc/voa/{other}/allowed_signers"), "mallory");
    }
    assert_eq!(case.principals(), ["alice", "bob"]);
    let system = case.read(Context::System).keys.allowed;
    let system: Vec<_> = system
        .iter()
        .map(|signer| signer.principals.0.as_str())
        .collect();
    assert_eq!(system, ["alice", "olga", "bob"]);
}

#[test]
fn an_earlier_directory_replaces_a_later_one_by_name() {
    let case = Case::new();
    let place = "debian/git-commit/default/ssh";
    case.allow(&format!("/usr/share/voa/{place}/allowed_signers"), "vendor");
    case.write(
        &format!("/usr/share/voa/{place}/carol.pub"),
        &case.keys.public("carol"),
    );
    assert_eq!(case.principals(), ["vendor", "carol"]);
    case.allow(
        &format!("/usr/local/share/voa/{place}/allowed_signers"),
        "local",
    );
    assert_eq!(case.principals(), ["local", "carol"]);
    case.allow(&format!("/etc/voa/{place}/allowed_signers"), "admin");
    assert_eq!(case.principals(), ["admin", "carol"]);
    // A mask takes the name away everywhere.
    symlink(
        "/dev/null",
        case.path(&format!("/run/voa/{place}/allowed_signers")),
    )
    .unwrap();
    symlink(
        "/dev/null",
        case.path(&format!("/etc/voa/{place}/carol.pub")),
    )
    .unwrap();
    assert_eq!(case.principals(), [""; 0]);
    assert_eq!(case.read(Context::Tenants).notes, [""; 0]);
    case.write(
        &format!("/etc/voa/{place}/revoked_signers"),
        &case.keys.fingerprint("carol"),
    );
    assert_eq!(case.read(Context::Tenants).keys.revoked.len(), 1);
}

#[test]
fn certificates_are_merged_and_have_to_be_what_their_name_says() {
    let case = Case::new();
    let place = "debian/git-commit/default/openpgp";
    let (bob, revoked) = (
        include_str!("data/bob.asc"),
        include_str!("data/bob-revoked.asc"),
    );
    case.write(&format!("/etc/voa/{place}/{BOB}.openpgp"), bob);
    case.write(&format!("/usr/share/voa/{place}/{BOB}.openpgp"), revoked);
    let found = case.read(Context::Tenants);
    assert_eq!(found.notes, [""; 0]);
    let armor: Vec<_> = found
        .keys
        .certificates
        .iter()
        .map(|one| one.armor.as_str())
        .collect();
    assert_eq!(armor, [bob, revoked]);
    assert!(found.keys.certificates.iter().all(|one| one.name == BOB));

    case.write(&format!("/run/voa/{place}/{}.openpgp", "0".repeat(40)), bob);
    case.write(&format!("/run/voa/{place}/bob.asc"), bob);
    let found = case.read(Context::Tenants);
    assert_eq!(found.keys.certificates.len(), 2);
    assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    symlink(
        "/dev/null",
        case.path(&format!("/run/voa/{place}/{BOB}.openpgp")),
    )
    .unwrap();
    assert_eq!(case.read(Context::Tenants).keys.certificates, []);
}

#[test]
fn links_lead_to_a_file_of_the_same_name_in_a_load_path() {
    let case = Case::new();
    let place = "debian/git-commit/default/ssh";
    case.allow(
        "/usr/share/voa/debian/package/default/ssh/allowed_signers",
        "vendor",
    );
    let link = case.path(&format!("/etc/voa/{place}/allowed_signers"));
    let target = |path: &str| {
        let _ = fs::remove_file(&link);
        symlink(path, &link).unwrap();
        (case.principals(), case.read(Context::Tenants).notes.len())
    };
    let vendor = || (vec!["vendor".to_owned()], 0);
    assert_eq!(
        target("/usr/share/voa/debian/package/default/ssh/allowed_signers"),
        vendor()
    );
    let relative = "../../../../../../usr/share/voa/debian/package/default/ssh/allowed_signers";
    assert_eq!(target(relative), vendor());
    case.allow("/srv/allowed_signers", "mallory");
    case.allow(
        "/run/voa/debian/package/default/ssh/allowed_signers",
        "mallory",
    );
    case.allow("/usr/share/voa/debian/package/default/ssh/other", "mallory");
    for refused in [
        "/srv/allowed_signers",
        "/usr/share/voa/../../../srv/allowed_signers",
        "/run/voa/debian/package/default/ssh/allowed_signers",
        "/usr/share/voa/debian/package/default/ssh/other",
        "/usr/share/voa/debian/package/default/ssh",
        "/nowhere",
    ] {
        assert_eq!(target(refused), (Vec::new(), 1), "{refused}");
    }
    // Below /run no link is followed, and only there and in /etc one masks.
    let _ = fs::remove_file(&link);
    let own = "/usr/share/voa/debian/package/default/ssh/allowed_signers";
    let run = case.path(&format!("/run/voa/{place}/allowed_signers"));
    symlink(own, &run).unwrap();
    assert_eq!(case.principals(), [""; 0]);
    fs::remove_file(&run).unwrap();
    case.allow(&format!("/usr/share/voa/{place}/carol.pub"), "x");
    symlink(
        "/dev/null",
        case.path(&format!("/usr/local/share/voa/{place}/carol.pub")),
    )
    .unwrap();
    assert_eq!(case.read(Context::Tenants).notes.len(), 2);
}

#[test]
fn what_cannot_be_read_is_noted_and_trusts_nobody() {
    let case = Case::new();
    let place = "/etc/voa/debian/git-commit/default";
    case.write(&format!("{place}/ssh/allowed_signers"), "alice nonsense\n");
    case.write(&format!("{place}/ssh/README"), "x");
    case.path(&format!("{place}/ssh/bob.pub/x"));
    fs::write(case.path(&format!("{place}/ssh/carol.pub")), [0xff]).unwrap();
    symlink("/srv", case.path(&format!("{place}/openpgp"))).unwrap();
    let found = case.read(Context::Tenants);
    assert_eq!(found.keys, Default::default());
    assert_eq!(found.notes.len(), 5, "{:?}", found.notes);
}
