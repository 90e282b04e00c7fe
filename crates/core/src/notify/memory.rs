//! What was told, and what therefore is not told again.

use super::{Kind, Notice};
use crate::digest::sha256;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Seconds in which the same is not told again.
pub const QUIET: u64 = 3600;
/// Notices of one kind and tenant within [`QUIET`].
const MOST: usize = 20;

/// What was told.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Memory {
    /// By kind and tenant (`rolled-back shop`).
    #[serde(default)]
    told: BTreeMap<String, Told>,
}

/// Of one kind and tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Told {
    /// When, by what it was about.
    #[serde(default)]
    recent: BTreeMap<String, u64>,
    /// How often not.
    #[serde(default)]
    counted: u64,
    /// A state that nothing has ended yet.
    #[serde(default)]
    open: bool,
}

impl Memory {
    /// The notice to send; `None` when there is nothing new in it.
    pub fn admit(&mut self, mut notice: Notice) -> Option<Notice> {
        if !self.end(&notice) {
            return None;
        }
        let now = notice.time;
        let told = self.told.entry(key(notice.kind, &notice)).or_default();
        // A clock that went back makes nothing recent.
        told.recent
            .retain(|_, time| (*time..*time + QUIET).contains(&now));
        let about = about(&notice);
        if told.recent.contains_key(&about) || told.recent.len() >= MOST {
            told.counted += 1;
            return None;
        }
        told.recent.insert(about, now);
        told.open = true;
        notice.more = std::mem::take(&mut told.counted);
        Some(notice)
    }

    /// Closes the states that a notice ends; whether there was one, for a notice that ends any.
    fn end(&mut self, notice: &Notice) -> bool {
        let mut ended = notice.kind.ends().is_empty();
        for kind in notice.kind.ends() {
            if let Some(told) = self.told.get_mut(&key(*kind, notice)) {
                ended |= std::mem::take(&mut told.open);
                // What begins again after its end is news.
                told.recent.clear();
            }
        }
        if !notice.kind.ends().is_empty() {
            self.told.remove(&key(notice.kind, notice));
        }
        ended
    }

    /// Forgets what is as if it had never been.
    pub fn forget(&mut self, now: u64) {
        self.told.retain(|_, told| {
            let recent = told
                .recent
                .values()
                .any(|time| (*time..*time + QUIET).contains(&now));
            told.open || recent || told.counted > 0
        });
    }
}

fn key(kind: Kind, notice: &Notice) -> String {
    let tenant = notice.tenant.as_ref().map_or("", |id| id.as_str());
    format!("{} {tenant}", kind.word())
}

/// What makes two notices of one kind the same: everything but the time.
fn about(notice: &Notice) -> String {
    sha256(notice.message.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;
    use serde_json::Map;

    fn notice(kind: Kind, tenant: &str, message: &str, time: u64) -> Notice {
        Notice {
            format: 1,
            host: "h".into(),
            time,
            kind,
            priority: kind.priority(),
            tenant: Name::new(tenant).ok(),
            message: message.into(),
            more: 0,
            details: Map::new(),
        }
    }

    #[test]
    fn the_same_again_is_counted() {
        let mut memory = Memory::default();
        let tell = |memory: &mut Memory, time| {
            memory
                .admit(notice(Kind::Failed, "shop", "disk full", time))
                .map(|one| one.more)
        };
        assert_eq!(tell(&mut memory, 100), Some(0));
        assert_eq!(tell(&mut memory, 101), None);
        assert_eq!(tell(&mut memory, 100 + QUIET - 1), None);
        assert_eq!(tell(&mut memory, 100 + QUIET), Some(2));
        // Another tenant, kind or reason is something else.
        for other in [
            notice(Kind::Failed, "blog", "disk full", 102),
            notice(Kind::Refused, "shop", "disk full", 102),
            notice(Kind::Failed, "shop", "no memory", 100 + QUIET),
        ] {
            assert!(memory.admit(other).is_some());
        }
    }

    #[test]
    fn a_flood_is_bounded() {
        let mut memory = Memory::default();
        let sent = (0..10_000).filter_map(|n| {
            memory.admit(notice(Kind::Refused, "shop", &format!("commit {n}"), 100))
        });
        assert_eq!(sent.count(), MOST);
        let next = memory.admit(notice(Kind::Refused, "shop", "last", 100 + QUIET));
        assert_eq!(next.unwrap().more, 10_000 - MOST as u64);
        memory.forget(100 + 3 * QUIET);
        assert_eq!(memory.told.len(), 1, "an open state is not forgotten");
    }

    #[test]
    fn an_end_is_told_once_and_only_of_what_began() {
        let mut memory = Memory::default();
        let tell =
            |memory: &mut Memory, kind| memory.admit(notice(kind, "shop", "x", 100)).is_some();
        assert!(!tell(&mut memory, Kind::Settled));
        assert!(tell(&mut memory, Kind::Drifted));
        assert!(!tell(&mut memory, Kind::Drifted));
        assert!(tell(&mut memory, Kind::Settled));
        assert!(!tell(&mut memory, Kind::Settled));
        assert!(
            tell(&mut memory, Kind::Drifted),
            "after its end it is news again"
        );
        assert!(tell(&mut memory, Kind::Settled));
        assert!(tell(&mut memory, Kind::Degraded));
        assert!(tell(&mut memory, Kind::Healthy));
        assert!(!tell(&mut memory, Kind::Healthy));
    }

    #[test]
    fn memory_goes_round() {
        let mut memory = Memory::default();
        memory.admit(notice(Kind::Limit, "shop", "x", 1));
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), memory);
    }
}
