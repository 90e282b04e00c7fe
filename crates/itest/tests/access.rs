//! Repositories that need a key: ssh and https, each with its own secret and its own idea of who the remote is.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, status, wait_healthy};
use serde_json::{Value, json};

/// Commits whatever changed in the checkout that the shell is in, and pushes it to the bare repository beside it.
const COMMIT: &str = "git add -A; git -c user.name=t -c user.email=t@example.org commit -qm change; \
                      git push -q origin main; git rev-parse HEAD";

const SSHD: &str = "\
mkdir -p /root/forge /run/sshd; cd /root/forge; echo 'root:none:20000::::::' >>/etc/shadow
for key in host other right wrong; do ssh-keygen -q -t ed25519 -N '' -f $key; done
cp right.pub authorized; cp host presented
printf 'Port 2222\\nListenAddress 127.0.0.1\\nHostKey /root/forge/presented\\nAuthorizedKeysFile /root/forge/authorized\\n\
StrictModes no\\nPidFile none\\nUsePAM no\\nPerSourcePenalties no\\n' >sshd_config";
const SSHD_START: &str = "\
systemd-run --quiet --unit=forge /usr/sbin/sshd -D -e -f /root/forge/sshd_config
until ssh-keyscan -p 2222 127.0.0.1 2>/dev/null | grep -q .; do :; done";

const CERTIFICATES: &str = "\
mkdir -p /root/forge; cd /root/forge
for ca in ca other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$ca -keyout $ca.key -out $ca.pem
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=forge -keyout server.key -out server.csr
printf 'subjectAltName=IP:127.0.0.1' >extensions
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 2 -extfile extensions -out server.pem";

/// `git http-backend` behind TLS, for whoever knows the word.
const HTTPS: &str = r#"
import base64, http.server, os, ssl, subprocess, sys

WORD = "Basic " + base64.b64encode(sys.argv[1].encode()).decode()

class Forge(http.server.BaseHTTPRequestHandler):
    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Authorization") != WORD:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="forge"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        variables = dict(
            os.environ, GIT_PROJECT_ROOT="/srv/forge", GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path, QUERY_STRING=query,
            REQUEST_METHOD=self.command, CONTENT_TYPE=self.headers.get("Content-Type", ""),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""), REMOTE_ADDR="127.0.0.1")
        answer = subprocess.run(["git", "http-backend"], input=body, env=variables, stdout=subprocess.PIPE).stdout
        head, _, rest = answer.partition(b"\r\n\r\n")
        fields = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        self.send_response(int(dict(fields).get("Status", "200").split()[0]))
        for name, value in fields:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest)
    do_GET = do_POST = serve

server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Forge)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/root/forge/server.pem", "/root/forge/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"#;

/// A checkout `/root/NAME` with `files`, and the bare `/srv/forge/NAME.git` that it was pushed to; the commit.
fn publish(host: &TestHost, name: &str, files: &Repository) -> String {
    host.put(files.path(), &format!("/root/{name}"));
    let commit = host.sh(&format!(
        "cd /root/{name}; if ! [ -d .git ]; then git init -q -b main; git init -q --bare -b main /srv/forge/{name}.git; \
         git remote add origin /srv/forge/{name}.git; fi; {COMMIT}"
    ));
    commit.trim().to_owned()
}

/// A commit more in `/root/NAME`.
fn change(host: &TestHost, name: &str) -> String {
    let commit = host.sh(&format!("cd /root/{name}; date +%N >README.md; {COMMIT}"));
    commit.trim().to_owned()
}

/// What `systemd-creds encrypt` makes of `file` under `name`.
fn encrypted(host: &TestHost, name: &str, file: &str) -> String {
    host.sh(&format!("systemd-creds encrypt --name={name} {file} -"))
}

/// Registers `id` at `url`.
fn register(system: &Repository, id: &str, url: &str, access: Value) {
    let registry = json!({ "tenants": [{ "id": id, "repository": url, "access": access }] });
    system.write("tenants/registry.json", &registry.to_string());
    system.write(".gitops/config.yaml", "sync: { interval: 1h }\n");
}

/// A pass in the sandbox of the regular one.
fn regular(host: &TestHost) {
    host.sh("systemctl stop bitbuilder-sync.timer; systemctl start bitbuilder-sync.service");
    host.wait_sh("! systemctl -q is-active bitbuilder-sync.service");
}

fn failure(host: &TestHost, id: &str) -> String {
    let failure = &status(host, id)["fetch_failure"];
    let error = failure["error"].as_str();
    error
        .unwrap_or_else(|| panic!("{id} was fetched"))
        .to_owned()
}

/// Nothing that was opened is left on the host, nor said.
fn is_secret(host: &TestHost, text: &str) {
    host.sh(&format!(
        "! ls -A /run/bitbuilder/access 2>/dev/null | grep .; \
         ! grep -rqs -- '{text}' /run/bitbuilder /var/lib/bitbuilder /var/lib/tenants; \
         ! journalctl -b -o cat | grep -q -- '{text}'; ! bbctl status --json | grep -q -- '{text}'"
    ));
}

