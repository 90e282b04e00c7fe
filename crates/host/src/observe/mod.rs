//! What really is: units, health, facts of the host; and what it means against what was wanted.
//!
//! - [`observed`]: what of a tenant is on the host, for the planner. [`facts`], [`templates`]: for the resolver.
//! - [`status()`]: the whole host or one tenant, for people and programs. [`wait_settled`]: until it is decided.
//! - [`explain()`]: which line of which commit something on the host comes from.
//! - [`Sight`]: what differs from current generations, for passes; [`drifted`] for people and programs.
//! - [`network`]: tenants' networks, and what their rules counted.
//! - [`health`]: results of health checks.

pub(crate) mod drift;
mod drifted;
mod explain;
mod facts;
pub mod health;
pub mod network;
mod presence;
#[cfg(test)]
mod scene;
mod status;
mod templates;
mod wait;

pub(crate) use drift::Care;
pub use drift::{Depth, Sight, Subject};
pub use drifted::{TenantDrift, drifted};
pub use explain::{Explanation, Kind, explain};
pub use facts::facts;
pub(crate) use facts::{QEMU, facts_of};
pub use presence::{Presence, observed};
pub(crate) use presence::{finished, may_end};
pub(crate) use status::standings;
pub use status::{
    Health, HostStatus, SyncState, SystemStatus, TenantStatus, TrialStatus, TunnelStatus,
    WindowStatus, WorkloadStatus, status,
};
pub use templates::{damaged_templates, templates};
pub use wait::wait_settled;
