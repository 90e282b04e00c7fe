//! VXLAN segments: each has its guards, and they are about nobody else's packets.

use super::guards::{field, is, is_filter, meta_is};
use super::table::Part;
use crate::allocate::{NetworkAllocation, Uplink};
use crate::lint::expected::Expected;
use serde_json::{Value, json};

type Rule = Vec<Value>;

/// The link and number of the segment of `network`.
fn segment(network: &NetworkAllocation) -> Option<(&str, u32)> {
    match &network.uplink {
        Some(Uplink::Vxlan { link, vni }) => Some((link, *vni)),
        _ => None,
    }
}

fn segments<'a>(expected: &Expected<'a>) -> impl Iterator<Item = (&'a str, u32)> {
    let networks: Vec<&'a NetworkAllocation> = expected.networks.clone();
    networks.into_iter().filter_map(segment)
}

/// Whether a key of a map is the number of a segment of the tenant.
pub(super) fn is_number(expected: &Expected<'_>, key: &Value) -> bool {
    segments(expected).any(|(_, vni)| *key == vni)
}

/// Whether a key of a map is the link of a segment of the tenant.
pub(super) fn is_link(expected: &Expected<'_>, key: &Value) -> bool {
    segments(expected).any(|(link, _)| *key == link)
}

/// A packet of the segment with this number.
fn of(vni: u32) -> [Value; 2] {
    let number = json!({"payload": {"base": "th", "offset": 96, "len": 24}});
    [is(field("udp", "dport"), 4789), is(number, vni)]
}

/// Whether `rule` lets packets of a segment of the tenant in that come by one of its tunnels from known ends.
pub(super) fn is_arrival(expected: &Expected<'_>, rule: &Rule) -> bool {
    let tunnels = expected
        .networks
        .iter()
        .filter_map(|network| network.uplink.as_ref());
    let mut tunnels = tunnels.filter(|uplink| !uplink.is_port()).map(Uplink::link);
    let [by, from, port, number, verdict] = rule.as_slice() else {
        return false;
    };
    let from = &from["match"];
    let sides = [field("ip", "saddr"), field("ip6", "saddr")];
    tunnels.any(|tunnel| *by == meta_is("iifname", tunnel))
        && from["op"] == "=="
        && sides.contains(&from["left"])
        && segments(expected).any(|(_, vni)| of(vni) == [port.clone(), number.clone()])
        && *verdict == json!({"accept": null})
}

/// Guards of what is for the host; `links` are those that the set makes.
pub(super) fn routed(
    expected: &Expected<'_>,
    table: &Part,
    made: impl Fn(&str) -> bool,
    wrong: &mut Vec<String>,
) {
    let own = |rule: &Rule| {
        let begins = segments(expected).any(|(_, vni)| rule.starts_with(&of(vni)));
        begins && is_drop(rule)
    };
    if !table.rules("segments").iter().all(own) {
        wrong.push("chain `segments` is not as it must be".to_owned());
    }
    let out = table.rules("segments-out");
    if !table.entry("segments-out").is_empty() && out != [vec![json!({"drop": null})]] {
        wrong.push("chain `segments-out` is not as it must be".to_owned());
    }
    for (link, vni) in segments(expected).filter(|(link, _)| made(link)) {
        let mut rules = table.rules("segments").iter();
        let led = |chain: &&str| table.entry(chain).contains(&json!(vni));
        let guarded = rules.any(|rule| rule.starts_with(&of(vni)))
            && ["segments", "segments-out"].iter().all(led);
        if !guarded {
            wrong.push(format!("segment `{link}` has no guards"));
        }
    }
}

/// Guards of what is in the segment.
pub(super) fn bridged(
    expected: &Expected<'_>,
    table: &Part,
    made: impl Fn(&str) -> bool,
    wrong: &mut Vec<String>,
) {
    let chains = [("segment-in", "iifname"), ("segment-out", "oifname")];
    for (chain, key) in chains {
        let own = |rule: &Rule| {
            let begins =
                segments(expected).any(|(link, _)| rule.first() == Some(&meta_is(key, link)));
            begins && is_drop(rule)
        };
        if !table.rules(chain).iter().all(own) {
            wrong.push(format!("chain `{chain}` is not as it must be"));
        }
    }
    for network in &expected.networks {
        let Some((link, _)) = segment(network).filter(|(link, _)| made(link)) else {
            continue;
        };
        let gateway = network.gateway().map(|gateway| gateway.to_string());
        let guarded = chains.iter().all(|(chain, key)| {
            let rule = vec![
                meta_is(key, link),
                is(field("arp", "saddr ip"), gateway.clone()),
                json!({"drop": null}),
            ];
            table.entry(chain).contains(&json!(link)) && table.rules(chain).contains(&rule)
        });
        if !guarded {
            wrong.push(format!("segment `{link}` has no guards within"));
        }
    }
}

fn is_drop(rule: &Rule) -> bool {
    is_filter(rule, "") && rule.last() == Some(&json!({"drop": null}))
}
