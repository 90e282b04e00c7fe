//! One difference.

use crate::model::Name;
use serde::{Deserialize, Serialize};

/// One difference between a tenant and its current generation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Item {
    /// What kind of thing differs.
    pub what: What,
    /// In which way.
    pub how: How,
    /// The unit, path, link, table or process.
    pub subject: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub seen: String,
    /// Seconds since the epoch: when the host says that it happened, else when it was seen first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
    /// Who did it, as far as the host can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How it is put right.
    pub remedy: Remedy,
}

/// Tells one difference of a tenant from another.
pub type Key = (What, How, String);

/// What kind of thing differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// A unit of systemd.
    Unit,
    /// A process in the tenant's slice.
    Process,
    /// A file, link or directory.
    File,
    /// A table of packet rules.
    Rules,
    /// A network interface.
    Link,
}

/// In which way something differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// It does not run and shall.
    Stopped,
    /// It ended with a failure.
    Failed,
    /// It cannot be started.
    Masked,
    /// Somebody else's file changes what it says.
    Overridden,
    /// It runs and shall not.
    Running,
    /// It is not there.
    Missing,
    /// It is another than it shall be.
    Changed,
    /// It is down.
    Down,
    /// It is nobody's of this tenant.
    Foreign,
}

/// How a difference is put right: the smallest thing that does it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Remedy {
    /// The planner starts what shall run, makes what is missing, and stops what shall not run.
    Converge,
    /// A unit that is nobody's stops.
    Stop,
    /// A unit restarts.
    Restart {
        /// The unit.
        unit: String,
    },
    /// Masks and drop-ins of others are removed; the unit restarts when it runs with what they said.
    Revert {
        /// The unit.
        unit: String,
        /// Whether it restarts.
        restart: bool,
    },
    /// The manager reloads: generators place their links again, and limits are set again.
    Reload,
    /// Files of the generation are written again, as its commit says; the unit that has read the wrong one restarts.
    Restore {
        /// The unit that restarts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        restart: Option<String>,
    },
    /// Files, links and packet rules of the generation are loaded again.
    Network,
    /// networkd sets a link up again.
    Reconfigure,
    /// A link becomes a port of this bridge, and goes up.
    Attach {
        /// The bridge.
        bridge: String,
    },
    /// A link leaves its bridge.
    Detach,
    /// A pass does not do it: it is somebody else's. This command does.
    Hand {
        /// For root.
        command: String,
    },
}

impl Item {
    /// What identifies it: the same difference seen again has the same key.
    pub fn key(&self) -> Key {
        (self.what, self.how, self.subject.clone())
    }

    /// For people: `systemd-nspawn@shop-web.service is stopped`.
    pub fn sentence(&self) -> String {
        let subject = &self.subject;
        let says = match (self.what, self.how) {
            (_, How::Stopped) => "is stopped",
            (_, How::Failed) => "has failed",
            (_, How::Masked) => "is masked",
            (_, How::Overridden) => "is overridden",
            (_, How::Running) => "runs and shall not",
            (_, How::Missing) => "is missing",
            (What::Unit, How::Changed) => "has other limits",
            (What::Rules, How::Changed) => "has other rules",
            (_, How::Changed) => "was changed",
            (_, How::Down) => "is down",
            (_, How::Foreign) => "does not belong there",
        };
        match self.what {
            What::Process => format!("process {subject} {says}"),
            What::Rules => format!("table {subject} {says}"),
            What::Unit | What::File | What::Link => format!("{subject} {says}"),
        }
    }

    /// Whether a pass can put it right.
    pub fn is_repairable(&self) -> bool {
        !matches!(self.remedy, Remedy::Hand { .. })
    }

    /// The command that puts it right.
    pub fn command(&self, tenant: &Name) -> String {
        match &self.remedy {
            Remedy::Hand { command } => command.clone(),
            _ => format!("bbctl sync {tenant} --repair"),
        }
    }
}
