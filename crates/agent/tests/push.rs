//! From `git push` to running units on a simulated host: Git runs hooks that start this test program again, with the one
//! test [`as_hook`].

#![allow(clippy::unwrap_used, reason = "tests")]

use bitbuilder_agent::console::Console;
use bitbuilder_agent::failure::Failure;
use bitbuilder_agent::sync::Sync;
use bitbuilder_agent::{discover, health, hooks, network, sync, tenant};
use bitbuilder_core::model::Name;
use bitbuilder_host::generations;
use bitbuilder_host::host::Host;
use bitbuilder_host::observe::health::read_result;
use bitbuilder_host::reconcile;
use bitbuilder_host::sim::SimHost;
use bitbuilder_host::source::quarantine::parse_receive_lines;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Set for hooks: root of the simulated host.
const ROOT: &str = "BITBUILDER_TEST_ROOT";
/// Set for hooks: the name that the hook was called by.
const HOOK: &str = "BITBUILDER_TEST_HOOK";

const SYSTEM: &str = r#"{ "tenants": [
  { "id": "shop", "repository": "file:///var/lib/bitbuilder/git/shop.git" },
  { "id": "late", "repository": "file:///var/lib/bitbuilder/git/late.git" }
] }"#;
const CONTAINER: &str = "image: { template: tenant-container }\ncommand: [/bin/sleep, infinity]\n";

/// The hooks' side; nothing when it is run as a test.
#[test]
fn as_hook() {
    let (Some(root), Ok(hook)) = (std::env::var_os(ROOT), std::env::var(HOOK)) else {
        return;
    };
    let host = SimHost::open(root).unwrap();
    let directory = std::env::current_dir().unwrap();
    let updates = parse_receive_lines(std::io::stdin().lock()).unwrap();
    let variable = |name: &str| std::env::var_os(name);
    let console = Console::stdout();
    let done = if hook.ends_with("pre-receive") {
        hooks::pre_receive::receive(&host, &directory, &updates, variable, &console)
    } else {
        // What the real hook has systemd-run do.
        let (place, _) = hooks::Place::of(host.root(), &directory).unwrap();
        let options = Sync {
            progress: true,
            tenant: match place {
                hooks::Place::System => None,
                hooks::Place::Tenant(id) => Some(id),
            },
            ..Sync::default()
        };
        sync::run(&host, &options, &console)
    };
    if let Err(failure) = done {
        failure.report(&Console::stderr());
        std::process::exit(i32::from(failure.code()));
    }
}

/// A simulated host that is initialised, and the directories of people.
struct Case {
    directory: tempfile::TempDir,
    host: SimHost,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = SimHost::open(directory.path().join("host")).unwrap();
        reconcile::init(&host, None, "main").unwrap();
        let hooks = directory.path().join("hooks");
        fs::create_dir(&hooks).unwrap();
        let program = std::env::current_exe().unwrap();
        let script = format!("#!/bin/sh\n{HOOK}=$0 exec {program:?} --exact as_hook --nocapture\n");
        fs::write(hooks.join("hook"), script).unwrap();
        fs::set_permissions(hooks.join("hook"), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["pre-receive", "post-receive"] {
            symlink("hook", hooks.join(name)).unwrap();
        }
        let case = Self { directory, host };
        case.write("system/tenants/registry.json", SYSTEM);
        let (accepted, text) = case.push("system");
        assert!(accepted, "{text}");
        case
    }

    fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A tenant with one container and more lines of its configuration.
    fn write_tenant(&self, id: &str, more: &str) {
        let metadata = format!(
            r#"{{ "tenant": {{ "id": "{id}", "name": "{id}", "type": "container", "enabled": true }} }}"#
        );
        self.write(&format!("{id}/metadata.json"), &metadata);
        let config = format!("{CONTAINER}{more}");
        self.write(&format!("{id}/containers/web/config.yaml"), &config);
    }

