//! What the documents of the repositories say, validated: no later stage sees unchecked data.
//!
//! Shapes follow the documents; every rule of a field is checked before a value of these types exists.

mod capability;
mod network;
mod scalar;
mod system;
mod template;
mod tenant;
mod workload;

pub(crate) use capability::CAPABILITIES;
pub use network::*;
pub use scalar::*;
pub use system::*;
pub use template::*;
pub use tenant::*;
pub use workload::*;
