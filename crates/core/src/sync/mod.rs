//! When repositories are asked.
//!
//! - [`backoff`]: how long a remote that failed is left alone.

pub mod backoff;
