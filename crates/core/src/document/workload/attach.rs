//! `networks`: what a workload is attached to.

use crate::document::decode::{At, Cx, written};
use crate::document::facts::Facts;
use crate::document::scalar::{Address, Int, Mac};
use crate::model::{Attachment, Name, Subnet4};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

written! {
    /// A network that the workload is attached to.
    struct AttachmentDoc {
        /// Name of the network; `default` by default.
        optional "network" network: Name,
        /// `dhcp` or a fixed IPv4 address; `dhcp` by default.
        optional "address" address: Address,
        /// Fixed MAC address; the host derives one by default.
        optional "mac" mac: Mac,
        /// Megabits a second that it may send there, and receive; as many as there are by default.
        optional "bandwidth" bandwidth: Int<1, 100_000>,
    }
}

/// The attachments of one workload.
pub(super) fn attachments(
    docs: Vec<AttachmentDoc>,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<Attachment> {
    let mut seen = BTreeSet::new();
    let mut attachments = Vec::new();
    for doc in docs {
        let origin = cx.origin(doc.span);
        let Some(network) = network(&doc) else {
            continue;
        };
        if !facts.network(&network, cx) {
            continue;
        }
        if !seen.insert(network.value.clone()) {
            let message = format!("network `{}` is attached twice", network.value);
            cx.error_help(
                network.span,
                "duplicate",
                message,
                "keep one of the two".to_owned(),
            );
        }
        let address = doc
            .address
            .and_then(|address| fixed(address, &network.value, facts, cx));
        if let Some(mac) = &doc.mac {
            facts.take_mac(mac, cx);
        }
        attachments.push(Attachment {
            origin,
            network: network.value,
            address,
            mac: doc.mac.map(|mac| mac.value.0),
            bandwidth: doc.bandwidth.map(|megabits| megabits.value.0),
        });
    }
    attachments
}

fn network(doc: &AttachmentDoc) -> Option<At<Name>> {
    match &doc.network {
        Some(name) => Some(name.clone()),
        None => Some(At {
            value: Name::new("default").ok()?,
            span: doc.span,
        }),
    }
}

/// A fixed address after all its checks; `None` is dhcp.
fn fixed(
    address: At<Address>,
    network: &Name,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Ipv4Addr> {
    let span = address.span;
    let (address, prefix) = address.value.0?;
    let Some(Some(subnet)) = facts.networks.get(network).copied() else {
        let message =
            format!("a fixed address needs a network with a written subnet, `{network}` has none");
        let help =
            "write `dhcp`, or give the network a `subnet` in network/topology.yaml".to_owned();
        cx.error_help(span, "address-without-subnet", message, help);
        return None;
    };
    if prefix.is_some_and(|prefix| prefix != subnet.prefix) {
        let message = format!("network `{network}` is {subnet}");
        cx.error_help(
            span,
            "address-prefix",
            message,
            format!("write `{address}/{}`", subnet.prefix),
        );
        return None;
    }
    usable(address, subnet, span, cx)?;
    facts.take_address(
        network,
        &At {
            value: address,
            span,
        },
        cx,
    );
    Some(address)
}

fn usable(
    address: Ipv4Addr,
    subnet: Subnet4,
    span: crate::document::source::Span,
    cx: &mut Cx<'_>,
) -> Option<()> {
    let size = 1u32
        .checked_shl(32 - u32::from(subnet.prefix))
        .unwrap_or(u32::MAX);
    let (gateway, last) = (subnet.nth(1)?, subnet.nth(size - 1)?);
    let from = subnet.nth(2)?;
    let to = subnet.nth(size.saturating_sub(2))?;
    let message = if !subnet.contains(address) {
        format!("{address} is outside its network {subnet}")
    } else if address == gateway {
        format!("{address} is the gateway of {subnet}")
    } else if address == subnet.address || address == last {
        format!("{address} is the network or broadcast address of {subnet}")
    } else {
        return Some(());
    };
    cx.error_help(
        span,
        "address",
        message,
        format!("choose one from {from} to {to}"),
    );
    None
}
