//! The index: while it counts it is all that is read, and nothing else is ever placed than without it.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod harness;

use bitbuilder_generators::{Generator, index};
use harness::run;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const GENERATORS: [Generator; 2] = [Generator::Tenant, Generator::Mount];
const REGISTRY: &str = "var/lib/bitbuilder/tenants.json";
/// A test that changes bytes of something changes each that is so far from the last.
const STEP: usize = 7;

type Made = (Vec<(String, String)>, Vec<String>);

/// A host with the tenants `blog` and `shop`, `new` without a generation, and `off`, which is disabled; with an index.
struct Host(TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        host.write(
            REGISTRY,
            r#"{"tenants":[{"id":"blog"},{"id":"new"},{"id":"off","enabled":false},{"id":"shop"}]}"#,
        );
        for id in ["blog", "off", "shop"] {
            host.generation(id, 1, "web");
            symlink("generations/1", host.path(&current(id))).unwrap();
        }
        host.index();
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn generation(&self, id: &str, number: u32, workload: &str) {
        let home = format!("var/lib/tenants/{id}/generations/{number}");
        self.write(&format!("{home}/boot"), links(id, workload));
        self.write(&format!("{home}/mount-boot"), mounts(id));
    }

    fn index(&self) {
        for generator in GENERATORS {
            let text = index::compose(generator, self.0.path()).unwrap();
            self.write(index::path(generator), text);
            assert!(index::counts(generator, self.0.path()));
        }
    }

    fn made(&self) -> Vec<Made> {
        GENERATORS
            .map(|generator| run(generator, self.0.path()))
            .into()
    }

    /// What both make without an index; there is none afterwards.
    fn without(&self) -> Vec<Made> {
        for generator in GENERATORS {
            let path = self.path(index::path(generator));
            let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
        }
        self.made()
    }
}

fn current(id: &str) -> String {
    format!("var/lib/tenants/{id}/current")
}

fn links(id: &str, workload: &str) -> String {
    let shipped = "/usr/lib/systemd/system";
    format!(
        "multi-user.target.wants/tenant@{id}.service\t{shipped}/tenant@.service\n\
         tenant-{id}.slice\tsystem/tenant-{id}.slice\n\
         tenant@{id}.service.wants/systemd-nspawn@{id}-{workload}.service\t{shipped}/systemd-nspawn@.service\n"
    )
}

fn mounts(id: &str) -> String {
    let mount = format!("var-lib-tenants-{id}-x.mount");
    format!("{mount}\tmounts/{mount}\n")
}

#[test]
fn it_is_all_that_is_read_and_the_same_as_without() {
    let host = Host::new();
    let made = host.made();
    assert_eq!(made[0].0.len(), 6);
    assert_eq!(made[1].0.len(), 2);
    assert!(made.iter().all(|(_, messages)| messages.is_empty()));
    // What stands in the tenants' own files is not asked: this is what it is for, and why who switches removes it.
    for id in ["blog", "shop"] {
        host.write(&format!("{}/boot", current(id)), links(id, "other"));
    }
    assert_eq!(host.made(), made);
    assert_ne!(host.without(), made);
    for id in ["blog", "shop"] {
        host.write(&format!("{}/boot", current(id)), links(id, "web"));
    }
    assert_eq!(host.made(), made);
}

#[test]
fn a_tenant_whose_file_is_damaged_is_reported_as_without() {
    for damage in [b"tenant-shop.slice".as_slice(), b"", b"\xff\n"] {
        let host = Host::new();
        host.write(&format!("{}/boot", current("shop")), damage);
        host.index();
        let made = host.made();
        assert_eq!(made[0].1.len(), 1);
        assert_eq!(made, host.without());
    }
}

/// The index has what the trial has made, which is not what the host starts with.
#[test]
fn a_trial_that_is_over() {
    let host = Host::new();
    host.generation("shop", 2, "tried");
    fs::remove_file(host.path(&current("shop"))).unwrap();
    symlink("generations/2", host.path(&current("shop"))).unwrap();
    host.index();
    fs::create_dir(host.path("var/lib/bitbuilder/trials")).unwrap();
    symlink(
        "/var/lib/tenants/shop/generations/1",
        host.path("var/lib/bitbuilder/trials/shop"),
    )
    .unwrap();
    let made = host.made();
    let has = |workload: &str| {
        let unit = format!("systemd-nspawn@shop-{workload}.service");
        made[0].0.iter().any(|(link, _)| link.ends_with(&unit))
    };
    assert!(has("web") && !has("tried"));
    assert_eq!(made, host.without());
}

#[test]
fn beside_another_registry_it_does_not_count() {
    let host = Host::new();
    let edit = |text: &str| host.write(REGISTRY, text);
    edit(r#"{"tenants":[{"id":"blog"}]}"#);
    let (links, _) = run(Generator::Tenant, host.0.path());
    assert_eq!(links.len(), 3);

    // Equal, but not the same.
    let host = Host::new();
    let text = fs::read(host.path(REGISTRY)).unwrap();
    host.write("other", &text);
    fs::rename(host.path("other"), host.path(REGISTRY)).unwrap();
    assert!(
        GENERATORS
            .iter()
            .all(|generator| !index::counts(*generator, host.0.path()))
    );
    assert_eq!(host.made(), host.without());
}

#[test]
fn no_file() {
    let changes: [fn(&Path); 3] = [
        |path| fs::create_dir(path).unwrap(),
        |path| symlink("tenants.json", path).unwrap(),
        |path| rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RWXU).unwrap(),
    ];
    for change in changes {
        for generator in GENERATORS {
            let host = Host::new();
            let path = host.path(index::path(generator));
            fs::remove_file(&path).unwrap();
            change(&path);
            assert_eq!(host.made(), host.without());
        }
    }
}

/// Whatever the disk or a crash makes of it, nothing else is placed than without it.
#[test]
fn damage() {
    let host = Host::new();
    for (index, generator) in GENERATORS.into_iter().enumerate() {
        let good = host.made();
        let whole = fs::read(host.path(index::path(generator))).unwrap();
        let changed = (0..whole.len()).step_by(STEP).flat_map(|at| {
            [b'\n', b'/', b'1', 0, 0xff]
                .map(|byte| [&whole[..at], &[byte], &whole[at + 1..]].concat())
        });
        let cut = (0..whole.len())
            .step_by(STEP)
            .map(|length| whole[..length].to_vec());
        for text in changed.chain(cut) {
            host.write(index::path(generator), &text);
            let made = run(generator, host.0.path());
            assert_eq!(made, good[index], "{}", String::from_utf8_lossy(&text));
        }
        host.write(index::path(generator), whole);
    }
}
