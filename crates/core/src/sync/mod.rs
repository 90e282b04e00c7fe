//! When repositories are asked.
//!
//! - [`backoff`]: how long a remote that failed is left alone.
//! - [`token`]: what opens an https remote, as git reads it.
//! - [`units`]: what the host's own units get from the system repository.

pub mod backoff;
pub mod token;
pub mod units;
