//! Changes of one field each on a host that works: what the plan says is what happens, what need not be touched goes on, and
//! connections that are established stay.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, inside, wait_healthy, works};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

const DB: &str = "containers/db/config.yaml";
const APP: &str = "containers/app/config.yaml";
const CLIENT: &str = "containers/client/config.yaml";
const MOVER: &str = "containers/mover/config.yaml";
const EXTRA: &str = "containers/extra/config.yaml";
const TOPOLOGY: &str = "network/topology.yaml";
const FIREWALL: &str = "network/firewall/10-box.yaml";
const METADATA: &str = "metadata.json";

const UNIT_DB: &str = "systemd-nspawn@box-db.service";
const UNIT_APP: &str = "systemd-nspawn@box-app.service";
const ROOT_APP: &str = "var-lib-tenants-box-containers-app-rootfs.mount";
const TIMER_DB: &str = "tenant-health@box-db.timer";

/// `db` answers everybody with what he says; `client` talks to it, and so does the host through a published port. `app` is
/// a command, `mover` somebody whose address changes.
fn documents() -> BTreeMap<&'static str, Value> {
    let image = json!({ "template": "tenant-container" });
    let network = |address: &str| json!([{ "network": "default", "address": address }]);
    BTreeMap::from([
        (
            METADATA,
            json!({
                "tenant": { "id": "box", "type": "container", "enabled": true },
                "resources": { "cpu": 2, "memory": "2G", "tasks": 4000 },
            }),
        ),
        (
            DB,
            json!({
                "image": image, "boot": true, "networks": network("10.64.50.10"),
                "resources": { "cpu": 1, "memory": "512M", "tasks": 500 },
                "health": { "tcp": 7000, "interval": "1s" },
            }),
        ),
        (
            CLIENT,
            json!({
                "image": image, "boot": true, "networks": network("10.64.50.11"), "dependsOn": ["db"],
            }),
        ),
        (
            MOVER,
            json!({ "image": image, "boot": true, "networks": network("10.64.50.12") }),
        ),
        (
            APP,
            json!({
                "image": image, "command": ["/bin/sh", "-c", "exec sleep infinity"],
                "networks": network("10.64.50.13"), "env": { "COLOR": "red" },
            }),
        ),
        (
            TOPOLOGY,
            json!({
                "networks": { "default": { "mode": "isolated-bridge", "subnet": "10.64.50.0/24" } },
                "publish": [{ "port": 8000, "protocol": "tcp", "to": "db", "toPort": 7000 }],
            }),
        ),
    ])
}

/// What `db` runs, by files of its overlay: an echo on port 7000.
const ECHO: [(&str, &str); 3] = [
    (
        "etc/systemd/system/echo.socket",
        "[Socket]\nListenStream=7000\nAccept=yes\n",
    ),
    (
        "etc/systemd/system/echo@.service",
        "[Service]\nExecStart=cat\nStandardInput=socket\nStandardOutput=socket\n",
    ),
    (
        "etc/systemd/system/sockets.target.d/echo.conf",
        "[Unit]\nWants=echo.socket\n",
    ),
];

/// One change.
struct Case {
    name: &'static str,
    /// Values at pointers of documents; null takes away.
    edits: Vec<(&'static str, &'static str, Value)>,
    /// Other files.
    files: Vec<(&'static str, String)>,
    /// What the plan calls its dearest step; none when there is nothing to do.
    class: Option<&'static str>,
    /// Units with another invocation, all others keep theirs.
    restarts: &'static [&'static str],
    /// Units that come, or go.
    moves: &'static [&'static str],
    /// What the host and the containers show then.
    shows: Box<dyn Fn(&TestHost)>,
}

fn case(name: &'static str, class: &'static str, shows: impl Fn(&TestHost) + 'static) -> Case {
    Case {
        name,
        edits: Vec::new(),
        files: Vec::new(),
        class: Some(class),
        restarts: &[],
        moves: &[],
        shows: Box::new(shows),
    }
}

impl Case {
    fn set(mut self, path: &'static str, pointer: &'static str, value: Value) -> Self {
        self.edits.push((path, pointer, value));
        self
    }

    fn restarts(mut self, units: &'static [&'static str]) -> Self {
        self.restarts = units;
        self
    }

    fn moves(mut self, units: &'static [&'static str]) -> Self {
        self.moves = units;
        self
    }
}