    fn git(&self, directory: &Path, arguments: &[&str]) -> Output {
        Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example"])
            .args(arguments)
            .current_dir(directory)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("NO_COLOR", "1")
            .env(ROOT, self.host.root().path())
            .output()
            .unwrap()
    }

    fn commit(&self, id: &str) {
        let clone = self.path(id);
        for arguments in [
            ["init", "-q", "-b", "main"].as_slice(),
            &["add", "."],
            &["commit", "-q", "-m", "change"],
        ] {
            let output = self.git(&clone, arguments);
            assert!(output.status.success(), "{arguments:?}: {output:?}");
        }
    }

    /// Commits everything of `id` and pushes it; whether that was accepted, and what the person saw.
    fn push(&self, id: &str) -> (bool, String) {
        self.commit(id);
        // The repository's own hooks are links to the installed program.
        let hooks = self.path("hooks").display().to_string();
        let receive = format!("--receive-pack=git -c core.hooksPath={hooks} receive-pack");
        let url = self.host.root().embedded(id).display().to_string();
        let output = self.git(&self.path(id), &["push", &receive, &url, "main"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), text)
    }

    fn is_active(&self, unit: &str) -> bool {
        let units = self.host.units(&[unit]).unwrap();
        units.get(unit).is_some_and(|state| state.is_active())
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

#[track_caller]
fn assert_has(text: &str, wanted: &str) {
    assert!(text.contains(wanted), "`{wanted}` is not in:\n{text}");
}

fn said(failure: &Failure) -> String {
    failure.describe().unwrap_or_default()
}

const WEB: &str = "systemd-nspawn@shop-web.service";

#[test]
fn a_push_deploys_and_a_bad_one_changes_nothing() {
    let case = Case::new();
    case.write_tenant("shop", "health: { tcp: 80 }\n");
    let (accepted, text) = case.push("shop");
    assert!(accepted, "{text}");
    assert_has(&text, "remote: shop: first generation 1");
    assert_has(&text, "remote: shop: applied, generation 1");
    assert_has(&text, "remote: shop: healthy");
    assert!(!text.contains("directory containers"), "{text}");
    assert!(case.is_active(WEB));

    case.write_tenant("shop", "nonsense: 1\n");
    let (accepted, text) = case.push("shop");
    assert!(!accepted, "{text}");
    assert_has(&text, "unknown-key");
    assert_has(&text, "containers/web/config.yaml:3:1");
    assert_has(&text, "what runs goes on unchanged");
    let current = generations::current(case.host.root(), &name("shop"));
    assert_eq!(current.unwrap(), Some(1));
}

#[test]
fn a_bad_registry_is_refused() {
    let case = Case::new();
    case.write("system/tenants/registry.json", "{ \"tenants\": [ {} ] }");
    let (accepted, text) = case.push("system");
    assert!(!accepted, "{text}");
    assert_has(&text, "tenants/registry.json:1:");
}

#[test]
fn a_tenant_is_provisioned_once_and_started() {
    let case = Case::new();
    let (host, console) = (&case.host, Console::stdout());
    let late = name("late");
    let failure = network::set_up(host, &late).unwrap_err();
    assert_has(&said(&failure), "no current generation");
    assert_has(&said(&failure), "systemctl start setup-tenant@late.service");

    case.write_tenant("late", "");
    case.commit("late");
    // A push that no hook saw.
    let clone = case.path("late").display().to_string();
    let embedded = host.root().embedded("late");
    let output = case.git(&embedded, &["fetch", "-q", &clone, "main:main"]);
    assert!(output.status.success(), "{output:?}");
    tenant::provision(host, &late, &console).unwrap();
    let unit = "systemd-nspawn@late-web.service";
    assert!(!case.is_active(unit), "the units of the boot start it");

    // Again, without a remote.
    fs::remove_dir_all(&embedded).unwrap();
    tenant::provision(host, &late, &console).unwrap();

    network::set_up(host, &late).unwrap();
    tenant::manage(host, &late, &console).unwrap();
    assert!(case.is_active(unit));
    health::wait(host, &late, &name("web")).unwrap();
    let failure = health::wait(host, &late, &name("other")).unwrap_err();
    assert_has(&said(&failure), "no workload other");

    let results = host.root().runtime().join("health/late");
    fs::create_dir_all(&results).unwrap();
    tenant::clean_up(host, &late).unwrap();
    tenant::clean_up(host, &late).unwrap();
    assert!(!results.exists());
}

#[test]
fn an_unknown_tenant_is_told_how_to_become_one() {
    let case = Case::new();
    let failure = tenant::provision(&case.host, &name("nobody"), &Console::stdout()).unwrap_err();
    let text = said(&failure);
    assert_has(&text, "tenant nobody is not in the registry");
    assert_has(&text, "bbctl tenant add nobody");
    assert!(!text.contains("next:"), "{text}");
}

#[test]
fn a_boot_without_var_finds_the_tenants_later() {
    let case = Case::new();
    case.write_tenant("shop", "");
    let (accepted, text) = case.push("shop");
    assert!(accepted, "{text}");
    case.host.reboot().unwrap();
    discover::run(&case.host, &Console::stdout()).unwrap();
    assert!(case.is_active(WEB));
}

/// Makes the check of `shop/web` ask `port` of the loopback interface instead of the container, with this start period.
fn redirect_check(case: &Case, port: u16, start_period: u64) {
    let directory = case.host.root().generation(&name("shop"), 1);
    let path = directory.join("health/web.json");
    let mut check: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    check["address"] = "127.0.0.1".into();
    check["check"] = serde_json::json!({ "tcp": port });
    check["retries"] = 2.into();
    check["start_period"] = start_period.into();
    fs::write(&path, check.to_string()).unwrap();
}

#[test]
fn checks_are_recorded_and_waited_for() {
    let case = Case::new();
    case.write_tenant("shop", "health: { tcp: 80 }\n");
    let (accepted, text) = case.push("shop");
    assert!(accepted, "{text}");
    let (host, console) = (&case.host, Console::stdout());
    let (shop, web) = (name("shop"), name("web"));
    let check = || {
        health::check(host, "shop-web", &console).unwrap();
        let result = read_result(host.root(), &shop, &web).unwrap().unwrap();
        (result.invocation, result.healthy, result.failures)
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    redirect_check(&case, listener.local_addr().unwrap().port(), 0);

    // Without a link of the manager the unit does not run, and an old result stays what it is.
    let (before, ..) = check();
    let runs = host.root().join("/run/systemd/units");
    fs::create_dir_all(&runs).unwrap();
    let link = runs.join(format!("invocation:{WEB}"));
    symlink("one", &link).unwrap();
    assert_ne!(before, "one");

    assert_eq!(check(), ("one".into(), Some(true), 0));
    health::wait(host, &shop, &web).unwrap();
    drop(listener);
    assert_eq!(check(), ("one".into(), Some(true), 1));
    assert_eq!(check(), ("one".into(), Some(false), 2));

    fs::remove_file(&link).unwrap();
    symlink("two", &link).unwrap();
    redirect_check(&case, 1, 3_600_000);
    assert_eq!(check(), ("two".into(), None, 0));

    health::check(host, "no-such-machine", &console).unwrap();
}

#[test]
fn waiting_ends_when_the_first_check_passes() {
    let case = Case::new();
    case.write_tenant("shop", "health: { tcp: 80 }\n");
    let (accepted, text) = case.push("shop");
    assert!(accepted, "{text}");
    let (shop, web) = (name("shop"), name("web"));
    let runs = case.host.root().join("/run/systemd/units");
    fs::create_dir_all(&runs).unwrap();
    symlink("one", runs.join(format!("invocation:{WEB}"))).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    redirect_check(&case, listener.local_addr().unwrap().port(), 0);
    std::thread::scope(|scope| {
        let waiter = scope.spawn(|| health::wait(&case.host, &shop, &web));
        health::check(&case.host, "shop-web", &Console::stdout()).unwrap();
        waiter.join().unwrap().unwrap();
    });
}
