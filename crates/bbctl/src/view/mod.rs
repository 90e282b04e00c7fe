//! What is shown of a value, for people.
//!
//! - [`table`]: rows in columns. [`time`]: times. [`report`]: passes, as they go and when they are over.
//! - [`status`]: the host and one tenant. [`history`]: what happened. [`drift`]: what differs.
//! - [`network`]: tenants' networks, and the way of a packet.

pub(crate) mod audit;
pub(crate) mod drift;
pub(crate) mod history;
pub(crate) mod network;
pub(crate) mod report;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod time;

/// A commit as people write it.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