/// Limits, rules, names, checks, policies and addresses.
fn live() -> Vec<Case> {
    vec![
        case("less processor", "live", property(UNIT_DB, "CPUQuotaPerSecUSec", "500ms"))
            .set(DB, "/resources/cpu", json!(0.5)),
        case("less memory", "live", property(UNIT_DB, "MemoryMax", "268435456"))
            .set(DB, "/resources/memory", json!("256M")),
        case("fewer tasks", "live", property(UNIT_DB, "TasksMax", "400"))
            .set(DB, "/resources/tasks", json!(400)),
        case("what the template says", "live", property(UNIT_DB, "MemoryMax", "536870912"))
            .set(DB, "/resources/memory", Value::Null),
        case("less for the whole tenant", "live", property("tenant-box.slice", "MemoryMax", "1610612736"))
            .set(METADATA, "/resources/memory", json!("1536M")),
        case("a firewall rule", "live", |host| rules(host, "8443", true)).set(
            FIREWALL,
            "",
            json!({ "rules": [{ "from": "any", "to": "app", "protocol": "tcp", "ports": [8443], "action": "accept" }] }),
        ),
        case("another firewall rule", "live", |host| rules(host, "8443", false))
            .set(FIREWALL, "/rules/0/ports", json!([8444])),
        case("a rule that closes", "live", |host| {
            // What is established goes on, which every case looks at; what is new does not get through.
            let new = inside(host, "box-client", "busybox nc -w 2 db 7000 </dev/null");
            assert!(!new.status.success(), "{new:?}");
        })
        .set(
            FIREWALL,
            "/rules/1",
            json!({ "from": "client", "to": "db", "protocol": "tcp", "ports": [7000], "action": "drop" }),
        ),
        case("one more published port", "live", |host| drop(host.wait_sh("bash -c 'exec 3<>/dev/tcp/127.0.0.1/8001'")))
            .set(TOPOLOGY, "/publish/1", json!({ "port": 8001, "protocol": "tcp", "to": "db", "toPort": 7000 })),
        case("another interval of a check", "live", property(TIMER_DB, "AccuracyUSec", "100ms"))
            .set(DB, "/health/interval", json!("2s"))
            .restarts(&[TIMER_DB]),
        case("another check", "live", |host| wait_healthy(host, "box"))
            .set(DB, "/health", json!({ "command": ["/bin/true"], "interval": "2s" })),
        case("another restart policy", "live", property(UNIT_DB, "Restart", "always"))
            .set(DB, "/restart", json!("always")),
        case("nobody to wait for", "live", |host| {
            let after = show(host, "systemd-nspawn@box-client.service", "After");
            assert!(!after.contains("box-db"), "{after}");
        })
        .set(CLIENT, "/dependsOn", Value::Null),
        case("a new neighbour", "live", |host| {
            host.wait_for("its name and address", || {
                inside(host, "box-client", "busybox ping -c 1 -W 2 extra").status.success()
            });
        })
        .set(EXTRA, "", json!({ "boot": true, "networks": [{ "network": "default", "address": "10.64.50.20" }] }))
        .moves(&["systemd-nspawn@box-extra.service", "var-lib-tenants-box-containers-extra-rootfs.mount"]),
        case("another address", "live", |host| {
            host.wait_for("the new address by DHCP", || {
                works(host, "box-mover", "ip -4 -o address show").contains("inet 10.64.50.22/24")
            });
            host.wait_for("the way to others from there", || {
                let ping = "busybox ping -c 1 -W 2 10.64.50.11";
                inside(host, "box-mover", ping).status.success()
            });
            assert!(works(host, "box-client", "cat /etc/hosts").contains("10.64.50.22\tmover."));
        })
        .set(MOVER, "/networks/0/address", json!("10.64.50.22")),
        case("names that are not told", "live", |host| {
            let names = works(host, "box-client", "cat /etc/hosts");
            assert!(!names.contains("db.default") && names.contains("client.default"), "{names}");
        })
        .set(TOPOLOGY, "/networks/default/dns", json!(false)),
    ]
}

