//! The audit trail on a booted host: who did what is there, verifies elsewhere, and survives kills.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, generation, wait_healthy};
use serde_json::Value;

/// When a pass is killed, in the order of a pass: conditions of a shell in which `was` is the generation before.
const MOMENTS: [&str; 5] = [
    "test -e /var/lib/bitbuilder/audit/act.json",
    "test -e /var/lib/tenants/tiny/journal.json",
    "test $(readlink /var/lib/tenants/tiny/current) != $was",
    "test $(readlink /var/lib/tenants/tiny/current) != $was && ! test -e /var/lib/tenants/tiny/journal.json",
    "test $(readlink /var/lib/tenants/tiny/current) != $was && ! test -e /var/lib/bitbuilder/audit/act.json",
];

fn colour(colour: &str) -> String {
    let script = "echo $COLOR > /srv/color; exec busybox httpd -f -p 80";
    command(script, &format!("env: {{ COLOR: {colour} }}\n"))
}

/// A host with a tenant `tiny`, and its repository.
fn deployed(name: &str) -> (TestHost, Repository) {
    let host = TestHost::new(name);
    host.init();
    host.push_ok("system", Repository::system(&["tiny"]).path());
    let tiny = Repository::tenant("tiny");
    tiny.write("containers/web/config.yaml", &colour("red"));
    host.push_ok("tiny", tiny.path());
    wait_healthy(&host, "tiny");
    // What follows is what the test does.
    host.exec_ok([
        "systemctl",
        "stop",
        "bitbuilder-sync.timer",
        "bitbuilder-path@*.path",
    ]);
    (host, tiny)
}

/// The records, which must verify.
fn records(host: &TestHost) -> Vec<Value> {
    let text = host.exec_ok(["bbctl", "audit", "--verify", "--json"]);
    let trail: Value = serde_json::from_str(&text).unwrap();
    trail["records"].as_array().unwrap().clone()
}

fn events(record: &Value) -> impl Iterator<Item = &Value> {
    record["events"].as_array().into_iter().flatten()
}

/// Records with this event, or this command.
fn with<'a>(records: &'a [Value], word: &str) -> Vec<&'a Value> {
    let is = |record: &&Value| {
        record["command"]["name"] == word || events(record).any(|event| event["event"] == word)
    };
    records.iter().filter(is).collect()
}

