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

/// Nothing starts that is not the tenant's own, and what cannot be read is read from the tenants' own files.
#[test]
fn damage() {
    for generator in GENERATORS {
        let host = Host::new();
        let whole = fs::read(host.path(index::path(generator))).unwrap();
        let good = run(generator, host.0.path()).0;
        for at in (0..whole.len()).step_by(STEP) {
            for byte in [b'\n', b'\t', b' ', b'/', b'1', b'z', 0, 0xff] {
                let mut text = whole.clone();
                text[at] = byte;
                host.write(index::path(generator), &text);
                let (links, messages) = run(generator, host.0.path());
                let text = String::from_utf8_lossy(&text);
                // What is left to damage is the name of a workload, or the id of a tenant.
                let sound = |links: &[(String, String)]| -> Vec<String> {
                    let links = links
                        .iter()
                        .map(|(link, target)| format!("{link} {target}"));
                    links
                        .filter(|link| !link.contains("systemd-nspawn@") && !link.contains("-x"))
                        .collect()
                };
                assert_eq!(sound(&links), sound(&good), "{text}");
                assert_eq!(messages, [] as [String; 0], "{text}");
            }
        }
    }
}

#[test]
fn cut_off() {
    for generator in GENERATORS {
        let host = Host::new();
        let whole = fs::read(host.path(index::path(generator))).unwrap();
        let good = run(generator, host.0.path()).0;
        for length in 0..whole.len() {
            host.write(index::path(generator), &whole[..length]);
            let (links, _) = run(generator, host.0.path());
            // Between two tenants it is a whole index of fewer: it is written in one step, so no crash leaves that.
            assert!(links.iter().all(|link| good.contains(link)), "{length}");
        }
    }
}

#[test]
fn entries_that_are_not_entries() {
    let host = Host::new();
    let path = index::path(Generator::Tenant);
    let whole = fs::read_to_string(host.path(path)).unwrap();
    let (stamp, _) = whole.split_once('\n').unwrap();
    let good = host.made();
    let other = links("blog", "web");
    for size in ["18446744073709551615", "1000", "-1", "x", ""] {
        host.write(path, format!("{stamp}\nblog {size}\n"));
        assert_eq!(host.made(), good, "{size}");
    }
    for id in ["shop", "new", "../shop", "", "Shop"] {
        let text = format!("{id} {}\n{other}", other.len());
        host.write(path, format!("{stamp}\n{text}"));
        assert_eq!(host.made(), good, "{id}");
    }
}
