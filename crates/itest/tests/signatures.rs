//! Signatures on a real host: what is not signed by who may sign is refused where it is pushed, and changes nothing.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::{TestHost, repository};
use common::{Repository, command, generation, invocation, status, wait_healthy};
use serde_json::json;

const WAIT: &str = "exec sleep infinity";

/// A person's work tree on the host, `/root/ID`, that pushes to the embedded repository of `id`.
struct Person<'h> {
    host: &'h TestHost,
    id: &'h str,
}

impl<'h> Person<'h> {
    fn new(host: &'h TestHost, id: &'h str) -> Self {
        host.sh(&format!(
            "git init -q -b main /root/{id} && cd /root/{id}\n\
             git config user.name P && git config user.email p@example.org && git config gpg.format ssh\n\
             git remote add host /var/lib/bitbuilder/git/{id}.git"
        ));
        Self { host, id }
    }

    fn sh(&self, script: &str) -> String {
        self.host.sh(&format!("cd /root/{} && {script}", self.id))
    }

    /// Commits all files; signed, if `signer` is somebody.
    fn commit(&self, message: &str, signer: Option<&str>) {
        let sign = signer.map_or_else(String::new, |name| {
            format!("-c user.signingKey=/root/keys/{name} ")
        });
        let flag = if signer.is_some() { "-S" } else { "" };
        self.sh(&format!(
            "git add -A && git {sign}commit -q --allow-empty {flag} -m '{message}'"
        ));
    }

    /// Whether the push was accepted, and what the person saw.
    fn push(&self) -> (bool, String) {
        let output = self.host.sh_try(&format!(
            "cd /root/{} && git push host HEAD:main 2>&1",
            self.id
        ));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.success(), text)
    }

    #[track_caller]
    fn pushes(&self) -> String {
        let (accepted, text) = self.push();
        assert!(accepted, "{text}");
        text
    }

    /// A push that has to be refused with these words; the commits go.
    #[track_caller]
    fn is_refused(&self, words: &[&str]) {
        let (accepted, text) = self.push();
        assert!(!accepted, "{text}");
        for words in words {
            assert!(text.contains(words), "`{words}` in {text}");
        }
        self.sh("git fetch -q host && git reset -q --hard host/main");
    }
}

/// Makes keys on the host; each is `NAME ssh-ed25519 AAAA...`.
fn keys(host: &TestHost, names: &[&str]) -> Vec<String> {
    host.sh("mkdir -p /root/keys");
    let key = |name: &&str| {
        let path = format!("/root/keys/{name}");
        host.sh(&format!("ssh-keygen -q -t ed25519 -N '' -C '' -f {path}"));
        format!("{name} {}", host.read_file(&format!("{path}.pub")).trim())
    };
    names.iter().map(key).collect()
}

/// A system repository in which tenant `id` has to sign as one of `signers`.
fn system(id: &str, signers: &[&str]) -> Repository {
    let system = Repository::new();
    let registry = json!({ "tenants": [ {
        "id": id,
        "repository": format!("file:///var/lib/bitbuilder/git/{id}.git"),
        "verify": { "commits": "required", "signers": signers },
    } ] });
    system.write("tenants/registry.json", &registry.to_string());
    system
}

fn container(color: &str) -> String {
    command(WAIT, &format!("env: {{ COLOR: {color} }}\n"))
}

