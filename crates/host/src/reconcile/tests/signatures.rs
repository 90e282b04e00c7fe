//! Passes that demand signatures.

use super::{WEB, World, container, find, git, name, only, silent};
use crate::events;
use crate::generations;
use crate::host::Host;
use crate::reconcile::{
    HistoryEvent, Options, PassError, TenantReport, TenantState, Verdict, accepted_system, pass,
    preview_commit, require_signatures, try_out,
};
use crate::signature::tests::{Keys, Repo};
use crate::source::open;
use bitbuilder_core::finding::Severity;
use bitbuilder_core::model::{Millis, Verify, VerifyCommits};
use serde_json::json;
use std::time::SystemTime;

/// A host whose tenant `one` has to sign as alice. Alice and Bob are in the system repository's list.
struct Signed {
    world: World,
    keys: Keys,
}

impl Signed {
    fn new(commits: &str) -> Self {
        let world = World::new(&["one"]);
        let keys = Keys::new(&world.repository(""));
        // Commits are made now: a host of another time would not believe them.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap().as_secs().to_string();
        std::fs::write(world.host.root().path().join("clock"), now).unwrap();
        let signed = Self { world, keys };
        signed.allow(&["alice", "bob"]);
        signed.demand(commits, "alice");
        signed
    }

    fn repo(&self, id: &str) -> Repo {
        Repo(self.world.repository(id))
    }

    /// Commits a list of signers.
    fn allow(&self, names: &[&str]) {
        let line = |name: &&str| format!("{name} {}\n", self.keys.public(name));
        let list: String = names.iter().map(line).collect();
        let path = ".gitops/signers/allowed_signers";
        self.world.commit("system", &[(path, &list)]);
    }

    fn demand(&self, commits: &str, signer: &str) {
        let verify = json!({ "verify": { "commits": commits, "signers": [signer] } });
        self.world.register_with(&[("one", verify)]);
    }

    /// A commit of `one`, signed by `name`.
    fn commit(&self, color: &str, name: &str) -> String {
        self.world.commit("one", &[(WEB, &container(color))]);
        self.repo("one").sign(&self.keys, name)
    }

    fn sync(&self) -> TenantReport {
        self.world.sync("one")
    }

    fn state(&self) -> TenantState {
        TenantState::read(self.world.host.root(), &name("one")).unwrap()
    }

    #[track_caller]
    fn refused(&self, words: &str) {
        let (state, generation) = (self.state(), self.world.generation("one"));
        let report = self.sync();
        assert_eq!(report.verdict, Verdict::Refused, "{report:?}");
        let error = report.error.unwrap();
        assert!(error.contains(words), "{error}");
        assert_eq!(report.findings[0].severity, Severity::Error);
        assert_eq!(self.world.generation("one"), generation);
        assert_eq!(self.state().deployed, state.deployed);
        assert_eq!(self.state().signer, state.signer);
    }
}

#[test]
fn a_signed_commit_is_deployed_and_its_signer_is_known_everywhere() {
    let case = Signed::new("required");
    let commit = case.commit("red", "alice");
    let report = case.sync();
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let signer = format!("alice ({})", case.keys.fingerprint("alice"));
    assert_eq!(report.signer.as_ref(), Some(&signer));
    assert_eq!(case.state().signer.as_ref(), Some(&signer));
    let root = case.world.host.root();
    let manifest = generations::read_current(root, &name("one"))
        .unwrap()
        .unwrap();
    assert_eq!(
        (manifest.commit, manifest.signer),
        (commit, Some(signer.clone()))
    );
    let events = events::read(root).unwrap();
    let deployed = events.iter().find_map(|record| match &record.event {
        HistoryEvent::Deployed { signer, .. } => Some(signer.clone()),
        _ => None,
    });
    assert_eq!(deployed, Some(Some(signer.clone())));
    let status = crate::observe::status(&case.world.host, None).unwrap();
    assert_eq!(status.tenants[0].signer.as_ref(), Some(&signer));

    // Nothing moved: nothing is forgotten.
    assert_eq!(case.sync().verdict, Verdict::Unchanged);
    assert_eq!(case.state().signer, Some(signer));
}

