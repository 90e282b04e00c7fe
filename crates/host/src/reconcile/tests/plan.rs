//! What a plan says, and that it changes nothing.

use super::*;
use crate::reconcile::preview_system;
use crate::sim::{Call, Faults};
use crate::source::{TreeLimits, read_directory};
use bitbuilder_core::plan::{Gate, Waiting};

fn plan_only() -> Options {
    Options {
        plan_only: true,
        ..Options::default()
    }
}

fn gates(waiting: &[Waiting]) -> Vec<Gate> {
    waiting.iter().map(|one| one.gate).collect()
}

#[test]
fn a_plan_leaves_an_interrupted_change_to_the_next_pass() {
    let world = World::new(&["one"]);
    world.sync("one");
    world.commit("one", &[(WEB, &container("green")), (RULES, FIREWALL)]);
    let broken = SimHost::open(world.host.root().path()).unwrap();
    let broken = broken.with_faults(Faults::none().nth(Call::ApplyRuleset, 1));
    pass(&broken, &Options::default(), &mut silent).unwrap();
    let journal = world.host.root().journal(&name("one"));
    assert!(journal.exists());

    let planned = find(world.pass(&plan_only()), "one");
    assert_eq!(gates(&planned.waiting), [Gate::Interrupted]);
    assert!(journal.exists(), "a plan changes nothing");
    world.sync("one");
    assert!(!journal.exists());
    assert_eq!(find(world.pass(&plan_only()), "one").waiting, []);
}

const RULES: &str = "network/firewall/10.yaml";
const FIREWALL: &str = "rules: [{ from: any, to: any, protocol: tcp, ports: [1], action: drop }]\n";

#[test]
fn a_system_repository_is_planned_for_every_tenant() {
    let world = World::new(&["one", "two"]);
    world.sync("one");
    let url = |id: &str| format!("file://{}", world.repository(id).display());
    let registry = serde_json::json!({ "tenants": [
        { "id": "one", "repository": url("one"), "allow": { "containers": false } },
        { "id": "three", "repository": url("two") },
    ] });
    let file = world.repository("system").join("tenants/registry.json");
    std::fs::write(file, registry.to_string()).unwrap();
    let reading = read_directory(&world.repository("system"), &TreeLimits::default()).unwrap();
    let preview = preview_system(&world.host, reading, "local").unwrap();
    let verdicts: Vec<(&str, Verdict, Vec<Gate>)> = preview
        .tenants
        .iter()
        .map(|one| (one.tenant.as_str(), one.verdict, gates(&one.waiting)))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("one", Verdict::Refused, vec![Gate::Refused, Gate::Refused]),
            ("three", Verdict::Unchanged, vec![Gate::Repository]),
            ("two", Verdict::Planned, vec![]),
        ]
    );
}
