//! The pure compiler of BitBuilder Hypervisor: a Git tree in, systemd artefacts and a plan out.
//!
//! The stages, in the order in which a pass calls them; a stage never calls the next:
//!
//! - [`document`]: bytes of a repository [`tree`] to the validated [`model`], or [`finding`]s.
//! - [`resolve`]: model, registry, policy and templates to the [`desired`] state; the registry's limits win.
//! - [`allocate`]: numbers, names and addresses that are made once and never change.
//! - [`render`]: desired state and allocations to [`artefact`]s, through the one writer in [`unitfile`].
//! - [`lint`]: checks of the rendered set before anything is switched.
//! - [`plan`]: two sets of artefacts to steps with reasons.
//! - [`drift`]: what the host has against what a generation says: differences, and the steps that put them right.
//! - [`notify`]: who is told of what happened, and how often.
//! - [`window`]: whether a generation that was deployed works, and what follows.
//! - [`report`]: findings, plans and status for people and for programs.
//!
//! Beside them, [`trace`] follows a packet through the rules that were rendered, [`signature`] says whether who signed a
//! commit may do so, [`sync`] when repositories are asked, and [`webhook`] what a delivery of a forge is worth.
//!
//! Nothing here opens a file, starts a process, reads a clock, the environment or a random source; the
//! crate's `clippy.toml` holds that line.

pub mod allocate;
pub mod artefact;
pub mod desired;
pub mod digest;
pub mod document;
pub mod drift;
pub mod finding;
pub mod lint;
pub mod model;
pub mod nftables;
pub mod notify;
pub mod plan;
pub mod render;
pub mod report;
pub mod resolve;
pub mod signature;
pub mod sync;
pub mod trace;
pub mod tree;
pub mod unitfile;
pub mod webhook;
pub mod window;

#[cfg(test)]
mod sample;
