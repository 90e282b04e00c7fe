//! What a generation consists of: stored examples, and what holds for every tenant.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

mod fixtures;
mod modes;

use bitbuilder_core::artefact::{Artefacts, UnitKind, UpdateClass};
use bitbuilder_core::desired::DesiredTenant;
use bitbuilder_core::model::*;
use bitbuilder_core::render::{HealthCheck, render};
use fixtures::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn rendered(tenant: &DesiredTenant) -> Artefacts {
    render(tenant, &allocation(tenant, 1)).unwrap()
}

fn text<'a>(artefacts: &'a Artefacts, path: &str) -> &'a str {
    let file = artefacts
        .files
        .get(path)
        .unwrap_or_else(|| panic!("no {path}"));
    std::str::from_utf8(&file.content).unwrap()
}

/// Compares with `tests/cases/render/<case>/expected/`; `BLESS=1` rewrites it.
fn golden(case: &str, tenant: &DesiredTenant, number: u8) {
    let artefacts = render(tenant, &allocation(tenant, number)).unwrap();
    let mut made = contents(&artefacts);
    made.insert("RECORD".into(), record(&artefacts).into_bytes());
    compare(case, &made);
}

fn contents(artefacts: &Artefacts) -> BTreeMap<String, Vec<u8>> {
    let files = artefacts.files.iter();
    files
        .map(|(path, file)| (path.clone(), file.content.clone()))
        .collect()
}

#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn compare(case: &str, made: &BTreeMap<String, Vec<u8>>) {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/cases/render")
        .join(case)
        .join("expected");
    if std::env::var("BLESS").is_ok() {
        let _ = std::fs::remove_dir_all(&directory);
        for (path, content) in made {
            let path = directory.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
    }
    let stored = stored(&directory);
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(made),
        names(&stored),
        "files of {case}; BLESS=1 rewrites"
    );
    for (path, content) in made {
        let as_text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(
            as_text(content),
            as_text(&stored[path]),
            "{case}: {path}; BLESS=1 rewrites"
        );
    }
}

#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn stored(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let path = entry
                    .path()
                    .strip_prefix(directory)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

/// What the files do not show: modes, classes, origins, units, layers and directories.
fn record(artefacts: &Artefacts) -> String {
    let mut text = String::new();
    for (path, file) in &artefacts.files {
        let origin = file
            .origin
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let unit = file.unit.as_deref().unwrap_or("-");
        writeln!(
            text,
            "file {path} {:o} {:?} {unit} {origin}",
            file.mode, file.class
        )
        .unwrap();
    }
    for unit in &artefacts.units {
        let start = if unit.autostart { "autostart" } else { "-" };
        writeln!(
            text,
            "unit {} {:?} {start} {}",
            unit.name,
            unit.kind,
            unit.requires.join(" ")
        )
        .unwrap();
    }
    for layer in &artefacts.layers {
        writeln!(text, "layer {} {}", layer.key, layer.path).unwrap();
    }
    for directory in &artefacts.directories {
        writeln!(
            text,
            "directory {} {} {:o}",
            directory.path, directory.owner, directory.mode
        )
        .unwrap();
    }
    text
}

#[test]
fn shop_is_as_stored() {
    golden("shop", &shop(), 1);
}

#[test]
fn a_virtual_machine() {
    golden("machine", &vm(), 4);
}

#[test]
fn quick_start_is_as_stored() {
    golden("quick-start", &quick(), 2);
}

#[test]
fn disabled_tenant_is_as_stored() {
    golden("disabled", &quiet(), 3);
}

#[test]
fn tunnels_are_as_stored() {
    golden("tunnels", &tunnels(), 4);
}

#[test]
fn equal_input_gives_equal_output() {
    assert_eq!(rendered(&shop()), rendered(&shop()));
}

#[test]
fn lines_that_move_restart_nothing() {
    let mut moved = shop();
    for workload in &mut moved.workloads {
        workload.origin.line += 10;
    }
    for network in &mut moved.networks {
        network.origin.line += 10;
    }
    let (before, after) = (rendered(&shop()), rendered(&moved));
    for (path, file) in &after.files {
        if file.class != UpdateClass::Live {
            assert_eq!(file.content, before.files[path].content, "{path}");
        }
    }
}

#[test]
fn an_environment_concerns_one_unit() {
    let mut changed = shop();
    changed.workloads[0].env.insert("MORE".into(), "1".into());
    let (before, after) = (rendered(&shop()), rendered(&changed));
    let differing: Vec<_> = after
        .files
        .iter()
        .filter(|(path, file)| before.files[*path].content != file.content)
        .collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(
        differing[0].1.unit.as_deref(),
        Some("systemd-nspawn@shop-db.service")
    );
    assert_eq!(differing[0].1.class, UpdateClass::Restart);
}

