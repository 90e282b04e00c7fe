//! What would happen to the first packet of a connection: the rendered rules of the tenants concerned, walked as the
//! kernel walks them.
//!
//! - [`locate`]: who has a name or an address. [`trace`]: the way of a packet and what decides about it.
//! - [`counted`]: what the kernel counted at each rule.
//! - `far`: who is elsewhere and in a network of this host.
//! - `rules`: rendered transactions as tables. `facts`: what is known of the packet at a place. `judge`: one rule.

mod counted;
mod facts;
mod far;
mod judge;
mod locate;
mod rules;
#[cfg(test)]
mod tests;
mod walk;

pub use counted::{Counted, counted};
pub use far::Far;
pub use locate::{Ends, NoSuchPlace, Wanted, locate};
pub use rules::Rules;
pub use walk::trace;

use crate::model::Name;
use serde::Serialize;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Where a packet comes from or goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "at")]
pub enum Place {
    /// The host itself.
    Host {
        /// Its address that the packet carries.
        address: IpAddr,
    },
    /// What is neither the host nor a machine of it.
    Outside {
        /// Its address.
        address: IpAddr,
    },
    /// A workload.
    Machine(Machine),
    /// A peer behind a tunnel, or another station of a segment.
    Far(Far),
}

/// An interface of a workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Whose it is.
    pub tenant: Name,
    /// The workload.
    pub workload: Name,
    /// Workloads that share the interface with it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub shared_with: BTreeSet<Name>,
    /// The network.
    pub network: Name,
    /// The network's link on the host; where there is no bridge, the host's end of the workload's.
    pub bridge: String,
    /// The host's end of the workload's link.
    pub link: String,
    /// MAC address.
    pub mac: String,
    /// Its address that the packet carries.
    pub address: IpAddr,
}

impl Place {
    /// The address that the packet carries.
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Host { address } | Self::Outside { address } => *address,
            Self::Machine(machine) => machine.address,
            Self::Far(far) => far.address,
        }
    }

    /// The tenant and its network that it is in.
    pub fn network(&self) -> Option<(&Name, &Name)> {
        match self {
            Self::Machine(machine) => Some((&machine.tenant, &machine.network)),
            Self::Far(far) => Some((&far.tenant, &far.network)),
            _ => None,
        }
    }

    /// The link that the host routes its packets by, and its own link where that is a port of a bridge.
    fn links(&self) -> Option<(&str, Option<&str>)> {
        let (bridge, link) = match self {
            Self::Machine(machine) => (&machine.bridge, &machine.link),
            Self::Far(far) => (&far.bridge, &far.link),
            _ => return None,
        };
        Some((bridge, (bridge != link).then_some(link)))
    }
}

/// A protocol that is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP or ICMPv6: an echo request.
    Icmp,
}

/// What becomes of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It arrives.
    Accept,
    /// It is gone.
    Drop,
    /// It is gone, and the sender is told.
    Reject,
}

/// A rule that the packet met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Family of the table.
    pub family: String,
    /// The table.
    pub table: String,
    /// The chain.
    pub chain: String,
    /// The rule's comment: file and line of one that a person wrote, the reason of one that is built in.
    pub rule: String,
    /// What it did.
    pub action: Action,
}

/// What a rule did to a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// It passes this table.
    Accept,
    /// It is gone.
    Drop,
    /// It is gone, and the sender is told.
    Reject,
    /// It is logged.
    Log,
    /// It goes to another address.
    Dnat {
        /// The address.
        address: IpAddr,
        /// The port.
        port: u16,
    },
    /// It goes on as if the host had sent it.
    Masquerade,
}

/// The way of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// Who sends it.
    pub from: Place,
    /// Who gets it, or would: behind a published port the machine that answers.
    pub to: Place,
    /// What becomes of it.
    pub verdict: Verdict,
    /// The rule that decides; `None` when none is about it, and it arrives.
    pub decided: Option<Step>,
    /// File and line of that rule, when a person wrote it.
    pub origin: Option<String>,
    /// All rules that did something, in order.
    pub steps: Vec<Step>,
}

/// Why a packet cannot be followed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TraceError {
    /// The rules are no transaction of ours.
    #[error("the packet rules of tenant `{0}` are damaged: run `bbctl sync {0} --repair`")]
    Damaged(Name),
    /// A rule says something that is not understood here.
    #[error("rule `{rule}` of chain `{chain}` says `{expression}`, which cannot be judged")]
    Unknown {
        /// The chain.
        chain: String,
        /// The rule's comment.
        rule: String,
        /// What it says.
        expression: String,
    },
    /// A jump to a chain that is not there, or round in circles.
    #[error("chain `{0}` cannot be entered")]
    Chain(String),
}

/// File and line at the beginning of a rule's comment, when a person wrote the rule: `network/firewall/web.yaml:7`.
pub fn origin(comment: &str) -> Option<&str> {
    let (place, line) = comment.split_once(':').map(|(file, rest)| {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        (file, (file.len() + 1 + digits, digits))
    })?;
    let (end, digits) = line;
    (digits > 0 && place.contains(['/', '.'])).then(|| &comment[..end])
}
