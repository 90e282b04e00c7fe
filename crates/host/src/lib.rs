//! Effects: the only crate that starts processes or changes the machine.
//!
//! - [`git`]: the one module that runs the git command. [`source`]: mirrors, embedded repositories, trees at a commit.
//! - [`signature`]: whether commits are signed by those who may.
//! - [`generations`]: immutable numbered directories and the `current` link.
//! - [`network`]: the network of a current generation, put in place and taken away.
//! - [`apply`]: executes a plan, step by step, with a journal; decides nothing.
//! - [`observe`]: what really runs: units, health, links.
//! - [`reconcile`]: one pass, all stages in order.
//! - [`requests`]: files with which units ask for passes.
//! - [`notify`]: who is told of what happened.
//! - [`audit`]: the signed trail of what was done, by whom.
//! - [`host`]: the trait that everything above talks to; [`systemd`] and [`nftables`] are the real one,
//!   [`sim`] a whole host in a directory.
//! - [`doctor`]: whether a host has what it needs. [`template`]: checks of a template directory.
//! - `teardown`: what goes with a tenant that leaves.
//! - [`events`]: what happened. [`foreground`]: programs at the terminal of a person; [`terminal`]: that of a
//!   virtual machine. [`paths`]: where everything lives. [`atomic`]: files that are written whole or not at all.

pub mod apply;
pub mod atomic;
pub mod audit;
mod disk;
pub mod doctor;
pub mod events;
pub mod foreground;
pub mod generations;
pub mod git;
pub mod host;
mod journal;
pub mod network;
pub mod nftables;
pub mod notify;
pub mod observe;
pub mod paths;
pub mod reconcile;
pub mod requests;
pub mod signature;
pub mod sim;
pub mod source;
pub mod systemd;
mod teardown;
pub mod template;
pub mod terminal;
mod tool;
mod wireguard;
