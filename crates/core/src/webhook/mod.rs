//! Deliveries of forges, judged: who signed one, and whether it was there before.
//!
//! - [`signature`]: what a delivery says of who sent it, and whether that holds.
//! - [`memory`]: which deliveries were accepted of late, and how many.

pub mod memory;
pub mod signature;
