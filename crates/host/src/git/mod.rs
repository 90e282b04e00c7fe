//! The one module that runs the git command.
//!
//! Git is used for the network only (fetch); trees and refs are read in-process by [`crate::source`]. Every
//! invocation has a fixed environment and configuration: nothing that a user, a tenant or a repository sets decides
//! what is executed. Needs git 2.30 or later.

mod environment;
mod error;
mod invocation;
mod run;
mod version;

pub use environment::Access;
pub use error::GitError;
pub use invocation::{Invocation, Limits};
pub use version::{MINIMUM, Version};

#[cfg(test)]
mod tests;
