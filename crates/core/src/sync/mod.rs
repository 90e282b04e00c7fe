//! When repositories are asked.
//!
//! - [`backoff`]: how long a remote that failed is left alone.
//! - [`units`]: what the host's own units get from the system repository.

pub mod backoff;
pub mod units;
