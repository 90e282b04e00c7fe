//! What opens a repository is there for as long as it is fetched.

use super::{World, find, silent};
use crate::host::Host;
use crate::reconcile::{Options, SystemState, TenantState, Trigger, Verdict, access, init, pass};
use crate::sim::SimHost;
use base64ct::{Base64, Encoding};
use bitbuilder_core::model::Access;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nof shop\n-----END OPENSSH PRIVATE KEY-----";

fn ciphertext(plain: &str) -> String {
    // A header makes real ones longer.
    Base64::encode_string(format!("{plain:<60}").as_bytes())
}

fn directory(host: &SimHost) -> PathBuf {
    host.root().join("/run/bitbuilder/access")
}

fn left(host: &SimHost) -> usize {
    fs::read_dir(directory(host)).map_or(0, Iterator::count)
}

/// A system repository with secrets, and the commit of it.
fn world() -> (World, String) {
    let world = World::new(&["one"]);
    let commit = world.commit(
        "system",
        &[
            ("access/shop-key", &ciphertext(KEY)),
            ("access/shop-token", &ciphertext("bot:s3cret")),
            ("access/no-token", &ciphertext(" ")),
            ("access/known_hosts", "git.example ssh-ed25519 AAAA\n"),
            ("access/ca.pem", "-----BEGIN CERTIFICATE-----\n"),
        ],
    );
    world.pass(&Options::default());
    (world, commit)
}

fn ssh() -> Access {
    Access {
        ssh_key: Some("access/shop-key".to_owned()),
        known_hosts: Some("access/known_hosts".to_owned()),
        ..Access::default()
    }
}

fn https(token: &str) -> Access {
    Access {
        token: Some(format!("access/{token}")),
        ca: Some("access/ca.pem".to_owned()),
        ..Access::default()
    }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn plain_text_is_there_for_root_and_as_long_as_it_is_used() {
    let (world, commit) = world();
    let open = |access: &Access, url: &str| access::open(&world.host, "shop", access, &commit, url);

    let opened = open(&ssh(), "git@git.example:shop.git").unwrap();
    let key = opened.git.ssh_key.clone().unwrap();
    assert!(fs::read_to_string(&key).unwrap().starts_with(KEY));
    assert!(fs::read_to_string(&key).unwrap().ends_with('\n'));
    let hosts = opened.git.known_hosts.as_ref().unwrap();
    assert!(fs::read_to_string(hosts).unwrap().contains("git.example"));
    assert_eq!((mode(&key), mode(key.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&directory(&world.host)), 0o700);
    drop(opened);
    assert!(!key.exists());

    let opened = open(&https("shop-token"), "https://git.example/shop.git").unwrap();
    let credentials = opened.git.credentials.as_ref().unwrap();
    let line = "https://bot:s3cret@git.example\n";
    assert_eq!(fs::read_to_string(credentials).unwrap(), line);
    assert!(opened.git.ca_bundle.as_ref().unwrap().exists());
    drop(opened);
    assert_eq!(left(&world.host), 0);
}

#[test]
fn what_cannot_be_opened_leaves_nothing() {
    let (world, commit) = world();
    let fails = |access: &Access| {
        let url = "https://git.example/shop.git";
        let error = access::open(&world.host, "shop", access, &commit, url).unwrap_err();
        assert_eq!(left(&world.host), 0, "{error}");
        error.to_string()
    };
    let error = fails(&https("no-token"));
    assert!(error.contains("access/no-token"), "{error}");
    let error = fails(&https("nothing"));
    assert!(error.contains("access/nothing"), "{error}");
    // A directory of the commit is no secret.
    let error = fails(&Access {
        ca: Some("access".to_owned()),
        ..Access::default()
    });
    assert!(error.contains("no file"), "{error}");
}

#[test]
fn what_a_killed_fetch_left_is_removed_unless_it_is_in_use() {
    let (world, commit) = world();
    let leave = |name: &str| {
        let url = "git@git.example:shop.git";
        let opened = access::open(&world.host, name, &ssh(), &commit, url);
        std::mem::forget(opened.unwrap());
    };
    leave("shop");
    leave("busy");
    let held = crate::reconcile::lock::mirror(world.host.root(), "busy").unwrap();
    // Also by a pass that has nothing to do.
    world.pass(&Options {
        trigger: Trigger::Timer,
        ..Options::default()
    });
    let left_over = fs::read_dir(directory(&world.host)).unwrap();
    let left_over: Vec<_> = left_over.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left_over, ["busy"]);
    drop(held);
    access::sweep(world.host.root());
    assert_eq!(left(&world.host), 0);
}

#[test]
fn a_secret_that_does_not_open_is_the_failure_of_its_tenant_alone() {
    let world = World::new(&["one", "shop"]);
    world.commit(
        "system",
        &[
            // Four digits are three bytes: the last two are of none.
            ("access/broken", &format!("{}AB", "QUJD".repeat(32))),
            ("access/known_hosts", "127.0.0.1 ssh-ed25519 AAAA\n"),
        ],
    );
    let access = |key: &str| {
        serde_json::json!({
            "repository": "ssh://git@127.0.0.1:1/shop.git",
            "access": { "sshKey": { "encrypted": key }, "knownHosts": "access/known_hosts" },
        })
    };
    world.register_with(&[
        ("one", serde_json::json!({})),
        ("shop", access("access/broken")),
    ]);
    let report = world.pass(&Options::default());
    assert_eq!(find(report.clone(), "one").verdict, Verdict::Applied);
    assert_eq!(find(report, "shop").verdict, Verdict::Failed);
    let failure = || {
        let state = TenantState::read(world.host.root(), &super::name("shop")).unwrap();
        state.fetch_failure.unwrap()
    };
    assert!(failure().error.contains("--name=broken"), "{:?}", failure());

    // One that opens gets as far as the remote, which is not there.
    world.commit("system", &[("access/key", &ciphertext(KEY))]);
    world.register_with(&[
        ("one", serde_json::json!({})),
        ("shop", access("access/key")),
    ]);
    world.pass(&Options::default());
    assert_eq!(failure().count, 2);
    assert!(failure().error.contains("git"), "{:?}", failure());
    assert_eq!(left(&world.host), 0);
}

#[test]
fn the_host_has_what_opens_the_system_repository() {
    let (world, _) = world();
    let url = "https://127.0.0.1:1/system.git";
    let write = |path: &str, text: &str| {
        let path = world.host.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let token = "/etc/credstore.encrypted/bitbuilder.system.token";
    write(token, &ciphertext("host-token"));
    write("/etc/bitbuilder/ca.pem", "-----BEGIN CERTIFICATE-----\n");
    let opened = access::open_system(&world.host, url).unwrap();
    let credentials = opened.git.credentials.as_ref().unwrap();
    let line = "https://git:host-token@127.0.0.1:1\n";
    assert_eq!(fs::read_to_string(credentials).unwrap(), line);
    assert!(opened.git.ca_bundle.is_some() && opened.git.ssh_key.is_none());
    drop(opened);

    write(token, "no base64!");
    init(&world.host, Some(url), "main").unwrap();
    world.pass(&Options::default());
    let state = SystemState::read(world.host.root()).unwrap();
    let error = state.fetch_failure.unwrap().error;
    assert!(error.contains("bitbuilder.system.token"), "{error}");
}

#[test]
fn a_host_that_never_reached_its_system_repository_says_why() {
    let world = World::new(&["one"]);
    init(&world.host, Some("https://127.0.0.1:1/system.git"), "main").unwrap();
    let error = pass(&world.host, &Options::default(), &mut silent).unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}
