//! Tenants' networks, and the way of a packet.

use super::table::{Cell, Table, pairs};
use crate::ui::{Style, Ui};
use bitbuilder_core::model::Name;
use bitbuilder_core::report::escape;
use bitbuilder_core::trace::{Action, Counted, Machine, Place, Step, Trace, Transport, Verdict};
use bitbuilder_host::observe::network::{NetworkView, TenantNetworks};

/// Everything of each tenant.
pub(crate) fn networks(ui: &Ui, found: &[TenantNetworks]) -> String {
    if found.is_empty() {
        return "No tenant has a network.\n".to_owned();
    }
    let each: Vec<String> = found.iter().map(|tenant| one(ui, tenant)).collect();
    each.join("\n")
}

fn one(ui: &Ui, found: &TenantNetworks) -> String {
    let head = format!("{} (generation {})", found.tenant, found.generation);
    let mut text = format!("{}\n", ui.paint(Style::Bold, &head));
    if let Some(error) = &found.error {
        let line = format!(
            "  modes, published ports and rules are not known: {}",
            escape(error)
        );
        text.push_str(&format!("{}\n", ui.paint(Style::Warn, &line)));
    }
    for network in &found.networks {
        text.push_str(&format!("\n{}", self::network(ui, network)));
    }
    let mut table = |heading: &[&str], rows: Vec<Vec<String>>| {
        if !rows.is_empty() {
            let mut table = Table::new(heading);
            for row in rows {
                table.row(row.iter().map(Cell::plain).collect());
            }
            text.push_str(&format!("\n{}", table.text(ui)));
        }
    };
    let published = found.published.iter().map(|one| {
        let port = format!("{}/{}", one.protocol, one.port);
        let to = format!("{}:{}", one.to, one.to_port);
        vec![port, to, one.connections.to_string(), one.origin.clone()]
    });
    table(
        &["PUBLISHED", "TO", "CONNECTIONS", "DOCUMENT"],
        published.collect(),
    );
    let peerings = found.peerings.iter();
    let peerings = peerings.map(|one| {
        vec![
            one.tenant.to_string(),
            one.network.to_string(),
            one.origin.clone(),
        ]
    });
    table(&["PEERING", "NETWORK", "DOCUMENT"], peerings.collect());
    let rules = found.rules.iter().map(|one| {
        vec![
            one.text.clone(),
            one.packets.to_string(),
            one.bytes.to_string(),
            one.origin.clone(),
        ]
    });
    table(&["RULE", "PACKETS", "BYTES", "DOCUMENT"], rules.collect());
    let built_in = found.built_in.iter().map(|one: &Counted| {
        let chain = format!("{} of {}", one.chain, one.family);
        vec![
            one.rule.clone(),
            one.action.clone(),
            one.packets.to_string(),
            one.bytes.to_string(),
            chain,
        ]
    });
    table(
        &["BUILT IN", "ACTION", "PACKETS", "BYTES", "CHAIN"],
        built_in.collect(),
    );
    text
}

fn network(ui: &Ui, network: &NetworkView) -> String {
    let gateway = network
        .gateway
        .map(|address| format!(", the host is {address}"));
    let mut lines = vec![("Network", Cell::new(network.name.as_str(), Style::Bold))];
    let mut add = |name, value: Option<String>| {
        lines.extend(value.map(|value| (name, Cell::plain(value))));
    };
    let gateway = gateway.unwrap_or_default();
    add("  Link", network.link.clone());
    add("  IPv4", Some(format!("{}{gateway}", network.subnet)));
    add("  IPv6", network.ipv6.map(|prefix| format!("{prefix}/64")));
    add("  Mode", network.mode.map(|mode| mode.to_string()));
    let nat = |nat| if nat { "by the host's address" } else { "none" };
    add("  Way out", network.nat.map(|yes| nat(yes).to_owned()));
    add("  Document", network.origin.clone());
    let mut text = pairs(&lines, ui);
    if !network.interfaces.is_empty() {
        let mut table = Table::new(&["  WORKLOAD", "ADDRESS", "MAC", "LINK"]);
        for one in &network.interfaces {
            table.row(vec![
                Cell::plain(format!("  {}", one.workload)),
                Cell::plain(one.address.to_string()),
                Cell::plain(&one.mac),
                Cell::plain(&one.link),
            ]);
        }
        text.push_str(&table.text(ui));
    }
    text
}

/// The way of a packet.
pub(crate) fn way(ui: &Ui, found: &Trace, protocol: Transport, port: Option<u16>) -> String {
    let (word, style) = match found.verdict {
        Verdict::Accept => ("it arrives", Style::Good),
        Verdict::Drop => ("it is dropped", Style::Warn),
        Verdict::Reject => ("it is refused with an answer", Style::Warn),
    };
    let protocol = match protocol {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
        Transport::Icmp => "icmp",
    };
    let port = port.map_or(String::new(), |port| format!("/{port}"));
    let reason = match &found.decided {
        None => "no rule is about it".to_owned(),
        Some(step) => format!("{} ({})", step.rule, whose(step)),
    };
    let lines = [
        ("Packet", Cell::plain(format!("{protocol}{port}"))),
        ("From", Cell::plain(place(&found.from))),
        ("To", Cell::plain(place(&found.to))),
        ("Verdict", Cell::new(word, style)),
        ("Because", Cell::plain(reason)),
    ];
    let mut text = pairs(&lines, ui);
    if !found.steps.is_empty() {
        let mut table = Table::new(&["TABLE", "CHAIN", "DOES", "RULE"]);
        for step in &found.steps {
            table.row(vec![
                Cell::plain(format!("{} {}", step.family, step.table)),
                Cell::plain(&step.chain),
                Cell::plain(action(&step.action)),
                Cell::plain(&step.rule),
            ]);
        }
        text.push_str(&format!("\n{}", table.text(ui)));
    }
    text
}

fn whose(step: &Step) -> String {
    let kind = match bitbuilder_core::trace::origin(&step.rule) {
        Some(_) => "written",
        None => "built in",
    };
    format!(
        "{kind}, chain {} of {} {}",
        step.chain, step.family, step.table
    )
}

fn action(action: &Action) -> String {
    match action {
        Action::Accept => "accept".to_owned(),
        Action::Drop => "drop".to_owned(),
        Action::Reject => "reject".to_owned(),
        Action::Log => "log".to_owned(),
        Action::Masquerade => "masquerade".to_owned(),
        Action::Dnat { address, port } if address.is_ipv6() => format!("to [{address}]:{port}"),
        Action::Dnat { address, port } => format!("to {address}:{port}"),
    }
}

fn place(place: &Place) -> String {
    match place {
        Place::Host { address } if address.is_unspecified() => "the host".to_owned(),
        Place::Host { address } => format!("the host, {address}"),
        Place::Outside { address } => format!("the outside, {address}"),
        Place::Far(far) => {
            let who = match &far.peer {
                Some(peer) => format!("peer {peer}"),
                None => "elsewhere".to_owned(),
            };
            let (tenant, network, link) = (&far.tenant, &far.network, &far.link);
            format!(
                "{who}, {} by {link} of network {network} of {tenant}",
                far.address
            )
        }
        Place::Machine(machine) => format!(
            "{}/{}, {} by {} in network {} ({})",
            machine.tenant,
            names(machine),
            machine.address,
            machine.link,
            machine.network,
            machine.bridge
        ),
    }
}

/// The workload, and those with which it shares the interface.
fn names(machine: &Machine) -> String {
    let names = [&machine.workload].into_iter().chain(&machine.shared_with);
    let names: Vec<&str> = names.map(Name::as_str).collect();
    names.join("+")
}
