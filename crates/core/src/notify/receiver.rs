//! Who is told.

use super::Kind;
use crate::digest::sha256;
use crate::model::Name;
use serde::{Deserialize, Serialize};

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// How.
    #[serde(flatten)]
    pub target: Target,
    /// Of what; empty means of everything.
    pub events: Vec<Kind>,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "to")]
pub enum Target {
    /// An HTTPS POST.
    Webhook {
        /// URL.
        url: String,
        /// Name of the credential that signs: `bitbuilder.notify.<secret>`.
        secret: Name,
    },
    /// A program of the operator.
    Command {
        /// Its name in `/etc/bitbuilder/notify.d/`.
        name: Name,
    },
}

impl Receiver {
    /// Whether it wants to know.
    pub fn wants(&self, kind: Kind) -> bool {
        self.events.is_empty() || self.events.contains(&kind)
    }

    /// What its queue and the instance of its unit are called: `webhook-<hash of the URL>`, `command-<name>`.
    pub fn id(&self) -> String {
        match &self.target {
            Target::Webhook { url, .. } => format!("webhook-{}", &sha256(url.as_bytes())[..12]),
            Target::Command { name } => format!("command-{name}"),
        }
    }
}