/// What restarts, or makes anew, its own container and nothing else.
fn dearer(host: &TestHost) -> Vec<Case> {
    let environment = |expected: &'static str| {
        move |host: &TestHost| {
            host.wait_active(UNIT_APP);
            let text = host.exec_ok(["systemctl", "cat", UNIT_APP]);
            assert!(text.contains(expected), "{text}");
        }
    };
    let mut overlay = case("a file of the overlay", "recreate", |host| {
        host.wait_active(UNIT_APP);
        let root = "/var/lib/tenants/box/containers/app/rootfs";
        assert_eq!(host.read_file(&format!("{root}/etc/motto")), "two\n");
    })
    .restarts(&[UNIT_APP, ROOT_APP]);
    overlay.files = vec![(
        "containers/app/rootfs-overlay/etc/motto",
        "two\n".to_owned(),
    )];
    let mut credential = case("a credential", "restart", |host| {
        host.wait_active(UNIT_APP);
        let given = "cat /proc/$(machinectl show --property=Leader --value box-app)/root/run/host/credentials/token";
        assert_eq!(host.wait_sh(given), "secret");
    })
    .set(
        APP,
        "/credentials",
        json!({ "token": { "encrypted": "token.cred" } }),
    )
    .restarts(&[UNIT_APP]);
    let encrypt = "printf secret | systemd-creds encrypt --with-key=host --name=token - -";
    credential.files = vec![("containers/app/token.cred", host.sh(encrypt))];
    vec![
        case("another environment", "restart", environment("COLOR=blue"))
            .set(APP, "/env/COLOR", json!("blue"))
            .restarts(&[UNIT_APP]),
        case("another command", "restart", environment("sleep 1234567"))
            .set(
                APP,
                "/command",
                json!(["/bin/sh", "-c", "exec sleep 1234567"]),
            )
            .restarts(&[UNIT_APP]),
        case("a volume", "restart", |host| {
            host.wait_active(UNIT_APP);
            assert!(host.exists("/var/lib/tenants/box/volumes/data"));
        })
        .set(
            APP,
            "/volumes",
            json!([{ "name": "data", "mount": "/data" }]),
        )
        .restarts(&[UNIT_APP]),
        overlay,
        credential,
        case("no IPv6", "restart", |host| {
            host.wait_active(UNIT_APP);
            let bridge = host.exec_ok(["networkctl", "status", "--no-pager", "br-box"]);
            assert!(!bridge.contains("fd00:bb"), "{bridge}");
        })
        .set(TOPOLOGY, "/networks/default/ipv6", json!("off"))
        .restarts(&[UNIT_APP]),
        case("a neighbour that goes", "destroy", |host| {
            let gone = host.exec_ok(["systemctl", "list-units", "--all", "--plain", "*box*extra*"]);
            assert!(!gone.contains("box-extra.service"), "{gone}");
        })
        .set(EXTRA, "", Value::Null)
        .moves(&[
            "systemd-nspawn@box-extra.service",
            "var-lib-tenants-box-containers-extra-rootfs.mount",
        ]),
    ]
}

/// A tenant whose documents change, and two connections that shall stay.
struct Stage {
    host: TestHost,
    repository: Repository,
    documents: BTreeMap<&'static str, Value>,
    said: Cell<u32>,
}

impl Stage {
    fn new() -> Self {
        let host = TestHost::new("changes");
        host.init();
        host.push_ok("system", Repository::system(&["box"]).path());
        let repository = Repository::new();
        for (path, text) in ECHO {
            repository.write(&format!("containers/db/rootfs-overlay/{path}"), text);
        }
        repository.write("containers/app/rootfs-overlay/etc/motto", "one\n");
        let stage = Self {
            host,
            repository,
            documents: documents(),
            said: Cell::new(0),
        };
        stage.write();
        stage.host.push_ok("box", stage.repository.path());
        wait_healthy(&stage.host, "box");
        stage
    }

    fn write(&self) {
        for (path, document) in &self.documents {
            self.repository.write(path, &format!("{document:#}\n"));
        }
    }

    /// Opens the lines: from `client`, and from the host by the published port.
    fn connect(&self) {
        self.host.wait_for("a line between containers", || {
            let line = "systemctl reset-failed line 2>/dev/null; rm -f /run/in; mkfifo /run/in; \
                        systemd-run --quiet --unit=line sh -c 'exec 3<>/run/in; exec busybox nc db 7000 <&3 >/run/out'";
            inside(&self.host, "box-client", line).status.success()
                && works(&self.host, "box-client", "systemctl is-active line || true") == "active\n"
        });
        self.host.sh(
            "rm -f /run/in; mkfifo /run/in; systemd-run --quiet --unit=line bash -c \
             'exec 4<>/run/in; exec 3<>/dev/tcp/127.0.0.1/8000; cat <&3 >/run/out & exec cat <&4 >&3'",
        );
    }

