//! Who is told of what happened, and how often.
//!
//! - [`Kind`]: what can happen. [`Notice`]: one thing that did, as receivers get it.
//! - [`Memory`]: what was told: the same again is counted, and the end of a state is told once.
//! - [`Receiver`]: a webhook or a command. [`catalog()`]: the kinds as a message catalog of the journal.

mod kind;
mod memory;
mod receiver;

pub use kind::{Kind, Priority};
pub use memory::{Memory, QUIET};
pub use receiver::{Receiver, Target};

use crate::model::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::Write;

/// One thing that happened, as receivers get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Format version, 1.
    pub format: u64,
    /// Name of the host.
    pub host: String,
    /// Seconds since the epoch.
    pub time: u64,
    /// What happened.
    pub kind: Kind,
    /// How urgent it is.
    pub priority: Priority,
    /// The tenant; none for the host and its system repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<Name>,
    /// The same for people, one line.
    pub message: String,
    /// How many of this kind, of this tenant, were not told since the last one.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub more: u64,
    /// What belongs to the kind: `commit`, `generation`, `reason`.
    pub details: Map<String, Value>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The message catalog, systemd.catalog(7).
pub fn catalog() -> String {
    let mut text = String::from("# Explanations of our entries in the journal: `journalctl -x`.\n");
    for kind in Kind::ALL {
        let _ = write!(
            text,
            "\n-- {}\nSubject: @BITBUILDER_TENANT@: {}\nDefined-By: BitBuilder Hypervisor\n\n{}\n\n\
             `bbctl history @BITBUILDER_TENANT@` shows what came before; `bbctl status` how it is now.\n",
            kind.message_id(),
            kind.word(),
            kind.meaning()
        );
    }
    text
}
