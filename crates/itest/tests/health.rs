//! What was deployed has to show that it works, or the last good generation returns.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use bitbuilder_itest::TestHost;
use common::{Repository, command, generation, invocation, status, upper, wait_healthy};

/// A host with tenant `box`, whose windows are as `health` says.
fn host_with(name: &str, health: &str) -> TestHost {
    let host = TestHost::new(name);
    host.init();
    let system = Repository::system(&["box"]);
    system.write(".gitops/config.yaml", &format!("health: {{ {health} }}\n"));
    host.push_ok("system", system.path());
    host
}

/// A container that answers at `/ok`, or not; `more` makes it another one.
fn web(works: bool, more: &str) -> String {
    let script = match works {
        true => "mkdir -p /data; echo ok > /data/ok; exec busybox httpd -f -p 80 -h /data",
        false => "exec sleep infinity",
    };
    let health =
        "health: { http: { port: 80, path: /ok }, interval: 1s, timeout: 1s, retries: 2 }\n";
    command(script, &format!("{health}env: {{ MORE: \"{more}\" }}\n"))
}

fn commit(tenant: &Repository, container: &str) {
    tenant.write("containers/web/config.yaml", container);
}

/// The events of `box` so far, one a line.
fn events(host: &TestHost) -> String {
    host.exec_ok(["bbctl", "events", "box"])
}

fn wait_event(host: &TestHost, text: &str) {
    // It ends when the line is there, and follows until then.
    let script = format!("timeout 120 bbctl events box --follow | grep -q -m1 '{text}'");
    assert!(
        host.sh_try(&script).status.success(),
        "no `{text}` in\n{}",
        events(host)
    );
}

/// That `number` is current, file by file as it was written.
fn assert_whole(host: &TestHost, number: u64) {
    assert_eq!(generation(host, "box"), number);
    let doctor = host.exec(["bbctl", "doctor"]).stdout;
    let doctor = String::from_utf8_lossy(&doctor);
    assert!(
        doctor.contains(&format!("generation {number} is whole")),
        "{doctor}"
    );
}

/// Nothing of ours waits for anything.
#[track_caller]
fn assert_nothing_waits(host: &TestHost) {
    let timers = host.exec_ok([
        "systemctl",
        "list-units",
        "--all",
        "--no-legend",
        "tenant-rollback@*",
    ]);
    assert_eq!(timers, "");
}

#[test]
fn a_bad_commit_is_rolled_back_and_a_descendant_deploys() {
    let host = host_with("bad", "window: 60s, tries: 2");
    let tenant = Repository::tenant("box");
    commit(&tenant, &web(true, "one"));
    let said = host.push_ok("box", tenant.path());
    assert!(said.contains("box: healthy"), "{said}");

    commit(&tenant, &web(false, "two"));
    let said = host.push_ok("box", tenant.path());
    for word in [
        "box: starting",
        "try 2 of 2",
        "rolled back to generation 1: web fails its health check",
        "stays out until another one arrives",
    ] {
        assert!(said.contains(word), "no `{word}` in\n{said}");
    }
    assert_whole(&host, 1);
    wait_healthy(&host, "box");
    assert_eq!(status(&host, "box")["sync"], "RolledBack");
    let before = invocation(&host, "box-web");
    let waited = host.exec(["bbctl", "sync", "box", "--wait"]);
    assert_eq!(waited.status.code(), Some(1), "{waited:?}");
    assert_eq!(invocation(&host, "box-web"), before, "nothing was touched");
    let journal = host.journal(&["-b", "-u", "tenant-rollback@box.service", "-o", "json"]);
    assert!(
        journal.contains("\"BITBUILDER_TENANT\":\"box\""),
        "{journal}"
    );

    commit(&tenant, &web(true, "three"));
    host.push_ok("box", tenant.path());
    wait_healthy(&host, "box");
    assert_eq!(status(&host, "box")["sync"], "Synced");
    assert_whole(&host, 3);
    wait_event(&host, "healthy  generation 3");
    assert_nothing_waits(&host);
}