#[test]
fn ssh_with_a_key_of_its_own_from_the_host_that_is_known() {
    let host = TestHost::new("access-ssh");
    host.sh(SSHD);
    host.sh(SSHD_START);
    let url = |name: &str| format!("ssh://root@127.0.0.1:2222/srv/forge/{name}.git");
    let hosts = |key: &str| {
        host.sh(&format!(
            "printf '[127.0.0.1]:2222 '; cut -d' ' -f1,2 /root/forge/{key}.pub"
        ))
    };
    let system = Repository::new();
    for key in ["right", "wrong"] {
        system.write(
            &format!("access/{key}"),
            &encrypted(&host, key, &format!("/root/forge/{key}")),
        );
    }
    system.write("access/hosts", &hosts("host"));
    system.write("access/other-hosts", &hosts("other"));
    let access = |key: &str, hosts: &str| {
        let access = json!({ "sshKey": { "encrypted": format!("access/{key}") }, "knownHosts": format!("access/{hosts}") });
        register(&system, "shop", &url("shop"), access);
        publish(&host, "system", &system);
    };
    access("right", "hosts");
    publish(&host, "shop", &Repository::serving("shop"));

    // The system repository is opened by what the host has.
    host.sh(&format!(
        "mkdir -p /etc/credstore.encrypted /etc/bitbuilder; cd /etc/credstore.encrypted; \
         systemd-creds encrypt /root/forge/right bitbuilder.system.ssh-key; \
         ssh-keyscan -p 2222 127.0.0.1 2>/dev/null >/etc/bitbuilder/known_hosts; \
         bbctl host init --system-repo {}",
        url("system")
    ));
    regular(&host);
    wait_healthy(&host, "shop");
    is_secret(&host, "PRIVATE KEY");

    // Another key, which the remote does not know.
    access("wrong", "hosts");
    let deployed = status(&host, "shop")["commit"].clone();
    let commit = change(&host, "shop");
    host.exec(["bbctl", "sync"]);
    assert!(
        failure(&host, "shop").contains("Permission denied"),
        "{}",
        failure(&host, "shop")
    );
    assert_eq!(status(&host, "shop")["commit"], deployed);

    // A remote that is not who it shall be gets nothing, and the status says so.
    access("right", "other-hosts");
    host.exec(["bbctl", "sync"]);
    let text = host.exec_ok(["bbctl", "status", "shop"]);
    assert!(
        text.contains("Host key verification failed: nobody"),
        "{text}"
    );
    assert_eq!(status(&host, "shop")["commit"], deployed);

    // Known again: it goes on, although nobody was asked for a while.
    access("right", "hosts");
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(status(&host, "shop")["commit"], json!(commit));

    // The host that the system repository is on is held to its key, too.
    host.sh(&format!(
        "systemctl stop forge; cp /root/forge/other /root/forge/presented; {SSHD_START}"
    ));
    let output = host.exec(["bbctl", "sync"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("Host key verification failed"),
        "{text}"
    );
    is_secret(&host, "PRIVATE KEY");
}

#[test]
fn https_with_a_token_and_an_authority_of_its_own() {
    let host = TestHost::new("access-https");
    host.init();
    host.sh(CERTIFICATES);
    host.write_file("/root/forge/forge.py", HTTPS);
    host.sh("systemd-run --quiet --unit=forge python3 /root/forge/forge.py bot:s3cr3t-w0rd");
    host.wait_sh("curl -s --cacert /root/forge/ca.pem https://127.0.0.1:8443/");
    publish(&host, "shop", &Repository::serving("shop"));
    let system = Repository::new();
    for (name, word) in [("right", "bot:s3cr3t-w0rd"), ("wrong", "bot:another")] {
        host.sh(&format!("printf %s {word} >/root/forge/{name}"));
        system.write(
            &format!("access/{name}"),
            &encrypted(&host, name, &format!("/root/forge/{name}")),
        );
    }
    for ca in ["ca", "other"] {
        system.write(
            &format!("access/{ca}.pem"),
            &host.sh(&format!("cat /root/forge/{ca}.pem")),
        );
    }
    let access = |token: &str, ca: &str| {
        let access = json!({ "token": { "encrypted": format!("access/{token}") }, "ca": format!("access/{ca}.pem") });
        register(&system, "shop", "https://127.0.0.1:8443/shop.git", access);
        host.push("system", system.path());
        host.exec(["bbctl", "sync"]);
    };
    access("right", "ca");
    wait_healthy(&host, "shop");
    let commit = change(&host, "shop");
    regular(&host);
    assert_eq!(status(&host, "shop")["commit"], json!(commit));
    is_secret(&host, "s3cr3t-w0rd");

    access("right", "other");
    assert!(
        failure(&host, "shop").contains("certificate"),
        "{}",
        failure(&host, "shop")
    );
    access("wrong", "ca");
    let error = failure(&host, "shop");
    assert!(error.contains("Authentication failed"), "{error}");
    assert_eq!(status(&host, "shop")["commit"], json!(commit));

    // A ciphertext under another name than its own does not open.
    system.write(
        "access/renamed",
        &encrypted(&host, "right", "/root/forge/right"),
    );
    access("renamed", "ca");
    let error = failure(&host, "shop");
    assert!(error.contains("--name=renamed"), "{error}");
    access("right", "ca");
    assert_eq!(status(&host, "shop")["fetch_failure"], Value::Null);
}
