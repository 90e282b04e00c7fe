//! Packet rules of a tenant: `nftables/ruleset.json`, one transaction for nft (libnftables-json(5)).
//!
//! Chains and sets of its own in the tables that all tenants share ([`crate::nftables`]), made anew as a whole: `inet` for
//! what is routed or for the host, `bridge` for what passes between its machines. A verdict that drops is final and one
//! that accepts only ends the chain that the kernel called, so tenants protect themselves without knowing of each other;
//! "another tenant" is a link of the tenants' group.

mod antispoof;
mod ceilings;
mod filter;
mod nat;
mod policy;
mod private;
mod segment;
mod uplink;
mod vrf;

use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use crate::nftables::json::Part;

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    if scene.bridges.is_empty() {
        return;
    }
    let tenant = &scene.tenant.id;
    let mut routed = Part::new("inet", tenant);
    filter::rules(scene, &mut routed);
    nat::rules(scene, &mut routed);
    vrf::rules(scene, &mut routed);
    private::rules(scene, &mut routed);
    segment::guards(scene, &mut routed);
    let mut bridged = Part::new("bridge", tenant);
    antispoof::rules(scene, &mut bridged);
    uplink::rules(scene, &mut bridged);
    policy::bridged(scene, &mut bridged);
    segment::bridged(scene, &mut bridged);
    // One command a line: people read diffs of this file.
    let commands = routed.commands().chain(bridged.commands());
    let lines: Vec<String> = commands.map(|command| command.to_string()).collect();
    let text = format!("{{\"nftables\":[\n{}\n]}}\n", lines.join(",\n"));
    debug_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    set.add(
        "nftables/ruleset.json".into(),
        text.into_bytes(),
        0o644,
        Source::live(&scene.origin),
    );
}

/// Links of the tenant's networks as the IP layer sees them, as elements of a set.
fn links(scene: &Scene<'_>) -> Vec<serde_json::Value> {
    let bridges = scene.bridges.iter();
    bridges.flat_map(Bridge::link_values).collect()
}
