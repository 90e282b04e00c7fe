//! How much may cross the border of a tenant's networks: ceilings of the registry. What is more is dropped, which TCP takes
//! as the word to slow down.

use crate::nftables::json::{Part, drop};
use crate::render::scene::Scene;
use serde_json::json;

/// Bytes in a megabit.
const MEGABIT: u64 = 125_000;
/// What may come at once: a tenth of a second's worth, no less than two of the largest packets, and no more than the kernel
/// can count.
const BURST: std::ops::RangeInclusive<u64> = 1 << 17..=1 << 30;

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
    let rate = megabits.saturating_mul(MEGABIT);
    let over = json!({"limit": {
        "rate": rate, "rate_unit": "bytes",
        "burst": (rate / 10).clamp(*BURST.start(), *BURST.end()), "burst_unit": "bytes",
        "per": "second", "inv": true,
    }});
    let comment = "more bandwidth than the registry allows";
    table.rule(chain, comment, vec![over, drop()]);
}
