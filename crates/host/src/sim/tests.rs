use super::unit::{Unit, words};
use super::{SimHost, matches};
use crate::host::Host;
use serde_json::{Value, json};
use std::fs;

fn unit(name: &str, text: &str) -> Unit {
    let mut unit = Unit::new(name);
    unit.read(text);
    unit
}

fn host() -> (tempfile::TempDir, SimHost) {
    let dir = tempfile::tempdir().unwrap();
    let host = SimHost::open(dir.path()).unwrap();
    (dir, host)
}

/// Puts a unit file where the host's own are.
fn ship(host: &SimHost, name: &str, text: &str) {
    let directory = host.root().join("/etc/systemd/system");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), text).unwrap();
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn active(host: &SimHost) -> Vec<String> {
    let units = host.units(&["*"]).unwrap();
    let active = units.into_iter().filter(|(_, unit)| unit.is_active());
    active.map(|(name, _)| name).collect()
}

#[test]
fn a_unit_is_read_as_the_manager_reads_it() {
    let text = "# no\n[Unit]\nAfter=a.service \\\n  b.service\nAfter=c.service\nAfter=\n\
                [Service]\nExecStart=/one\nExecStart=\nExecStart=/bin/x %i 100%% %n\nnonsense\n";
    let unit = unit("x@shop-web.service", text);
    assert_eq!(unit.after().len(), 3, "dependencies are not taken back");
    let commands: Vec<_> = unit.all("Service", "ExecStart").collect();
    assert_eq!(commands, ["/bin/x shop-web 100% x@shop-web.service"]);
    assert_eq!(
        words(r#"a "b c" 'd"' $$5 "x\"y""#),
        ["a", "b c", "d\"", "$5", "x\"y"]
    );
}

#[test]
fn patterns_are_the_managers() {
    for (pattern, name, fits) in [
        ("*", "x.service", true),
        ("tenant@*.service", "tenant@shop.service", true),
        ("tenant@?.service", "tenant@shop.service", false),
        ("tenant-a\\x2db.slice", "tenant-a\\x2db.slice", true),
        ("tenant-a\\x2db.slice", "tenant-a-b.slice", false),
    ] {
        assert_eq!(
            matches(pattern.as_bytes(), name.as_bytes()),
            fits,
            "{pattern}"
        );
    }
}

#[test]
fn starts_pull_in_and_stops_take_along() {
    let (_dir, host) = host();
    ship(
        &host,
        "a.service",
        "[Unit]\nRequires=b.service\nAfter=b.service\nWants=nope.service c.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n",
    );
    ship(&host, "b.service", "[Unit]\nDescription=b\n");
    ship(&host, "c.service", "[Unit]\nPartOf=b.service\n");
    host.start(&names(&["a.service"])).unwrap();
    assert_eq!(active(&host), ["a.service", "b.service", "c.service"]);
    host.stop(&names(&["b.service"])).unwrap();
    assert_eq!(active(&host), [""; 0]);
}

#[test]
fn a_unit_without_files_runs_on_until_it_is_stopped() {
    let (_dir, host) = host();
    ship(&host, "a.service", "[Unit]\nDescription=a\n");
    host.start(&names(&["a.service"])).unwrap();
    fs::remove_file(host.root().join("/etc/systemd/system/a.service")).unwrap();
    host.daemon_reload().unwrap();
    let unit = &host.units(&["a.service"]).unwrap()["a.service"];
    assert_eq!(
        (unit.load.as_str(), unit.active.as_str()),
        ("not-found", "active")
    );
    host.stop(&names(&["a.service"])).unwrap();
    assert!(host.start(&names(&["a.service"])).is_err());
}

#[test]
fn invocations_and_time_are_the_same_each_time() {
    let run = || {
        let (_dir, host) = host();
        ship(&host, "a.service", "[Unit]\nDescription=a\n");
        let mut seen = vec![host.now().to_string()];
        for _ in 0..2 {
            host.start(&names(&["a.service"])).unwrap();
            seen.push(
                host.units(&["a.service"]).unwrap()["a.service"]
                    .invocation
                    .clone(),
            );
            host.stop(&names(&["a.service"])).unwrap();
        }
        seen.push(host.now().to_string());
        fs::write(host.root().join("/clock"), "5\n").unwrap();
        seen.extend([host.now().to_string(), host.now().to_string()]);
        seen
    };
    let seen = run();
    assert_eq!(seen, run());
    assert_ne!(seen[1], seen[2]);
    assert_eq!(seen[4..], ["5", "5"]);
}

#[test]
fn rules_are_applied_whole_or_not_at_all() {
    let (_dir, host) = host();
    let chain = r#"{"add":{"chain":{"family":"inet","table":"t","name":"a/c"}}}"#;
    let rule = r#"{"add":{"rule":{"family":"inet","table":"t","chain":"a/c","expr":[]}}}"#;
    let delete = r#"{"delete":{"chain":{"family":"inet","table":"t","name":"a/c"}}}"#;
    let apply = |commands: &[&str]| {
        let json = format!("{{\"nftables\":[{}]}}", commands.join(","));
        let result = host.apply_ruleset(json.as_bytes());
        let parts = host.rules().unwrap().len();
        (result.map_err(|error| error.to_string()), parts)
    };
    let (error, count) = apply(&[rule, chain]);
    assert!(error.unwrap_err().contains("command 1"));
    assert_eq!(count, 0);
    assert_eq!(apply(&[chain, rule]), (Ok(()), 1));
    assert!(apply(&[delete, delete]).0.is_err());
    assert_eq!(apply(&[delete]), (Ok(()), 0));
}

#[test]
fn a_key_leads_to_one_chain() {
    let (_dir, host) = host();
    let key = |tenant: &str| json!([8080, {"goto": {"target": format!("{tenant}/dstnat")}}]);
    let element = |verb: &str, element: Value| {
        let element = json!({"family": "inet", "table": "t", "name": "dstnat", "elem": [element]});
        json!({"nftables": [{verb: {"element": element}}]}).to_string()
    };
    let apply = |json: String| {
        host.apply_ruleset(json.as_bytes())
            .map_err(|error| error.to_string())
    };
    assert!(apply(element("delete", json!(8080))).is_err());
    apply(element("add", key("a"))).unwrap();
    apply(element("add", key("a"))).unwrap();
    assert!(
        apply(element("add", key("b")))
            .unwrap_err()
            .contains("File exists")
    );
    apply(element("destroy", json!(8080))).unwrap();
    apply(element("destroy", json!(8080))).unwrap();
    apply(element("add", key("b"))).unwrap();
    let parts: Vec<String> = host.rules().unwrap().into_keys().collect();
    assert_eq!(parts, ["inet b"]);
}

#[test]
fn a_damaged_state_is_named() {
    let (dir, host) = host();
    host.now();
    fs::write(dir.path().join("sim.jsonl"), "{\n").unwrap();
    let error = host.daemon_reload().unwrap_err().to_string();
    assert!(
        error.contains("sim.jsonl") && error.contains("not JSON"),
        "{error}"
    );
    assert!(SimHost::open(dir.path()).is_err());
}
