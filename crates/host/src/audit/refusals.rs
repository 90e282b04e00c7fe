//! Refusals are cheap to cause: a tenant that pushes ten thousand bad commits shall not fill the disk with records. The
//! first of a day are recorded one by one, the others are counted, and the count is a record.

use super::entry::Event;
use bitbuilder_core::digest::sha256_parts;
use bitbuilder_core::model::Name;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Refusals of a tenant that are recorded one by one within [`PERIOD`].
const SINGLE: usize = 20;
/// Seconds that are counted together.
const PERIOD: u64 = 86_400;
/// Kind of event that is counted.
const REFUSED: &str = "refused";

/// `/var/lib/bitbuilder/audit/refusals.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusals {
    /// Format version, 1.
    format: u64,
    /// By tenant; the empty id is the system repository.
    tenants: BTreeMap<String, Period>,
}

/// One tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Period {
    /// Seconds since the epoch.
    since: u64,
    /// Commits that were recorded.
    recorded: BTreeSet<String>,
    /// Refusals that were not.
    #[serde(default)]
    counted: u64,
    /// SHA-256 over the commits that were counted, each with what came before: who has the list can prove it.
    #[serde(default)]
    digest: String,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            format: crate::atomic::FORMAT,
            tenants: BTreeMap::new(),
        }
    }
}

impl Refusals {
    /// Whether `event` is to be recorded; one that is not is counted.
    pub(super) fn admit(&mut self, event: &Event, now: u64) -> bool {
        if event.event != REFUSED {
            return true;
        }
        let tenant = event.tenant.as_ref().map_or("", Name::as_str);
        let commit = event.details.get("commit").and_then(|id| id.as_str());
        let commit = commit.unwrap_or_default();
        let period = self
            .tenants
            .entry(tenant.to_owned())
            .or_insert_with(|| Period {
                since: now,
                recorded: BTreeSet::new(),
                counted: 0,
                digest: String::new(),
            });
        if period.recorded.len() < SINGLE && period.recorded.insert(commit.to_owned()) {
            return true;
        }
        period.counted += 1;
        period.digest = sha256_parts([period.digest.as_bytes(), commit.as_bytes()]);
        false
    }

    /// Periods that are over, and what was counted in them. A clock that went back ends them too.
    pub(super) fn over(&mut self, now: u64) -> Vec<Event> {
        let mut events = Vec::new();
        self.tenants.retain(|tenant, period| {
            let goes_on = (period.since..period.since + PERIOD).contains(&now);
            if !goes_on && period.counted > 0 {
                let tenant = Name::new(tenant).ok();
                let event = Event::new(tenant.as_ref(), "refusals-counted")
                    .with("since", period.since)
                    .with("count", period.counted)
                    .with("digest", period.digest.clone());
                events.push(event);
            }
            goes_on
        });
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tenant: &str, commit: u32) -> Event {
        let tenant = Name::new(tenant).unwrap();
        Event::new(Some(&tenant), REFUSED).with("commit", format!("{commit:040x}"))
    }

    #[test]
    fn a_flood_is_counted() {
        let mut refusals = Refusals::default();
        let admitted = (0..10_000).filter(|n| refusals.admit(&refused("shop", *n), 1000));
        assert_eq!(admitted.count(), SINGLE);
        assert!(
            refusals.admit(&refused("blog", 0), 1000),
            "others are not concerned"
        );
        assert!(
            !refusals.admit(&refused("blog", 0), 1001),
            "the same again is counted"
        );
        assert_eq!(
            refusals
                .tenants
                .values()
                .map(|one| one.counted)
                .sum::<u64>(),
            10_000 - SINGLE as u64 + 1
        );
        assert_eq!(refusals.over(1000 + PERIOD - 1), []);

        let counts = refusals.over(1000 + PERIOD);
        let of = |tenant: &str| {
            let event = counts
                .iter()
                .find(|event| event.tenant.as_ref().unwrap().as_str() == tenant);
            event.unwrap().details["count"].as_u64().unwrap()
        };
        assert_eq!((of("shop"), of("blog")), (9980, 1));
        assert_eq!(refusals, Refusals::default());
        assert!(refusals.admit(&refused("shop", 1), 1000 + PERIOD));
    }

    #[test]
    fn other_events_pass() {
        let mut refusals = Refusals::default();
        for _ in 0..100 {
            assert!(refusals.admit(&Event::new(None, "deployed"), 0));
        }
        assert_eq!(refusals, Refusals::default());
    }

    #[test]
    fn a_clock_that_goes_back_ends_the_period() {
        let mut refusals = Refusals::default();
        for n in 0..30 {
            refusals.admit(&refused("shop", n), 5000);
        }
        assert_eq!(refusals.over(4000).len(), 1);
    }
}