#[test]
fn what_runs_for_a_while_and_dies_is_rolled_back_at_the_end_of_its_window() {
    let host = host_with("loop", "window: 8s, tries: 1");
    let tenant = Repository::tenant("box");
    commit(&tenant, &command("exec sleep infinity", ""));
    host.push_ok("box", tenant.path());
    wait_event(&host, "healthy  generation 1");
    commit(&tenant, &command("sleep 2; exit 3", "restart: always\n"));
    host.push_ok("box", tenant.path());
    wait_event(&host, "rolled back  generation 2 -> 1");
    assert_whole(&host, 1);
    host.wait_active("systemd-nspawn@box-web.service");
}

#[test]
fn what_fails_later_is_only_told() {
    let host = host_with("later", "window: 60s, tries: 1");
    let tenant = Repository::tenant("box");
    commit(&tenant, &web(true, "one"));
    host.push_ok("box", tenant.path());
    wait_event(&host, "healthy  generation 1");
    host.sh("bbctl shell box/web -- mv /data/ok /data/away");
    wait_event(&host, "degraded  generation 1");
    let found = status(&host, "box");
    assert_eq!(found["health"], "Degraded");
    assert!(found["degraded"]["since"].as_u64().unwrap() > 0, "{found}");
    host.sh("bbctl shell box/web -- mv /data/away /data/ok");
    host.wait_for("it was told that it works again", || {
        events(&host).matches("healthy  generation 1").count() == 2
    });
    wait_healthy(&host, "box");
    assert_eq!(generation(&host, "box"), 1);
}

#[test]
fn every_kind_of_check() {
    let host = host_with("kinds", "window: 60s, tries: 1");
    let tenant = Repository::tenant("box");
    let serve = "mkdir -p /data; echo ok > /data/ok; exec busybox httpd -f -p 80 -h /data";
    let check =
        |what: &str| format!("health: {{ {what}, interval: 1s, timeout: 1s, retries: 1 }}\n");
    for (name, what) in [
        ("http", "http: { port: 80, path: /ok }"),
        ("tcp", "tcp: 80"),
        ("command", "command: [test, -s, /data/ok]"),
        ("script", "script: check.sh"),
    ] {
        let path = format!("containers/{name}/config.yaml");
        tenant.write(&path, &command(serve, &check(what)));
    }
    // It says what it is, and then too much.
    tenant.write(
        "containers/script/check.sh",
        "grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/self/status > /data/status\n\
         cat /proc/self/uid_map > /data/map\ntest -e /var/lib/bitbuilder && exit 7\n\
         head -c 1000000 /dev/zero | tr '\\0' 'x'\n",
    );
    let said = host.push_ok("box", tenant.path());
    assert!(said.contains("box: healthy"), "{said}");
    wait_event(&host, "healthy  generation 1");
    let result = host.read_file("/run/bitbuilder/health/box/script.json");
    assert!(result.len() < 2000, "{}", result.len());

    // It had what the container's own processes have, and no more.
    let seen = host.read_file(&upper("box", "script", "data/status"));
    let pid =
        host.sh("systemctl show --property=MainPID --value systemd-nspawn@box-script.service");
    let payload = format!("pgrep -P {} | head -n1", pid.trim());
    let own = host.sh(&format!(
        "grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/$({payload})/status"
    ));
    for key in ["CapBnd", "NoNewPrivs"] {
        let line = |text: &str| {
            text.lines()
                .find(|line| line.starts_with(key))
                .map(str::to_owned)
        };
        assert_eq!(line(&seen), line(&own), "{key}");
    }
    let map = host.read_file(&upper("box", "script", "data/map"));
    assert!(
        !map.trim_start().starts_with("0          0"),
        "root inside is not root outside: {map}"
    );

    // A check that takes too long is ended, with what it started; its slice is the tenant's.
    commit_check(&tenant, "command: [sh, -c, 'sleep 300 & sleep 300']", "1s");
    host.push_ok("box", tenant.path());
    wait_event(
        &host,
        "rolled back  generation 2 -> 1: command fails its health check.*not done after 1000 ms",
    );
    let left = host.sh("pgrep -fc '[s]leep 300' || true");
    assert_eq!(left.trim(), "0");
    let slice =
        host.sh("systemctl show --property=Slice --value tenant-health@box-command.service");
    assert_eq!(slice.trim(), "tenant-box.slice");
}

