//! Packet rules of a tenant: `nftables/ruleset.json`, one transaction for `nft -j -f` (libnftables-json(5)).
//!
//! Two tables of its own, made anew as a whole: `inet` for what is routed or for the host, `bridge` for what
//! passes between its machines. A verdict that drops is final and one that accepts only ends the table, so
//! tenants protect themselves without knowing of each other; "another tenant" is a link of the tenants' group. Comments
//! name the document and not its line: a line that moves is no reason to load anything.

mod antispoof;
mod filter;
mod json;
mod nat;
mod policy;
mod private;
mod segment;
mod uplink;
mod vrf;

use super::scene::{Bridge, Scene};
use super::set::{Set, Source};
use json::Table;

pub(super) fn render(scene: &Scene<'_>, set: &mut Set) {
    if scene.bridges.is_empty() {
        return;
    }
    let name = format!("bb-{}", scene.tenant.id);
    let mut routed = Table::new("inet", &name);
    filter::rules(scene, &mut routed);
    nat::rules(scene, &mut routed);
    vrf::rules(scene, &mut routed);
    private::rules(scene, &mut routed);
    segment::guards(scene, &mut routed);
    let mut commands = routed.commands();
    if scene.bridged_ports().next().is_some() || !uplink::links(scene).is_empty() {
        let mut bridged = Table::new("bridge", &name);
        antispoof::rules(scene, &mut bridged);
        uplink::rules(scene, &mut bridged);
        policy::bridged(scene, &mut bridged);
        segment::bridged(scene, &mut bridged);
        commands.extend(bridged.commands());
    }
    // One command a line: people read diffs of this file.
    let lines: Vec<String> = commands.iter().map(ToString::to_string).collect();
    let text = format!("{{\"nftables\":[\n{}\n]}}\n", lines.join(",\n"));
    debug_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    set.add(
        "nftables/ruleset.json".into(),
        text.into_bytes(),
        0o644,
        Source::live(&scene.origin),
    );
}

/// Comment of the rules that send away what is no affair of their table.
pub(crate) const NOT_OURS: &str = "not of this tenant";

/// Links of the tenant's networks as the IP layer sees them, as elements of a set.
fn links(scene: &Scene<'_>) -> Vec<serde_json::Value> {
    let bridges = scene.bridges.iter();
    bridges.flat_map(Bridge::link_values).collect()
}