#[test]
fn who_did_what_verifies_on_a_machine_that_trusts_nobody() {
    let (host, tiny) = deployed("audit");
    tiny.write("containers/web/config.yaml", &colour("green"));
    host.push_ok("tiny", tiny.path());
    wait_healthy(&host, "tiny");
    tiny.write("containers/web/config.yaml", "image: 7\n");
    assert!(!host.push("tiny", tiny.path()).accepted);
    host.exec_ok(["bbctl", "rollback", "tiny"]);
    assert!(
        !host
            .exec(["bbctl", "rollback", "tiny", "--to", "9"])
            .status
            .success()
    );
    host.exec_ok(["bbctl", "suspend", "tiny", "--reason", "a test"]);
    host.exec_ok(["bbctl", "resume", "tiny"]);
    host.exec_ok(["bbctl", "sync"]);
    host.exec_ok(["bbctl", "tenant", "add", "other", "--embedded"]);

    let records = records(&host);
    assert_eq!(with(&records, "audit-begun").len(), 1);
    for word in [
        "host-init",
        "system-accepted",
        "refused",
        "rolled-back",
        "suspend",
        "resume",
        "tenant-add",
    ] {
        assert!(
            !with(&records, word).is_empty(),
            "no {word} in {records:#?}"
        );
    }
    let deployed = with(&records, "deployed");
    assert_eq!(deployed.len(), 2, "{deployed:#?}");
    assert_eq!(deployed[1]["who"]["by"], "push");
    assert_eq!(deployed[1]["who"]["uid"], 0);
    let event = |record: &Value, word: &str| {
        events(record)
            .find(|event| event["event"] == word)
            .unwrap()
            .clone()
    };
    let second = event(deployed[1], "deployed");
    let back = with(&records, "rolled-back");
    assert_eq!(back[0]["who"]["by"], "operator");
    assert_eq!(event(back[0], "rolled-back")["target"], second["before"]);
    let failed = records
        .iter()
        .find(|record| !record["command"]["error"].is_null());
    let error = failed.unwrap()["command"]["error"].as_str().unwrap();
    assert!(error.contains("there is no generation 9"), "{error}");

    // The key is root's, and sealed by this host.
    let key = "/var/lib/bitbuilder/audit/key";
    assert_eq!(host.exec_ok(["stat", "-c", "%a %u", key]).trim(), "600 0");
    assert!(!host.read_file(key).contains("PRIVATE KEY"));
    let opened = [
        "systemd-creds",
        "decrypt",
        "--name=bitbuilder.audit-key",
        key,
        "-",
    ];
    assert!(host.exec_ok(opened).contains("BEGIN OPENSSH PRIVATE KEY"));

    // A clone and the public key, and nothing else of the host: no network, no root, none of its files.
    host.sh(
        "mkdir /opt/auditor; cd /opt/auditor; bbctl audit key > keys; \
             git clone -q /var/lib/bitbuilder/audit.git audit; chmod -R a+rX .",
    );
    let apart = "systemd-run --quiet --pipe --wait --collect -p DynamicUser=yes -p PrivateNetwork=yes \
                 -p InaccessiblePaths=/var/lib/bitbuilder -p WorkingDirectory=/opt/auditor";
    let verify = "bbctl audit --verify --repository audit --key keys";
    let head = host.sh("git -C /opt/auditor/audit rev-parse HEAD");
    let head = head.trim();
    let said = host.sh(&format!("{apart} {verify} --head {head}"));
    assert!(said.contains(&format!("Head {head}")), "{said}");
    let git = "git -c safe.directory=* -c gpg.ssh.allowedSignersFile=keys -C audit";
    let signatures = host
        .sh(&format!("cd /opt/auditor; {git} log --format=%G?")
            .replace("=keys", "=/opt/auditor/keys"));
    assert_eq!(signatures.lines().count(), records.len());
    assert!(signatures.lines().all(|line| line == "G"), "{signatures}");

    // Root of the host takes the last record away: whoever kept the head knows.
    host.sh("git -C /var/lib/bitbuilder/audit.git update-ref refs/heads/audit audit~1");
    host.exec_ok(["bbctl", "audit", "--verify"]);
    let cut = host.exec(["bbctl", "audit", "--verify", "--head", head]);
    assert!(!cut.status.success());
    assert!(String::from_utf8_lossy(&cut.stderr).contains("does not have the record"));
    // And edits one: everybody knows.
    host.sh("cd /var/lib/bitbuilder/audit.git; git update-ref refs/heads/audit $(git cat-file commit audit~2 | \
             sed s/tiny/nobody/ | git hash-object -t commit -w --stdin)");
    let edited = host.exec(["bbctl", "audit", "--verify"]);
    assert!(!edited.status.success());
    let said = String::from_utf8_lossy(&edited.stderr).into_owned();
    assert!(said.contains("its signature is not valid"), "{said}");
}

#[test]
fn kills_lose_no_record() {
    let (host, _tiny) = deployed("audit-kill");
    let mut script = String::from(
        "git clone -q /var/lib/bitbuilder/git/tiny.git /root/tiny; cd /root/tiny; \
         git config user.name t; git config user.email t@example.org\n",
    );
    for round in 0..MOMENTS.len() {
        script += &format!(
            "sed -i 's/COLOR: .* }}/COLOR: c{round} }}/' containers/web/config.yaml; \
             git commit -qam {round}; git tag r{round}\n"
        );
    }
    host.sh(&script);
    let mut seen = Vec::new();
    for (round, moment) in MOMENTS.iter().enumerate() {
        host.sh(&format!(
            "was=$(readlink /var/lib/tenants/tiny/current)\n\
             git -C /var/lib/bitbuilder/git/tiny.git fetch -q /root/tiny refs/tags/r{round}:refs/heads/main\n\
             systemctl start bitbuilder-sync.service & pass=$!\n\
             until {moment}; do kill -0 $pass || break; done\n\
             systemctl kill -s KILL bitbuilder-sync.service || true\n\
             wait $pass || true"
        ));
        seen.push(generation(&host, "tiny"));
        host.exec_ok(["bbctl", "sync", "tiny"]);
        seen.push(generation(&host, "tiny"));
    }
    let records = records(&host);
    for number in &seen {
        let told = records
            .iter()
            .any(|record| events(record).any(|event| event["target"]["generation"] == *number));
        assert!(told, "generation {number} was current; {records:#?}");
    }
    assert!(!host.exists("/var/lib/bitbuilder/audit/act.json"));
    let doctor = host.exec_ok(["sh", "-c", "bbctl doctor | grep '^audit'"]);
    assert!(doctor.contains("ok"), "{doctor}");
}
