//! Who wants to know is told: a webhook that was down for a while, a command, the journal.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, wait_healthy};
use serde_json::Value;

/// Exposure that `systemd-analyze security` may give our units.
const EXPOSURE: f64 = 2.0;

/// An HTTPS server that writes down what it gets, and whether the signature is right.
const RECEIVER: &str = r#"
import hashlib, hmac, http.server, json, ssl
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = "sha256=" + hmac.new(b"a secret", body, hashlib.sha256).hexdigest()
        line = {"signed": hmac.compare_digest(right, self.headers["X-BitBuilder-Signature-256"]),
                "event": self.headers["X-BitBuilder-Event"], "delivery": self.headers["X-BitBuilder-Delivery"],
                "body": json.loads(body)}
        with open("/root/received", "a") as file:
            file.write(json.dumps(line) + "\n")
        self.send_response(200 if self.path == "/hook" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()
server = http.server.HTTPServer(("127.0.0.1", 8443), Receiver)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/tls.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

const PAGER: &str = "#!/bin/sh\n{ id -u; cat; echo; } >> \"$STATE_DIRECTORY/log\"\n";

const POLICY: &str = "notifications:\n\
    \x20 - { webhook: \"https://localhost:8443/hook\", secret: hooks }\n\
    \x20 - { command: pager, events: [rolled-back, suspended] }\n";

/// A host that tells a webhook, which does not listen yet, and a command.
fn told(name: &str) -> (TestHost, Repository) {
    let host = TestHost::new(name);
    host.init();
    host.write_file("/root/receiver.py", RECEIVER);
    host.write_file("/etc/bitbuilder/notify.d/pager", PAGER);
    host.sh(
        "chmod 755 /etc/bitbuilder/notify.d/pager; mkdir -p /etc/credstore.encrypted; \
         echo 'a secret' | systemd-creds encrypt --name=bitbuilder.notify.hooks - \
             /etc/credstore.encrypted/bitbuilder.notify.hooks; \
         openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
             -keyout /root/key.pem -out /usr/local/share/ca-certificates/test.crt 2>/dev/null; \
         cat /root/key.pem /usr/local/share/ca-certificates/test.crt > /root/tls.pem; update-ca-certificates 2>/dev/null",
    );
    let system = Repository::system(&["tiny"]);
    system.write(".gitops/config.yaml", POLICY);
    host.push_ok("system", system.path());
    let tiny = Repository::tenant("tiny");
    tiny.write("containers/web/config.yaml", &colour("red"));
    host.push_ok("tiny", tiny.path());
    wait_healthy(&host, "tiny");
    (host, tiny)
}

fn colour(colour: &str) -> String {
    let script = "echo $COLOR > /srv/color; exec busybox httpd -f -p 80";
    command(script, &format!("env: {{ COLOR: {colour} }}\n"))
}

fn received(host: &TestHost) -> Vec<Value> {
    let text = host.sh("cat /root/received 2>/dev/null || true");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn of<'a>(received: &'a [Value], kind: &str) -> Vec<&'a Value> {
    received.iter().filter(|one| one["event"] == kind).collect()
}