#[test]
fn what_is_not_signed_well_changes_nothing_until_it_is() {
    let case = Signed::new("required");
    case.world.sync("one");
    assert_eq!(case.world.generation("one"), None);
    case.commit("red", "alice");
    case.sync();
    let before = case.world.invocation("one-web");
    let middle = case.world.commit("one", &[(WEB, &container("green"))]);
    case.refused("it is not signed");
    case.commit("blue", "alice");
    case.refused(&format!("commit {} before it is not signed", &middle[..12]));
    assert_eq!(case.world.invocation("one-web"), before);

    // The branch is signed anew on top of what is deployed.
    let deployed = case.state().deployed.unwrap();
    case.repo("one").git(&["reset", "-q", "--hard", &deployed]);
    case.commit("blue", "bob");
    case.refused("it is signed by bob");
    case.demand("required", "bob");
    assert_eq!(case.sync().verdict, Verdict::Applied);
    assert!(case.state().signer.unwrap().starts_with("bob"));
    assert_eq!(case.state().refused, None);
}

#[test]
fn a_key_that_is_revoked_or_unknown_today_may_be_good_tomorrow() {
    let case = Signed::new("required");
    case.commit("red", "alice");
    case.sync();
    case.allow(&["bob"]);
    case.commit("green", "alice");
    case.refused("not known here");
    case.allow(&["alice"]);
    assert_eq!(case.sync().verdict, Verdict::Applied);

    let revoked = ".gitops/signers/revoked_signers";
    case.world
        .commit("system", &[(revoked, &case.keys.public("alice"))]);
    // What runs goes on, and it is said.
    let report = case.sync();
    assert!(!report.verdict.is_bad(), "{report:?}");
    let finding = &case.state().findings[0];
    assert_eq!(
        (finding.severity, finding.rule.as_str()),
        (Severity::Warning, "signer-revoked")
    );
    assert_eq!(case.state().signer, None);
    case.commit("blue", "alice");
    case.refused("revoked");
}

#[test]
fn a_host_has_keys_of_its_own() {
    let case = Signed::new("required");
    case.allow(&["bob"]);
    case.commit("red", "alice");
    case.refused("not known here");
    let place = "/etc/voa/linux/git-commit/default/ssh/alice.pub";
    let path = case.world.host.root().join(place);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, case.keys.public("alice")).unwrap();
    assert_eq!(case.sync().verdict, Verdict::Applied);
    // A pass sees that the key is gone, though no repository moved.
    case.world.pass(&Options::default());
    std::fs::remove_file(path).unwrap();
    case.sync();
    assert_eq!(case.state().findings[0].rule, "signer-unknown");
}

#[test]
fn a_warning_says_it_and_deploys() {
    let case = Signed::new("warn");
    let report = case.sync();
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    assert_eq!(report.findings[0].rule, "unsigned");
    assert_eq!(case.state().findings[0].severity, Severity::Warning);
    assert_eq!(case.state().signer, None);
}

#[test]
fn a_preview_judges_signatures_and_a_directory_has_none() {
    let case = Signed::new("required");
    case.commit("red", "alice");
    case.sync();
    let unsigned = case.world.commit("one", &[(WEB, &container("green"))]);
    let repository = open(&case.world.repository("one").join(".git")).unwrap();
    let one = name("one");
    let preview =
        |commit: &str| preview_commit(&case.world.host, Some(&one), &repository, commit).unwrap();
    let refused = preview(&unsigned);
    assert_eq!(refused.findings[0].rule, "unsigned");
    assert_eq!(refused.plans().count(), 0);
    assert_eq!(refused.tenants[0].verdict, Verdict::Refused);
    let good = preview(&case.repo("one").sign(&case.keys, "alice"));
    assert_eq!(good.findings, []);
    assert_eq!(good.plans().count(), 1);
    assert!(good.signer.unwrap().starts_with("alice"));
}

