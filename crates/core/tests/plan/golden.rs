//! Plans as people see them: `tests/cases/plan/<case>/expected.txt`; `BLESS=1` rewrites them.

use crate::fixtures::*;
use crate::world::*;
use bitbuilder_core::model::*;
use bitbuilder_core::plan::{Plan, TextOptions, text};
use std::path::PathBuf;

#[allow(clippy::disallowed_methods, reason = "stored examples are files")]
fn golden(case: &str, plan: &Plan) {
    let options = TextOptions {
        color: false,
        diffs: true,
    };
    let made = text(plan, &options);
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/cases/plan")
        .join(case);
    let path = directory.join("expected.txt");
    if std::env::var("BLESS").is_ok() {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(&path, &made).unwrap();
    }
    let stored = std::fs::read_to_string(&path).unwrap();
    assert_eq!(made, stored, "{case}; BLESS=1 rewrites");
}

#[test]
fn first_generation() {
    let target = generation(&shop(), 1);
    golden("first", &between(None, Some(&target), &Default::default()));
}

#[test]
fn environment() {
    let mut to = shop();
    to.workloads[1].env.insert("GREETING".into(), "hi".into());
    golden("environment", &change(&shop(), &to));
}

#[test]
fn limits() {
    let mut to = shop();
    to.limits.memory = Some(Bytes(4 << 30));
    to.workloads[0].resources.tasks = Some(128);
    golden("limits", &change(&shop(), &to));
}

#[test]
fn added_container() {
    let mut to = shop();
    to.workloads.push(workload("cache", Init::Boot));
    golden("added-container", &change(&shop(), &to));
}

#[test]
fn removed_container() {
    let mut to = shop();
    to.workloads.pop();
    to.firewall.clear();
    to.publish.clear();
    golden("removed-container", &change(&shop(), &to));
}

#[test]
fn image() {
    let mut to = shop();
    for workload in &mut to.workloads {
        workload.image.digest = "fedcba9876543210".repeat(4);
    }
    golden("image", &change(&shop(), &to));
}

#[test]
fn gone() {
    let current = generation(&shop(), 3);
    golden("gone", &between(Some(&current), None, &running(&current)));
}

#[test]
fn drift() {
    let current = generation(&shop(), 3);
    let mut observed = running(&current);
    observed.active.remove("systemd-nspawn@shop-db.service");
    observed.active.remove("tenant-health@shop-db.timer");
    golden("drift", &between(Some(&current), Some(&current), &observed));
}