#[test]
fn a_webhook_that_was_down_gets_everything_signed_and_once() {
    let (host, _tiny) = told("notify-webhook");
    // It is down; the pass went through all the same, and the manager tries again by itself.
    host.wait_sh("journalctl -b -u 'bitbuilder-notify@webhook-*' | grep -q 'it is tried again'");
    let doctor = host.sh("bbctl doctor || true");
    assert!(doctor.contains("wait"), "{doctor}");
    host.sh("systemd-run --quiet --unit=receiver python3 /root/receiver.py");
    host.wait_sh("curl -s -o /dev/null https://localhost:8443/");
    // Its turn would come, later each time.
    host.sh("systemctl restart 'bitbuilder-notify@webhook-*.service' || true");
    host.wait_for("the webhook has it", || {
        !of(&received(&host), "deployed").is_empty()
    });

    // The same again is not told.
    for _ in 0..2 {
        host.exec_ok(["bbctl", "suspend", "tiny", "--reason", "a \"test\"\\"]);
    }
    host.exec_ok(["bbctl", "resume", "tiny"]);
    host.wait_for("the webhook has that too", || {
        !of(&received(&host), "resumed").is_empty()
    });
    // A queue that is empty has told everything.
    host.wait_sh("test -z \"$(find /var/lib/bitbuilder/notify/queue /var/lib/bitbuilder/notify/new -type f)\"");
    let received = received(&host);
    assert!(
        received.iter().all(|one| one["signed"] == true),
        "{received:#?}"
    );
    let deployed = of(&received, "deployed");
    assert_eq!(deployed.len(), 1, "{received:#?}");
    let body = &deployed[0]["body"];
    assert_eq!(
        (&body["tenant"], &body["details"]["generation"]),
        (&"tiny".into(), &1.into())
    );
    assert_eq!(body["id"], deployed[0]["delivery"]);
    let suspended = of(&received, "suspended");
    assert_eq!(suspended.len(), 1, "{suspended:#?}");
    assert_eq!(suspended[0]["body"]["details"]["reason"], "a \"test\"\\");
    // Nothing of it stays in memory.
    let units = host.exec_ok([
        "systemctl",
        "list-units",
        "--no-legend",
        "--state=active,activating,failed",
        "bitbuilder-notify*.service",
    ]);
    assert_eq!(units.trim(), "", "{units}");
}

#[test]
fn a_command_of_the_operator_gets_what_it_wants_as_nobody_in_particular() {
    let (host, _tiny) = told("notify-command");
    host.exec_ok(["bbctl", "suspend", "tiny", "--reason", "a test"]);
    host.exec_ok(["bbctl", "resume", "tiny"]);
    let log = "/var/lib/private/bitbuilder-notify/pager/log";
    host.wait_for("the command ran", || host.exists(log));
    host.wait_sh("test -z \"$(find /var/lib/bitbuilder/notify/new /var/lib/bitbuilder/notify/queue/command-pager -type f)\"");
    let text = host.read_file(log);
    let mut lines = text.lines();
    assert_ne!(lines.next(), Some("0"), "{text}");
    let notice: Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!(notice["kind"], "suspended");
    assert_eq!(notice["message"], "tiny: suspended: a test");
    assert_eq!(
        text.matches("\"kind\"").count(),
        1,
        "only what it asked for: {text}"
    );

    // The journal has it in fields, by the id of the kind.
    let journal = host.journal(&["-b", "-o", "json", "BITBUILDER_EVENT=suspended"]);
    let entry: Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    for (field, value) in [
        ("BITBUILDER_TENANT", "tiny"),
        ("BITBUILDER_REASON", "a test"),
        ("PRIORITY", "5"),
        ("SYSLOG_IDENTIFIER", "bitbuilder"),
    ] {
        assert_eq!(entry[field], value, "{field} in {journal}");
    }
    let id = entry["MESSAGE_ID"].as_str().unwrap().to_owned();
    let same = host.journal(&["-b", "-o", "cat", &format!("MESSAGE_ID={id}")]);
    assert_eq!(same.trim(), "tiny: suspended: a test");
    let deployed = host.journal(&["-b", "-o", "json", "BITBUILDER_EVENT=deployed"]);
    assert!(
        deployed.contains("\"BITBUILDER_GENERATION\":\"1\""),
        "{deployed}"
    );
}

#[test]
fn the_units_have_no_more_than_they_need() {
    let host = TestHost::new("notify-units");
    for unit in [
        "bitbuilder-notify.service",
        "bitbuilder-notify@x.service",
        "bitbuilder-notify-webhook@x.service",
        "bitbuilder-notify-command@x.service",
    ] {
        let output = host.exec(["systemd-analyze", "security", "--no-pager", unit]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text
            .lines()
            .find(|line| line.contains("exposure level"))
            .unwrap();
        let number = line.split(": ").nth(1).unwrap().split(' ').next().unwrap();
        let exposure: f64 = number.parse().unwrap();
        assert!(exposure <= EXPOSURE, "{text}");
    }
}
