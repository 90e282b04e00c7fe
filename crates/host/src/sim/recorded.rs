//! A map that knows which of its entries changed since it was stored: what is written is as large as the change.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

/// The map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recorded<V> {
    map: BTreeMap<String, V>,
    changed: BTreeSet<String>,
}

/// Entries that changed: what they are now, or that they are gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Delta<V>(BTreeMap<String, Option<V>>);

impl<V> Delta<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<V> Default for Delta<V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<V> Default for Recorded<V> {
    fn default() -> Self {
        Self {
            map: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }
}

impl<V> Deref for Recorded<V> {
    type Target = BTreeMap<String, V>;

    fn deref(&self) -> &Self::Target {
        &self.map
    }
}

impl<V: Clone + PartialEq> Recorded<V> {
    pub(super) fn insert(&mut self, key: impl Into<String>, value: V) {
        let key = key.into();
        if self.map.get(&key) != Some(&value) {
            self.changed.insert(key.clone());
            self.map.insert(key, value);
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        if self.map.remove(key).is_some() {
            self.changed.insert(key.to_owned());
        }
    }

    /// Becomes `map`.
    pub(super) fn replace(&mut self, map: BTreeMap<String, V>) {
        let gone = self.map.keys().filter(|key| !map.contains_key(*key));
        self.changed.extend(gone.cloned());
        let other = |(key, value): &(&String, &V)| self.map.get(*key) != Some(*value);
        self.changed
            .extend(map.iter().filter(other).map(|(key, _)| key.clone()));
        self.map = map;
    }

    pub(super) fn clear(&mut self) {
        self.replace(BTreeMap::new());
    }

    /// What changed since the last call.
    pub(super) fn take_changes(&mut self) -> Delta<V> {
        let keys = std::mem::take(&mut self.changed).into_iter();
        let entry = |key: String| {
            let value = self.map.get(&key).cloned();
            (key, value)
        };
        Delta(keys.map(entry).collect())
    }

    /// All entries, as a change from nothing.
    pub(super) fn whole(&self) -> Delta<V> {
        let entry = |(key, value): (&String, &V)| (key.clone(), Some(value.clone()));
        Delta(self.map.iter().map(entry).collect())
    }

    /// Takes over what another process changed.
    pub(super) fn merge(&mut self, delta: Delta<V>) {
        for (key, value) in delta.0 {
            match value {
                Some(value) => drop(self.map.insert(key, value)),
                None => drop(self.map.remove(&key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn changes_lead_from_one_to_the_other(
            steps in prop::collection::vec((0u8..6, prop::option::of(0u8..3), any::<bool>()), 0..40),
        ) {
            let mut map = Recorded::default();
            let mut copy = Recorded::default();
            for (key, value, stored) in steps {
                match value {
                    Some(value) => map.insert(key.to_string(), value),
                    None if key == 0 => map.clear(),
                    None => map.remove(&key.to_string()),
                }
                if stored {
                    copy.merge(map.take_changes());
                    prop_assert_eq!(&*copy, &*map);
                }
            }
            let mut fresh = Recorded::default();
            fresh.merge(map.whole());
            prop_assert_eq!(&*fresh, &*map);
        }
    }
}
