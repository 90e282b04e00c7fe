//! What a plan does: stored examples, rules for single changes, and what holds for every pair of generations.
#![allow(clippy::unwrap_used, reason = "a test that panics fails")]

#[path = "../render/fixtures.rs"]
#[allow(dead_code, reason = "shared with the tests of render")]
mod fixtures;
mod golden;
mod properties;
mod rules;
mod world;