#[test]
fn only_what_alice_signs_is_deployed() {
    let host = TestHost::new("signed");
    host.init();
    let keys = keys(&host, &["alice", "bob", "mallory"]);
    let system = system("shop", &["alice"]);
    let allowed = ".gitops/signers/allowed_signers";
    system.write(allowed, &keys[..2].join("\n"));
    host.push_ok("system", system.path());

    let alice = Person::new(&host, "shop");
    let metadata =
        r#"{ "tenant": { "id": "shop", "name": "Shop", "type": "container", "enabled": true } }"#;
    host.write_file("/root/shop/metadata.json", metadata);
    let paint = |color: &str| {
        host.write_file("/root/shop/containers/web/config.yaml", container(color));
    };
    paint("red");
    alice.commit("Paint it red", Some("alice"));
    let output = alice.pushes();
    assert!(output.contains("signed by alice (SHA256:"), "{output}");
    wait_healthy(&host, "shop");
    let signer = status(&host, "shop")["signer"].clone();
    assert!(
        signer.as_str().unwrap().starts_with("alice (SHA256:"),
        "{signer}"
    );
    let unit = "systemd-nspawn@shop-web.service";
    assert!(
        host.exec_ok(["bbctl", "explain", unit])
            .contains("Signer      alice")
    );
    let manifest = "/var/lib/tenants/shop/current/generation.json";
    assert!(
        host.read_file(manifest)
            .contains("\"signer\": \"alice (SHA256:")
    );

    // Nothing of this reaches the host.
    let before = (invocation(&host, "shop-web"), generation(&host, "shop"));
    let head = "git -C /var/lib/bitbuilder/git/shop.git rev-parse main";
    let commit = host.sh(head);
    paint("green");
    alice.commit("Nobody signs this", None);
    alice.is_refused(&[
        "error[unsigned]",
        "Nobody signs this",
        "git commit --amend -S",
    ]);
    paint("green");
    alice.commit("Nobody signs this", None);
    alice.commit("Alice does on top", Some("alice"));
    alice.is_refused(&["error[unsigned]", "Nobody signs this"]);
    alice.commit("By bob", Some("bob"));
    alice.is_refused(&["error[signer-foreign]", "signed by bob"]);
    alice.commit("By mallory", Some("mallory"));
    alice.is_refused(&["error[signer-unknown]"]);
    assert_eq!(host.sh(head), commit);

    // Alice's key ends, and then is lost: what she signs then stays out, what runs goes on.
    let ended = keys[0].replacen("alice ", "alice valid-before=\"20260101Z\" ", 1);
    system.write(allowed, &ended);
    host.push_ok("system", system.path());
    alice.commit("Too late", Some("alice"));
    alice.is_refused(&["error[signer-expired]", "2026-01-01"]);
    let fingerprint = host.sh("ssh-keygen -lf /root/keys/alice | cut -d' ' -f2");
    system.write(allowed, &keys[..2].join("\n"));
    system.write(".gitops/signers/revoked_signers", &fingerprint);
    host.push_ok("system", system.path());
    alice.commit("Stolen", Some("alice"));
    alice.is_refused(&["error[signer-revoked]", fingerprint.trim()]);
    assert_eq!(
        (invocation(&host, "shop-web"), generation(&host, "shop")),
        before
    );
    assert!(
        host.exec_ok(["bbctl", "status", "shop"])
            .contains("signer-revoked")
    );

    // Who writes the repository's files passes by the hook, and not the host.
    paint("blue");
    alice.commit("Slipped in", None);
    host.sh(
        "cd /var/lib/bitbuilder/git/shop.git && git fetch -q /root/shop HEAD && git update-ref refs/heads/main FETCH_HEAD",
    );
    let synced = host.exec(["bbctl", "sync", "shop"]);
    assert_eq!(synced.status.code(), Some(1), "{synced:?}");
    assert_eq!(
        (invocation(&host, "shop-web"), generation(&host, "shop")),
        before
    );
    let shown = status(&host, "shop");
    assert_eq!(shown["sync"], "OutOfSync");
    assert!(
        shown["refused"]["reason"]
            .as_str()
            .unwrap()
            .contains("it is not signed")
    );
}