/// Lets the policy say that olga signs the system repository.
fn system_verify(case: &Signed, commits: &str) {
    let policy = format!("verify: {{ system: {{ commits: {commits}, signers: [olga] }} }}\n");
    case.world
        .commit("system", &[(".gitops/config.yaml", &policy)]);
}

#[test]
fn nobody_turns_the_verification_of_the_system_off_without_a_signature() {
    let case = Signed::new("off");
    case.allow(&["olga", "alice"]);
    system_verify(&case, "required");
    case.world.pass(&Options::default());
    let accepted = || accepted_system(&case.world.host).unwrap().commit;
    let before = accepted();

    // Not even with a list that has another key, or by another who is in the list.
    case.allow(&["olga", "mallory"]);
    system_verify(&case, "off");
    for signer in [None, Some("mallory"), Some("alice")] {
        let mut newest = case.repo("system").head();
        if let Some(signer) = signer {
            case.world.commit("system", &[]);
            newest = case.repo("system").sign(&case.keys, signer);
        }
        let report = case.world.pass(&Options::default());
        assert!(!report.succeeded());
        assert_eq!(report.system.commit.as_ref(), Some(&before));
        assert_eq!(report.system.refused, Some(newest.clone()));
        assert_eq!(accepted(), before);
        let repository = open(&case.world.repository("system").join(".git")).unwrap();
        let preview = preview_commit(&case.world.host, None, &repository, &newest).unwrap();
        assert!(
            preview
                .findings
                .iter()
                .any(|finding| finding.rule == "unsigned")
        );
    }

    case.repo("system").git(&["reset", "-q", "--hard", &before]);
    system_verify(&case, "off");
    let good = case.repo("system").sign(&case.keys, "olga");
    let report = case.world.pass(&Options::default());
    assert!(report.succeeded(), "{report:?}");
    assert_eq!(accepted(), good);
    assert!(report.system.signer.unwrap().starts_with("olga"));
    // From now on anybody.
    case.world.register(&["one"]);
    assert!(case.world.pass(&Options::default()).succeeded());
}

#[test]
fn a_host_can_insist_whatever_the_policy_says() {
    let case = Signed::new("off");
    let verify = Verify {
        commits: VerifyCommits::Required,
        signers: vec![case.keys.fingerprint("olga")],
    };
    require_signatures(&case.world.host, verify).unwrap();
    let error = pass(&case.world.host, &Options::default(), &mut super::silent).unwrap_err();
    let PassError::System { findings, .. } = error else {
        panic!("{error}")
    };
    assert_eq!(findings[0].rule, "unsigned");
    let first = case.repo("system").sign(&case.keys, "olga");
    case.world.pass(&Options::default());
    assert_eq!(accepted_system(&case.world.host).unwrap().commit, first);

    case.world.register(&["one"]);
    let report = case.world.pass(&only("one"));
    assert_eq!(report.system.commit, Some(first));
    assert!(report.system.error.unwrap().contains("it is not signed"));
    assert_eq!(
        find(case.world.pass(&only("one")), "one").tenant,
        name("one")
    );
}

#[test]
fn what_is_not_signed_is_not_tried_either() {
    let case = Signed::new("required");
    case.commit("red", "alice");
    case.sync();
    let repository = case.world.repository("one");
    git(&repository, &["checkout", "-q", "-b", "try"]);
    let host = &case.world.host;
    let start = || try_out(host, &name("one"), Some("try"), Millis(60_000), &mut silent).unwrap();
    case.world.commit("one", &[(WEB, &container("green"))]);
    let report = start();
    assert_eq!(report.verdict, Verdict::Refused, "{report:?}");
    assert_eq!(report.findings[0].severity, Severity::Error);
    assert_eq!(case.state().trial, None);
    case.repo("one").sign(&case.keys, "alice");
    let report = start();
    assert_eq!(report.verdict, Verdict::Applied, "{report:?}");
    let signer = report.signer.unwrap();
    assert!(signer.starts_with("alice ("), "{signer}");
    let trial = case.state().trial.unwrap();
    assert_eq!(trial.signer, Some(signer));
}