fn commit_check(tenant: &Repository, check: &str, timeout: &str) {
    let script = "exec sleep infinity";
    let health = format!("health: {{ {check}, interval: 2s, timeout: {timeout}, retries: 2 }}\n");
    tenant.write("containers/command/config.yaml", &command(script, &health));
}

#[test]
fn a_start_period_forgives() {
    let host = host_with("start", "window: 15s, tries: 1");
    let tenant = Repository::tenant("box");
    // Its check fails until it is up, for longer than its retries last.
    let slow = |start: &str| {
        let script = "mkdir -p /data; sleep 6; echo ok > /data/ok; exec sleep infinity";
        let health = format!(
            "health: {{ command: [test, -e, /data/ok], interval: 1s, timeout: 1s, retries: 2, startPeriod: {start} }}\n"
        );
        command(
            script,
            &format!("{health}volumes: [ {{ name: v{start}, mount: /data }} ]\n"),
        )
    };
    commit(&tenant, &slow("30s"));
    host.push_ok("box", tenant.path());
    wait_event(&host, "healthy  generation 1");
    commit(&tenant, &slow("1s"));
    host.push_ok("box", tenant.path());
    wait_event(
        &host,
        "rolled back  generation 2 -> 1: web fails its health check 2 times in a row",
    );
}

#[test]
fn a_host_that_dies_inside_the_window_judges_after_its_boot() {
    let host = host_with("dies", "window: 20s, tries: 1");
    let tenant = Repository::tenant("box");
    commit(&tenant, &command("exec sleep infinity", ""));
    host.push_ok("box", tenant.path());
    wait_event(&host, "healthy  generation 1");
    commit(&tenant, &command("sleep 1; exit 3", "restart: always\n"));
    host.sh("systemctl disable --now bitbuilder-sync.timer");
    std::thread::scope(|scope| {
        // It would wait for the end of the window.
        let push = scope.spawn(|| host.push("box", tenant.path()));
        host.wait_for("the window of generation 2", || {
            let found = status(&host, "box");
            found["generation"] == 2 && !found["window"].is_null()
        });
        host.crash();
        push.join().unwrap();
    });
    host.boot();
    wait_event(&host, "rolled back  generation 2 -> 1");
    assert_whole(&host, 1);
    host.wait_active("systemd-nspawn@box-web.service");
    assert_eq!(status(&host, "box")["sync"], "RolledBack");
}

/// Generation 2, of branch `next`, which only says more; nothing of it is deployed.
fn with_branch(host: &TestHost, works: bool) {
    let container = web(works, "two");
    host.write_file("/root/next.yaml", container);
    host.sh(
        "rm -rf /root/next; git clone -q /var/lib/bitbuilder/git/box.git /root/next; cd /root/next\n\
         git config user.name t; git config user.email t@example.org; git checkout -qb next\n\
         cp /root/next.yaml containers/web/config.yaml; git commit -qam next; git push -qf origin next",
    );
}

/// A host on which generation 1 of `box` is good; whether its branch `next` works too.
fn tried(name: &str, works: bool) -> TestHost {
    let host = host_with(name, "window: 60s, tries: 1");
    let tenant = Repository::tenant("box");
    commit(&tenant, &web(true, "one"));
    host.push_ok("box", tenant.path());
    wait_event(&host, "healthy  generation 1");
    with_branch(&host, works);
    host
}

/// What the container that runs was given.
fn said(host: &TestHost) -> String {
    let unit = "systemd-nspawn@box-web.service";
    let line = host.exec_ok(["systemctl", "show", "--property=ExecStart", unit]);
    let found = ["one", "two"]
        .iter()
        .find(|word| line.contains(&format!("MORE={word}")));
    (*found.unwrap_or(&"nothing")).to_owned()
}

