//! Plans executed on a simulated host: units, links and rules are what the generations say, before and after every
//! failure.

mod deploy;
mod failure;
mod index;
mod kill;
mod plans;
mod scene;
pub(crate) mod view;
