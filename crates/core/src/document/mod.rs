//! Text to validated documents: parse with spans, check, and say all that is wrong at once.
//!
//! Three shapes of a document, each its own type: a tree of nodes that know their place (`parse`), the
//! document as written (`written!` structs in one file per document, which also give the JSON Schema), and
//! the checked [`model`](crate::model). Only the last one leaves this module.
//!
//! A path of a file inside a document (health script, credential, kernel, image) is looked up beside the
//! document first, then from the root of the repository.

mod access;
mod checks;
mod container;
mod cycles;
mod decode;
mod facts;
mod firewall;
mod infrastructure;
mod layout;
mod machine;
mod metadata;
mod node;
mod parse;
mod policy;
mod registry;
mod repository;
mod scalar;
pub mod schema;
mod signers;
mod source;
mod suggest;
mod system;
mod template;
mod tenant;
mod topology;
mod user;
mod webhooks;
mod wireguard;
mod workload;

pub use layout::is_document;
pub use policy::default_policy;
pub use registry::default_allow;
pub use system::read_system;
pub use template::read_template;
pub use tenant::read_tenant;

use crate::model::Name;
use decode::{At, Cx};
use scalar::Scalar;
pub use scalar::duration;
pub(crate) use scalar::{format_millis, is_unsafe};

/// Largest document, in bytes.
pub const MAX_DOCUMENT: u64 = 1 << 20;
/// Most bytes of document content of one repository.
pub const MAX_DOCUMENTS: u64 = 64 << 20;
/// Most entries of a repository tree.
pub const MAX_FILES: usize = 10_000;
/// Most bytes of a repository tree.
pub const MAX_TREE: u64 = 2 << 30;

/// The written value, or the default.
fn value<T>(written: Option<At<T>>, default: T) -> T {
    written.map_or(default, |at| at.value)
}

/// The name that a key of a map is.
fn key_name(key: &At<String>, cx: &mut Cx<'_>) -> Option<Name> {
    match <Name as Scalar>::parse(&key.value) {
        Ok(name) => Some(name),
        Err(wrong) => {
            cx.error_help(key.span, Name::RULE, wrong.message, wrong.help);
            None
        }
    }
}

#[cfg(test)]
mod tests;
