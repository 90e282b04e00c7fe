//! Whether a generation that was deployed works: what its units do within a window of time, and what follows from that.
//!
//! A window is one try. It ends early when every workload has shown that it works, or one of them that it does not;
//! else when its time is over.

use crate::model::HealthPolicy;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What one unit of a tenant has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The unit.
    pub unit: String,
    /// Its invocation; empty while it does not run.
    pub invocation: String,
    /// What that means.
    pub standing: Standing,
}

/// What a unit has shown of itself. Texts say why, for people: `web fails its health check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It works: its check is passed, it has done its work, or it is not to run.
    Good,
    /// It runs, and nothing asks it whether it works.
    Up,
    /// It is on its way.
    Coming(String),
    /// It ended, and is started again.
    Down(String),
    /// It failed for good, or its check did.
    Failed(String),
}

/// The window of a generation, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The generation.
    pub generation: u64,
    /// Which try it is, from 1.
    #[serde(rename = "try")]
    pub attempt: u64,
    /// Seconds since the epoch at which this try began.
    pub since: u64,
    /// Restarts of the host inside this window: each begins it again.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub restarts: u64,
    /// The way that led to the generation.
    #[serde(default)]
    pub way: Way,
    /// Invocation of each unit at the first look: one that has another at the end was started again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub invocations: BTreeMap<String, String>,
}

/// What led to a generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// It was deployed: without success it is left.
    #[default]
    Forward,
    /// Somebody or something went back to it: it stays, come what may.
    Back,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What is to be done about a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing yet.
    Wait,
    /// The generation works.
    Close,
    /// One more try: `units` are started anew.
    TryAgain {
        /// What did not work.
        units: Vec<String>,
        /// Why, for people.
        reason: String,
    },
    /// There are no tries left.
    GiveUp {
        /// Why, for people.
        reason: String,
    },
}

impl Window {
    /// The first try of a generation that begins now.
    pub fn new(generation: u64, since: u64, way: Way) -> Self {
        Self {
            generation,
            attempt: 1,
            since,
            restarts: 0,
            way,
            invocations: BTreeMap::new(),
        }
    }

    /// The next try.
    #[must_use]
    pub fn again(&self, since: u64) -> Self {
        Self {
            attempt: self.attempt + 1,
            ..Self::new(self.generation, since, self.way)
        }
    }

    /// The same try from the beginning, because the host was restarted.
    #[must_use]
    pub fn restarted(&self, since: u64) -> Self {
        Self {
            attempt: self.attempt,
            restarts: self.restarts + 1,
            ..Self::new(self.generation, since, self.way)
        }
    }

    /// What `seen` means; `due` when the time of the window is over.
    pub fn decide(&self, policy: &HealthPolicy, seen: &[Seen], due: bool) -> Decision {
        // A generation that takes the host down whenever it runs would never come to the end of its window.
        if self.restarts > policy.tries {
            let reason = format!(
                "the host was restarted {} times while it was tried",
                self.restarts
            );
            return Decision::GiveUp { reason };
        }
        let failed = seen
            .iter()
            .any(|one| matches!(one.standing, Standing::Failed(_)));
        if !failed && seen.iter().all(|one| one.standing == Standing::Good) {
            return Decision::Close;
        }
        if !failed && !due {
            return Decision::Wait;
        }
        let bad: Vec<(&Seen, String)> = seen
            .iter()
            .filter_map(|one| Some((one, self.fault(one)?)))
            .collect();
        let Some(reason) = worst(&bad) else {
            return Decision::Close;
        };
        if self.attempt >= policy.tries {
            return Decision::GiveUp { reason };
        }
        let units = bad.into_iter().map(|(one, _)| one.unit.clone()).collect();
        Decision::TryAgain { units, reason }
    }

    /// What is wrong with a unit when its time is over.
    fn fault(&self, seen: &Seen) -> Option<String> {
        match &seen.standing {
            Standing::Good => None,
            Standing::Up => {
                let first = self.invocations.get(&seen.unit)?;
                let unit = &seen.unit;
                (*first != seen.invocation).then(|| {
                    format!("{unit} ended and was started again, and no health check says that it works now")
                })
            }
            Standing::Coming(reason) | Standing::Down(reason) | Standing::Failed(reason) => {
                Some(reason.clone())
            }
        }
    }
}

/// The reason that matters most: what failed explains what waits for it.
fn worst(bad: &[(&Seen, String)]) -> Option<String> {
    let rank = |seen: &Seen| match seen.standing {
        Standing::Failed(_) => 0,
        Standing::Down(_) => 1,
        Standing::Up => 2,
        Standing::Coming(_) | Standing::Good => 3,
    };
    let found = bad.iter().min_by_key(|(seen, _)| rank(seen));
    found.map(|(_, reason)| reason.clone())
}

/// Why a tenant that is in no window does not work, if it does not; what is on its way is not asked.
pub fn trouble(seen: &[Seen]) -> Option<&str> {
    seen.iter().find_map(|one| match &one.standing {
        Standing::Down(reason) | Standing::Failed(reason) => Some(reason.as_str()),
        _ => None,
    })
}

/// Whether all of a tenant that is in no window works.
pub fn works(seen: &[Seen]) -> bool {
    let fine = |one: &Seen| matches!(one.standing, Standing::Good | Standing::Up);
    seen.iter().all(fine)
}

/// The newest of `good`, generations that were Healthy, that `current` can be left for.
pub fn last_good(good: &[u64], current: u64) -> Option<u64> {
    let mut others = good.iter().copied();
    others.rfind(|number| *number != current)
}

#[cfg(test)]
mod tests;