    /// Whether both lines still answer, each on the connection that it began with.
    fn talk(&self) -> (bool, bool) {
        self.said.set(self.said.get() + 1);
        let say = format!(
            "systemctl -q is-active line && echo word-{0} >/run/in && \
             i=0; until grep -qx word-{0} /run/out; do i=$((i + 1)); test $i -lt 100 || exit 1; sleep 0.1; done",
            self.said.get()
        );
        (
            inside(&self.host, "box-client", &say).status.success(),
            self.host.sh_try(&say).status.success(),
        )
    }

    fn edit(&mut self, case: &Case) {
        for (path, pointer, value) in &case.edits {
            if pointer.is_empty() && value.is_null() {
                self.documents.remove(path);
                let (directory, _) = path.rsplit_once('/').unwrap();
                self.repository.remove(directory);
                continue;
            }
            let document = self.documents.entry(path).or_insert(Value::Null);
            change(document, pointer, value);
        }
        self.write();
        for (path, text) in &case.files {
            self.repository.write(path, text);
        }
    }

    /// Plans the change from a directory, pushes it, and compares.
    fn run(&mut self, case: &Case) {
        let name = case.name;
        self.edit(case);
        self.host.sh("rm -rf /root/plan");
        self.host.put(self.repository.path(), "/root/plan");
        let plan = [
            "bbctl",
            "plan",
            "box",
            "--repository",
            "/root/plan",
            "--json",
        ];
        let planned = self.host.exec(plan);
        let report: Value = serde_json::from_slice(&planned.stdout).unwrap();
        assert_eq!(planned.status.code(), Some(4), "{name}: {report:#}");
        let announced = Announced::of(&report["tenants"][0]["plan"]);
        assert_eq!(
            announced.class,
            case.class.unwrap_or_default(),
            "{name}: {report:#}"
        );

        let before = invocations(&self.host);
        let output = self.host.push_ok("box", self.repository.path());
        wait_healthy(&self.host, "box");
        let after = invocations(&self.host);
        let restarted = restarted(&before, &after);
        assert_eq!(restarted, set(case.restarts), "{name}: {output}");
        assert_eq!(moved(&before, &after), set(case.moves), "{name}: {output}");
        let moved = moved(&before, &after);
        let touched: BTreeSet<String> = restarted.union(&moved).cloned().collect();
        // Mounts and timers come and go with what stands on them or is checked by them.
        let follows = |unit: &&String| unit.ends_with(".mount") || unit.ends_with(".timer");
        let silent = touched.difference(&announced.units);
        assert!(
            silent.clone().all(|unit| follows(&unit)),
            "{name}: {silent:?}"
        );
        assert!(
            announced.units.is_subset(&touched),
            "{name}: {:?}",
            announced.units
        );
        (case.shows)(&self.host);
    }
}

/// What a plan says that it touches.
struct Announced {
    class: String,
    units: BTreeSet<String>,
}

impl Announced {
    fn of(plan: &Value) -> Self {
        const ORDER: [&str; 4] = ["live", "restart", "recreate", "destroy"];
        let steps = plan["steps"].as_array().unwrap();
        let class = steps.iter().map(|step| step["class"].as_str().unwrap());
        let dearest = class.max_by_key(|class| ORDER.iter().position(|one| one == class));
        let units = steps
            .iter()
            .filter_map(|step| match step["action"]["do"].as_str() {
                Some("stop" | "start") => step["action"]["units"].as_array(),
                _ => None,
            });
        Self {
            class: dearest.unwrap_or_default().to_owned(),
            units: units
                .flatten()
                .map(|unit| unit.as_str().unwrap().to_owned())
                .collect(),
        }
    }
}

#[test]
fn what_is_live_touches_no_process_and_breaks_no_connection() {
    let mut stage = Stage::new();
    stage.connect();
    stage
        .host
        .wait_for("the first words", || stage.talk() == (true, true));
    for case in live() {
        stage.run(&case);
        assert_eq!(stage.talk(), (true, true), "{}: the connections", case.name);
    }
    nothing(&mut stage);
    for case in dearer(&stage.host) {
        stage.run(&case);
        assert_eq!(stage.talk(), (true, true), "{}: the connections", case.name);
    }
    unpublished(&mut stage);
    end_of_a_line(&mut stage);
}

/// Another commit that says the same: no plan, no generation, no unit.
fn nothing(stage: &mut Stage) {
    let before = (
        invocations(&stage.host),
        common::generation(&stage.host, "box"),
    );
    stage.repository.write("docs/notes.md", "Notes.\n");
    stage.host.push_ok("box", stage.repository.path());
    let plan = stage.host.exec(["bbctl", "plan"]);
    assert_eq!(plan.status.code(), Some(0), "{plan:?}");
    stage.host.exec_ok(["bbctl", "sync"]);
    let after = (
        invocations(&stage.host),
        common::generation(&stage.host, "box"),
    );
    assert_eq!(before, after);
    assert_eq!(stage.talk(), (true, true));
}