#[test]
fn a_trial_reverts_by_itself() {
    let host = tried("trial", true);
    let out = host.exec_ok(["bbctl", "apply", "box", "--try", "15s", "--ref", "next"]);
    assert!(out.contains("applied, generation 2"), "{out}");
    assert_eq!(status(&host, "box")["sync"], "Trial");
    assert_eq!(said(&host), "two");
    // A reload of the manager and a pass change nothing of it.
    host.sh("systemctl daemon-reload; bbctl sync");
    assert_eq!((generation(&host, "box"), said(&host).as_str()), (2, "two"));
    wait_event(&host, "reverted  generation 2: nobody confirmed it in time");
    assert_whole(&host, 1);
    assert_eq!(said(&host), "one");
    wait_healthy(&host, "box");
    assert_eq!(status(&host, "box")["sync"], "Synced");
    assert!(!host.exists("/var/lib/bitbuilder/trials/box"));
}

#[test]
fn a_trial_is_gone_after_a_crash() {
    let host = tried("gone", true);
    host.exec_ok(["bbctl", "apply", "box", "--try", "1h", "--ref", "next"]);
    assert_eq!(said(&host), "two");
    host.crash();
    host.boot();
    host.wait_active("systemd-nspawn@box-web.service");
    assert_whole(&host, 1);
    assert_eq!(said(&host), "one");
    wait_event(&host, "reverted  generation 2: the host was restarted");
    wait_healthy(&host, "box");
    assert!(!host.exists("/var/lib/bitbuilder/trials/box"));
    // The manager started what was confirmed, and nothing else.
    let journal = host.journal(&["-b", "-u", "systemd-nspawn@box-web.service", "-o", "cat"]);
    assert_eq!(journal.matches("Started ").count(), 1, "{journal}");
}

#[test]
fn a_trial_that_is_confirmed_stays() {
    let host = tried("stays", true);
    host.exec_ok(["bbctl", "apply", "box", "--try", "1h", "--ref", "next"]);
    wait_event(&host, "healthy  generation 2");
    host.exec_ok(["bbctl", "confirm", "box"]);
    wait_event(&host, "confirmed  generation 2");
    assert_nothing_waits(&host);
    host.crash();
    host.boot();
    host.wait_active("systemd-nspawn@box-web.service");
    assert_whole(&host, 2);
    assert_eq!(said(&host), "two");
    host.exec_ok(["bbctl", "sync"]);
    assert_eq!(generation(&host, "box"), 2);
}

#[test]
fn the_branch_of_this_host_is_tried_and_merging_it_keeps_it() {
    let host = tried("branch", true);
    let push = |from: &str, to: &str| {
        host.sh(&format!(
            "cd /root/next; git push -q origin {from}:refs/heads/{to} 2>&1"
        ))
    };
    let name = host.sh("uname -n");
    let told = push("next", &format!("testing-{}", name.trim()));
    assert!(told.contains("box: applied, generation 2"), "{told}");
    assert_eq!(status(&host, "box")["sync"], "Trial");
    assert_eq!(said(&host), "two");
    wait_event(&host, "healthy  generation 2");
    let before = invocation(&host, "box-web");
    push("next", "main");
    wait_event(&host, "confirmed  generation 2");
    assert_eq!(status(&host, "box")["sync"], "Synced");
    assert_eq!(invocation(&host, "box-web"), before, "it was not restarted");
    host.crash();
    host.boot();
    host.wait_active("systemd-nspawn@box-web.service");
    assert_whole(&host, 2);
    assert_eq!(said(&host), "two");
}

#[test]
fn a_trial_that_does_not_work_is_left_early() {
    let host = tried("early", false);
    host.exec(["bbctl", "apply", "box", "--try", "1h", "--ref", "next"]);
    wait_event(&host, "reverted  generation 2: web fails its health check");
    assert_whole(&host, 1);
    wait_healthy(&host, "box");
}