#[test]
fn a_further_container_restarts_no_other() {
    let mut more = shop();
    more.workloads.push(workload("cache", Init::Boot));
    let before = rendered(&shop());
    let after = rendered(&more);
    for (path, file) in &before.files {
        if file.class != UpdateClass::Live {
            assert_eq!(file.content, after.files[path].content, "{path}");
        }
    }
    assert_ne!(text(&before, "hosts/web"), text(&after, "hosts/web"));
}

#[test]
fn hostile_values_stay_values() {
    let mut evil = shop();
    evil.workloads[0]
        .env
        .insert("X".into(), "a\n[Service]\nExecStart=/bin/evil".into());
    evil.workloads[0].user = Some("root\nPrivateUsers=no".into());
    let made = rendered(&evil);
    let main = text(
        &made,
        "system/systemd-nspawn@shop-db.service.d/50-bitbuilder.conf",
    );
    assert_eq!(
        main.lines()
            .filter(|line| line.starts_with("ExecStart="))
            .count(),
        2
    );
    assert!(!main.lines().any(|line| line.starts_with("PrivateUsers")));
}

#[test]
fn what_cannot_be_written_is_a_finding() {
    let mut evil = shop();
    evil.workloads[0].origin.file = "containers/\n/config.yaml".into();
    let findings = render(&evil, &allocation(&evil, 1)).unwrap_err();
    assert!(
        findings
            .iter()
            .all(|finding| finding.rule == "unwritable-value")
    );
}

#[test]
fn a_name_that_systemd_cannot_hold_is_a_finding() {
    let id = format!("a{}a", "-".repeat(30));
    let mut long = tenant(&id, Vec::new(), vec![workload(&id, Init::Boot)]);
    long.workloads[0].attachments.clear();
    let findings = render(&long, &allocation(&long, 1)).unwrap_err();
    assert!(
        findings
            .iter()
            .any(|finding| finding.rule == "name-too-long")
    );
}

#[test]
fn a_missing_allocation_is_a_finding() {
    let shop = shop();
    let mut allocation = allocation(&shop, 1);
    allocation.machines.clear();
    let findings = render(&shop, &allocation).unwrap_err();
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].rule, "not-allocated");
}

#[test]
fn health_checks_read_back() {
    let made = rendered(&shop());
    let check: HealthCheck = serde_json::from_str(text(&made, "health/db.json")).unwrap();
    assert_eq!(check.machine, "shop-db");
    assert_eq!(check.script.as_deref(), Some("health/db.sh"));
    assert_eq!(check.health.interval, Millis(5000));
    assert_eq!(check.address.unwrap().to_string(), "172.20.17.2");
}

#[test]
fn only_a_running_tenant_is_wanted() {
    assert!(
        text(&rendered(&shop()), "boot").contains("multi-user.target.wants/tenant@shop.service\t")
    );
    let made = rendered(&quiet());
    assert!(!text(&made, "boot").contains(".wants/"));
    assert!(made.units.iter().all(|unit| !unit.autostart));
}

#[test]
fn every_link_of_the_boot_has_its_file() {
    for tenant in [shop(), quick(), quiet()] {
        let made = rendered(&tenant);
        for line in text(&made, "boot")
            .lines()
            .chain(text(&made, "mount-boot").lines())
        {
            let (_, target) = line.split_once('\t').unwrap();
            let inside = made
                .files
                .keys()
                .any(|path| path == target || path.starts_with(&format!("{target}/")));
            assert!(
                inside || target.starts_with("/usr/lib/systemd/system/"),
                "{line}"
            );
        }
    }
}

#[test]
fn required_units_are_owned() {
    for tenant in [shop(), quick(), quiet()] {
        let made = rendered(&tenant);
        for unit in &made.units {
            for required in &unit.requires {
                let known = made
                    .units
                    .iter()
                    .any(|one| one.name == *required && one.kind == UnitKind::Mount);
                assert!(known, "{} requires {required}", unit.name);
            }
        }
    }
}

#[test]
fn without_a_network_nothing_of_one_is_drawn() {
    let mut alone = quick();
    alone.networks.clear();
    alone.workloads[0].attachments.clear();
    let made = rendered(&alone);
    assert!(
        !made
            .files
            .keys()
            .any(|path| path.starts_with("network/") || path.starts_with("nftables/"))
    );
    let main = text(
        &made,
        "system/systemd-nspawn@tenant-001-main.service.d/50-bitbuilder.conf",
    );
    assert!(main.contains("--private-network"));
}
