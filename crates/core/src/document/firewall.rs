//! `network/firewall/*.yaml`: ordered rules between networks and workloads.

use super::decode::{At, Cx, words, written};
use super::facts::Facts;
use super::scalar::{Line, Ports, Scalar, Subnet6};
use super::value;
use crate::model::{Endpoint, FirewallAction, FirewallRule, Name, Protocol, Subnet4};

words!(FirewallAction {
    "accept" => FirewallAction::Accept,
    "drop" => FirewallAction::Drop,
    "reject" => FirewallAction::Reject,
});

written! {
    /// `network/firewall/*.yaml`: rules, the first that fits decides; files in the order of their names.
    struct FirewallDoc {
        /// Rules in order.
        required "rules" rules: Vec<RuleDoc>,
    }
}

written! {
    /// A rule.
    struct RuleDoc {
        /// Source: any, outside, host, a network, a container or machine, or an address range.
        required "from" from: Line,
        /// Destination, written as the source.
        required "to" to: Line,
        /// Transport; every protocol by default.
        optional "protocol" protocol: Protocol,
        /// Destination ports, as 443 or 8000-8099; every port by default.
        optional "ports" ports: Vec<At<Ports>>,
        /// What happens.
        required "action" action: FirewallAction,
        /// Whether a match is logged; false by default.
        optional "log" log: bool,
    }
}

/// The rules of one file.
pub(crate) fn rules(doc: FirewallDoc, facts: &Facts<'_>, cx: &mut Cx<'_>) -> Vec<FirewallRule> {
    let docs = doc.rules.into_iter().flat_map(|list| list.value);
    docs.filter_map(|doc| rule(doc, facts, cx)).collect()
}

fn rule(doc: RuleDoc, facts: &Facts<'_>, cx: &mut Cx<'_>) -> Option<FirewallRule> {
    let origin = cx.origin(doc.span);
    if let (Some(ports), None) = (&doc.ports, &doc.protocol) {
        let help = "add `protocol: tcp` or `protocol: udp`".to_owned();
        cx.error_help(
            ports.span,
            "ports-without-protocol",
            "ports need a protocol",
            help,
        );
    }
    let empty = |ports: &&At<Vec<At<Ports>>>| doc.clean && ports.value.is_empty();
    if let Some(ports) = doc.ports.as_ref().filter(empty) {
        let help = "remove `ports` for every port".to_owned();
        cx.error_help(ports.span, "empty-list", "the list of ports is empty", help);
    }
    let from = doc.from.as_ref().and_then(|side| endpoint(side, facts, cx));
    let to = doc.to.as_ref().and_then(|side| endpoint(side, facts, cx));
    let ports = doc.ports.into_iter().flat_map(|list| list.value);
    Some(FirewallRule {
        origin,
        from: from?,
        to: to?,
        protocol: doc.protocol.map(|word| word.value),
        ports: ports.map(|ports| (ports.value.0, ports.value.1)).collect(),
        action: doc.action?.value,
        log: value(doc.log, false),
    })
}

fn endpoint(side: &At<Line>, facts: &Facts<'_>, cx: &mut Cx<'_>) -> Option<Endpoint> {
    let text = side.value.0.as_str();
    match text {
        "any" => return Some(Endpoint::Any),
        "outside" => return Some(Endpoint::Outside),
        "host" => return Some(Endpoint::Host),
        _ => {}
    }
    if text.contains(['/', ':']) || text.parse::<std::net::Ipv4Addr>().is_ok() {
        return range(side, cx);
    }
    let name = Name::new(text).ok();
    let network = name
        .as_ref()
        .filter(|name| facts.networks.contains_key(name));
    let workload = name
        .as_ref()
        .filter(|name| facts.workloads.contains_key(name));
    match (network, workload) {
        (Some(_), Some(_)) => {
            let message = format!("`{text}` is a network and a workload");
            let help = "give one of them another name, or write the network's subnet".to_owned();
            cx.error_help(side.span, "ambiguous-name", message, help);
            None
        }
        (Some(name), None) => Some(Endpoint::Network(name.clone())),
        (None, Some(name)) => Some(Endpoint::Workload(name.clone())),
        (None, None) => {
            let names = facts
                .networks
                .keys()
                .chain(facts.workloads.keys())
                .map(Name::as_str);
            let known = super::topology::RESERVED.into_iter().chain(names);
            let help = cx.hint(text, known);
            let message = format!("there is no network, container or machine `{text}`");
            cx.error_help(side.span, "unknown-reference", message, help);
            None
        }
    }
}

fn range(side: &At<Line>, cx: &mut Cx<'_>) -> Option<Endpoint> {
    let text = side.value.0.as_str();
    let single = !text.contains('/');
    let parsed = if text.contains(':') {
        let text = if single {
            format!("{text}/128")
        } else {
            text.to_owned()
        };
        Subnet6::parse(&text).map(|Subnet6(address, prefix)| Endpoint::Subnet6(address, prefix))
    } else {
        let text = if single {
            format!("{text}/32")
        } else {
            text.to_owned()
        };
        Subnet4::parse(&text).map(Endpoint::Subnet4)
    };
    match parsed {
        Ok(endpoint) => Some(endpoint),
        Err(wrong) => {
            cx.error_help(side.span, "subnet", wrong.message, wrong.help);
            None
        }
    }
}