#[test]
fn a_rewritten_remote_and_a_lost_mirror_are_refused_until_it_is_allowed() {
    let host = TestHost::new("mark");
    host.init();
    host.push_ok("system", Repository::system(&["shop"]).path());
    let shop = Repository::tenant("shop");
    shop.write("containers/web/config.yaml", &container("red"));
    host.push_ok("shop", shop.path());
    wait_healthy(&host, "shop");
    let before = (invocation(&host, "shop-web"), generation(&host, "shop"));

    // The remote has nothing of what is deployed, and the host has forgotten all but its generations.
    shop.write("containers/web/config.yaml", &container("blue"));
    host.put(shop.path(), "/root/rewritten");
    host.sh(
        "rm -rf /var/lib/bitbuilder/git/shop.git /var/lib/tenants/shop/config.git /var/lib/tenants/shop/state.json\n\
         cd /root/rewritten && rm -rf .git && git init -q -b main && git add -A\n\
         git -c user.name=P -c user.email=p@example.org commit -q -m 'Start anew'\n\
         git clone -q --bare . /var/lib/bitbuilder/git/shop.git",
    );
    let synced = host.exec(["bbctl", "sync", "shop"]);
    assert_eq!(synced.status.code(), Some(1), "{synced:?}");
    let reason = status(&host, "shop")["reason"].clone();
    assert!(
        reason.as_str().unwrap().contains("--allow-rewind"),
        "{reason}"
    );
    host.crash();
    host.boot();
    wait_healthy(&host, "shop");
    assert_eq!(generation(&host, "shop"), before.1);
    host.exec(["bbctl", "sync"]);
    assert_eq!(generation(&host, "shop"), before.1);

    host.exec_ok(["bbctl", "sync", "shop", "--allow-rewind"]);
    assert_eq!(generation(&host, "shop"), before.1 + 1);
    wait_healthy(&host, "shop");
    assert_eq!(status(&host, "shop")["sync"], "Synced");
}

#[test]
fn certificates_of_openpgp_sign_too() {
    let host = TestHost::new("openpgp");
    host.init();
    let data = repository().join("crates/host/src/signature/tests/data");
    // Alice's certificate is the operator's, Eve's the host's own.
    let alice = std::fs::read_to_string(data.join("alice.asc")).unwrap();
    let eve = "4d62e3eef7203677f2d4d41157c21485290b129f";
    let system = system("pgp", &["alice", eve]);
    system.write(".gitops/signers/alice.asc", &alice);
    host.push_ok("system", system.path());
    let place = format!("/etc/voa/debian/git-commit/default/openpgp/{eve}.openpgp");
    host.put(&data.join("eve.asc"), &place);
    let bundle = repository().join("crates/itest/tests/data/openpgp.bundle");
    host.put(&bundle, "/root/openpgp.bundle");

    let person = Person::new(&host, "pgp");
    person
        .sh("git fetch -q /root/openpgp.bundle good:good expired:expired && git checkout -q good");
    let output = person.pushes();
    let signed = "signed by alice (b5ffee4837a3abec7b7a01b223d5d56bb70806e5)";
    assert!(output.contains(signed), "{output}");
    wait_healthy(&host, "pgp");
    // As a unit too, where less is allowed than to a person.
    host.exec_ok(["systemctl", "start", "bitbuilder-sync.service"]);
    let before = (invocation(&host, "pgp-web"), generation(&host, "pgp"));

    person.sh("git checkout -q expired");
    person.is_refused(&["error[signature-bad]", "Expired on 2026-02-01"]);
    // A content of another commit with Alice's signature.
    person.sh(
        "git checkout -q good\n\
         parent=$(git rev-parse good)\n\
         git cat-file commit good | sed \"s/Paint it red/Forged/; /^author/i parent $parent\" >/root/forged\n\
         git reset -q --hard $(git hash-object -t commit -w /root/forged)",
    );
    person.is_refused(&["error[signature-bad]", "does not belong"]);
    assert_eq!(
        (invocation(&host, "pgp-web"), generation(&host, "pgp")),
        before
    );

    // The certificate is revoked: it is said of what runs, by the unit that verifies again.
    system.write(
        ".gitops/signers/revoked_signers",
        "b5ffee4837a3abec7b7a01b223d5d56bb70806e5\n",
    );
    host.push_ok("system", system.path());
    host.exec_ok(["systemctl", "start", "bitbuilder-sync.service"]);
    assert!(
        host.exec_ok(["bbctl", "status", "pgp"])
            .contains("signer-revoked")
    );
    assert_eq!(
        (invocation(&host, "pgp-web"), generation(&host, "pgp")),
        before
    );
}
