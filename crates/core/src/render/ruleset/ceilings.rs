//! How much may cross the border of a tenant's networks: ceilings of the registry; and how much the link of a workload
//! carries. What is more is dropped, which TCP takes as the word to slow down.

use crate::nftables::json::{Part, drop, is, meta};
use crate::render::scene::{Port, Scene};
use serde_json::{Value, json};

/// Bytes in a megabit.
const MEGABIT: u64 = 125_000;
/// What may come at once: a tenth of a second's worth, no less than two of the largest packets, and no more than the kernel
/// can count.
const BURST: std::ops::RangeInclusive<u64> = 1 << 17..=1 << 30;
/// Where packets to a workload's link pass.
const CHAIN: &str = "bandwidth";

/// Drops what is more than the tenant's connections a second, at the end of `chain` so far.
pub(super) fn connections(scene: &Scene<'_>, chain: &str, table: &mut Part<'_>) {
    let Some(rate) = scene.tenant.ceilings.connections else {
        return;
    };
    let over = json!({"limit": {"rate": rate, "burst": rate, "per": "second", "inv": true}});
    let comment = "more connections a second than the registry allows";
    table.rule(chain, comment, vec![over, drop()]);
}

/// Drops what is more than the tenant's bandwidth, at the end of `chain` so far.
pub(super) fn bandwidth(scene: &Scene<'_>, chain: &str, table: &mut Part<'_>) {
    let Some(megabits) = scene.tenant.ceilings.bandwidth else {
        return;
    };
    let comment = "more bandwidth than the registry allows";
    table.rule(chain, comment, vec![more_than(megabits), drop()]);
}

/// Drops what is more than the bandwidth of each of `ports`: what the workload sends, at the end of `chain` so far, and what
/// is sent to it.
pub(super) fn links<'p>(
    ports: impl Iterator<Item = &'p Port<'p>>,
    chain: &str,
    table: &mut Part<'_>,
) {
    let limited: Vec<_> = ports
        .filter_map(|port| Some((port, port.bandwidth?)))
        .collect();
    if limited.is_empty() {
        return;
    }
    let links: Vec<Value> = limited.iter().map(|(port, _)| json!(port.link)).collect();
    table.entry(CHAIN, &links);
    for (port, (megabits, origin)) in limited {
        let comment = format!("{}: more than {megabits} Mbit/s", origin.place());
        for (chain, key) in [(chain, "iifname"), (CHAIN, "oifname")] {
            let by = is(meta(key), json!(port.link));
            table.rule(chain, &comment, vec![by, more_than(megabits), drop()]);
        }
    }
}

fn more_than(megabits: u64) -> Value {
    let rate = megabits.saturating_mul(MEGABIT);
    json!({"limit": {
        "rate": rate, "rate_unit": "bytes",
        "burst": (rate / 10).clamp(*BURST.start(), *BURST.end()), "burst_unit": "bytes",
        "per": "second", "inv": true,
    }})
}
