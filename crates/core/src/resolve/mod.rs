//! Documents, registry, policy and templates brought together: what this host shall run for one tenant.

mod host;

pub use host::HostFacts;
