//! Harness for booted tests on a real systemd, and what `xtask` shares with them.
//!
//! - [`setup`]: what the machine must have, asked for once;
//! - [`cache`]: where slow things are kept, by the hash of their recipe;
//! - [`debian`]: root file systems from Debian packages;
//! - [`host`]: what is done with a host, whatever it is made of;
//! - [`bed`]: container hosts: a systemd of its own in namespaces of its own;
//! - [`vm`]: VM hosts: the same with a kernel of its own;
//! - [`template`]: the read-only trees that tenants' machines start from;
//! - [`package`]: what we install where, as a list;
//! - [`system`]: hosts with our package on them;
//! - [`publish`]: pushing repositories to a host;
//! - [`TestHost`], [`VmHost`]: a host for one test;
//! - [`command`]: running programs with errors that say what was run.

pub mod bed;
pub mod cache;
pub mod command;
pub mod debian;
pub mod host;
pub mod package;
pub mod publish;
pub mod setup;
pub mod system;
pub mod template;
mod test_host;
pub mod vm;

pub use test_host::{TestHost, VmHost, repository};
