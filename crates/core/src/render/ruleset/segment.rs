//! VXLAN segments: who may send into one, and what stays on its host.
//!
//! The kernel takes a packet of a segment from everybody who knows its number, so rules say from where: the other ends, by the
//! parent. In the segment each host is the router of its own machines and gives them their addresses; nothing of that leaves
//! the host or comes from another one. That nobody there speaks for a machine of this host is said in [`super::uplink`].

use crate::allocate::Uplink;
use crate::model::NetworkDetails;
use crate::nftables::json::{Part, accept, any_of, drop, field, is, is_not, meta, segment_of};
use crate::render::scene::{Bridge, Scene};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The segment of a bridge.
struct Segment<'s> {
    bridge: &'s Bridge<'s>,
    link: &'s str,
    vni: u32,
    remotes: &'s [IpAddr],
    /// The link that its packets come by, when that is known.
    by: Option<&'s str>,
}

fn segments<'s>(scene: &'s Scene<'s>) -> impl Iterator<Item = Segment<'s>> {
    scene.bridges.iter().filter_map(|bridge| {
        let NetworkDetails::Vxlan {
            remotes, parent, ..
        } = &bridge.network.details
        else {
            return None;
        };
        let Some(Uplink::Vxlan { link, vni }) = &bridge.allocated.uplink else {
            return None;
        };
        let below = scene.below(bridge).and_then(Bridge::tunnel);
        Some(Segment {
            bridge,
            link,
            vni: *vni,
            remotes,
            by: below.or(parent.as_deref()),
        })
    })
}

/// Packets of a segment.
fn of(segment: &Segment<'_>) -> [Value; 2] {
    let (carried, number) = segment_of();
    [carried, is(number, json!(segment.vni))]
}

/// Protocol of the other ends, and the one that they do not speak.
fn protocols(segment: &Segment<'_>) -> (&'static str, &'static str) {
    match segment.remotes.iter().any(IpAddr::is_ipv6) {
        true => ("ip6", "ipv4"),
        false => ("ip", "ipv6"),
    }
}

fn ends(segment: &Segment<'_>) -> Value {
    let ends: Vec<Value> = segment.remotes.iter().map(|end| json!(end)).collect();
    any_of(&ends)
}

/// What comes to this host for a segment, and what tenants send to another host as if they were this one.
pub(super) fn guards(scene: &Scene<'_>, table: &mut Part<'_>) {
    let numbers: Vec<Value> = segments(scene).map(|segment| json!(segment.vni)).collect();
    if numbers.is_empty() {
        return;
    }
    table.entry("segments", &numbers);
    table.entry("segments-out", &numbers);
    let comment = "a tenant is no end of the segment";
    table.rule("segments-out", comment, vec![drop()]);
    for segment in segments(scene) {
        let refuse = |condition: Value| [of(&segment).to_vec(), vec![condition, drop()]].concat();
        let what = "who sends into the segment";
        if let Some(by) = segment.by {
            table.rule("segments", what, refuse(is_not(meta("iifname"), json!(by))));
        }
        if !segment.remotes.is_empty() {
            let (own, other) = protocols(&segment);
            table.rule(
                "segments",
                what,
                refuse(is_not(field(own, "saddr"), ends(&segment))),
            );
            table.rule("segments", what, refuse(is(meta("nfproto"), json!(other))));
        }
    }
}

/// Segments that come through the tenant's own tunnels are for the host.
pub(super) fn arrivals(scene: &Scene<'_>, table: &mut Part<'_>) {
    for segment in segments(scene) {
        if let Some(below) = scene.below(segment.bridge).and_then(Bridge::tunnel) {
            let (own, _) = protocols(&segment);
            let from = [
                is(meta("iifname"), json!(below)),
                is(field(own, "saddr"), ends(&segment)),
            ];
            let rule = [from.to_vec(), of(&segment).to_vec(), vec![accept()]].concat();
            table.rule("input", "segment by the tunnel", rule);
        }
    }
}

/// What stays on its host.
pub(super) fn bridged(scene: &Scene<'_>, table: &mut Part<'_>) {
    let links: Vec<Value> = segments(scene).map(|segment| json!(segment.link)).collect();
    if links.is_empty() {
        return;
    }
    table.entry("segment-in", &links);
    table.entry("segment-out", &links);
    for segment in segments(scene) {
        for condition in local(&segment) {
            for (chain, key) in [("segment-in", "iifname"), ("segment-out", "oifname")] {
                let by = is(meta(key), json!(segment.link));
                let rule = [vec![by], condition.clone(), vec![drop()]].concat();
                table.rule(chain, "the host's own part of the segment", rule);
            }
        }
    }
}

/// Addresses of the router, and how machines get theirs.
fn local(segment: &Segment<'_>) -> Vec<Vec<Value>> {
    let gateway = json!(segment.bridge.gateway);
    let ports: Vec<Value> = [67, 68, 546, 547].map(|port| json!(port)).to_vec();
    let kinds = |kinds: &[&str]| {
        let kinds: Vec<Value> = kinds.iter().map(|kind| json!(kind)).collect();
        is(field("icmpv6", "type"), any_of(&kinds))
    };
    let mut rules = vec![
        vec![is(field("arp", "saddr ip"), gateway.clone())],
        vec![is(field("arp", "daddr ip"), gateway)],
        vec![is(field("udp", "sport"), any_of(&ports))],
        vec![is(field("udp", "dport"), any_of(&ports))],
        vec![kinds(&[
            "nd-router-solicit",
            "nd-router-advert",
            "nd-redirect",
        ])],
    ];
    if let Some(gateway) = segment.bridge.gateway6() {
        rules.push(vec![
            kinds(&["nd-neighbor-solicit", "nd-neighbor-advert"]),
            is(field("icmpv6", "taddr"), json!(gateway)),
        ]);
    }
    rules
}