/// What is taken back closes what came by it, touches no process and no other connection.
fn unpublished(stage: &mut Stage) {
    let taken_back = case("a port that is published no more", "live", |host| {
        let new = host.sh_try("timeout 3 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8000'");
        assert!(!new.status.success(), "port 8000 is still published");
    })
    .set(TOPOLOGY, "/publish/0", Value::Null);
    stage.run(&taken_back);
    assert_eq!(stage.talk(), (true, false), "only the line by that port");
}

/// A restart of its end, and only that, breaks a connection; who waited for that end at the start goes on.
fn end_of_a_line(stage: &mut Stage) {
    let again = case("its own environment", "restart", |host| {
        host.wait_active(UNIT_DB)
    })
    .set(DB, "/env/COLOR", json!("blue"))
    .restarts(&[UNIT_DB, TIMER_DB]);
    stage.run(&again);
    assert_eq!(
        stage.talk(),
        (false, false),
        "the line of the client ended at db"
    );
}

/// That a unit has a property.
fn property(unit: &'static str, key: &'static str, value: &'static str) -> impl Fn(&TestHost) {
    move |host| assert_eq!(show(host, unit, key), value, "{key} of {unit}")
}

fn show(host: &TestHost, unit: &str, key: &str) -> String {
    let property = format!("--property={key}");
    let text = host.exec_ok(["systemctl", "show", "--value", &property, unit]);
    text.trim().to_owned()
}

/// Whether the packet rules of the tenant mention `text`.
fn rules(host: &TestHost, text: &str, expected: bool) {
    let rules = host.exec_ok(["nft", "list", "table", "bridge", "bitbuilder"]);
    assert_eq!(rules.contains(text), expected, "{text} in {rules}");
}

/// Invocation ids of the tenant's units that are active; those of checks come and go by themselves.
fn invocations(host: &TestHost) -> BTreeMap<String, String> {
    let mut arguments = vec![
        "systemctl",
        "show",
        "--property=Id,ActiveState,InvocationID",
        "--",
    ];
    arguments.extend([
        "tenant@box.service",
        "tenant-network@box.service",
        "tenant-box.slice",
        "systemd-nspawn@box-*.service",
        "tenant-health@box-*.timer",
        "var-lib-tenants-box-*.mount",
    ]);
    let text = host.exec_ok(arguments);
    let blocks = text.split("\n\n").map(|block| {
        let lines = block.lines().filter_map(|line| line.split_once('='));
        lines.collect::<BTreeMap<&str, &str>>()
    });
    blocks
        .filter(|unit| unit.get("ActiveState") == Some(&"active"))
        .map(|unit| (unit["Id"].to_owned(), unit["InvocationID"].to_owned()))
        .collect()
}

fn restarted(
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let other = |(unit, id): &(&String, &String)| after.get(*unit).is_some_and(|now| now != *id);
    before
        .iter()
        .filter(other)
        .map(|(unit, _)| unit.clone())
        .collect()
}

fn moved(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> BTreeSet<String> {
    let of = |map: &BTreeMap<String, String>| map.keys().cloned().collect::<BTreeSet<_>>();
    of(before)
        .symmetric_difference(&of(after))
        .cloned()
        .collect()
}

fn set(units: &[&str]) -> BTreeSet<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

/// Sets or takes away what is at `pointer`.
fn change(document: &mut Value, pointer: &str, value: &Value) {
    let Some((parent, key)) = pointer.rsplit_once('/') else {
        *document = value.clone();
        return;
    };
    let parent = parent
        .split('/')
        .skip(1)
        .fold(document, |value, key| match value {
            Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
            _ => value
                .as_object_mut()
                .unwrap()
                .entry(key)
                .or_insert_with(|| json!({})),
        });
    match (parent, value) {
        (Value::Array(list), Value::Null) => drop(list.remove(key.parse().unwrap())),
        (Value::Array(list), _) => list.insert(key.parse().unwrap(), value.clone()),
        (parent, Value::Null) => drop(parent.as_object_mut().unwrap().remove(key)),
        (parent, _) => drop(
            parent
                .as_object_mut()
                .unwrap()
                .insert(key.to_owned(), value.clone()),
        ),
    }
}
