//! `webhooks` of the policy: where deliveries of forges are received.

use super::access::secret;
use super::decode::{Cx, written};
use super::facts::Facts;
use super::scalar::{Int, Line};
use super::workload::CredentialDoc;
use crate::model::Webhooks;
use std::net::{IpAddr, Ipv4Addr};

written! {
    /// Where deliveries of forges are received: HTTP, behind a proxy for TLS.
    struct WebhooksDoc {
        /// TCP port.
        required "port" port: Int<1, 65535>,
        /// Address of the host; 127.0.0.1 by default.
        optional "address" address: Line,
        /// What deliveries are signed with, for the system repository and every tenant without a secret of its own.
        optional "secret" secret: CredentialDoc,
    }
}

/// Where deliveries are received.
pub(crate) fn webhooks(
    doc: WebhooksDoc,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Webhooks> {
    let mut address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    if let Some(written) = doc.address {
        match written.value.0.parse() {
            Ok(parsed) => address = parsed,
            Err(_) => {
                let message = format!("`{}` is not an IP address", written.value.0);
                let help = "write one of the host, as in `192.0.2.1`, or `::` for all".to_owned();
                cx.error_help(written.span, "address", message, help);
            }
        }
    }
    let secret = secret(doc.secret, facts, cx);
    Some(Webhooks {
        address,
        // The scalar has the bounds.
        port: u16::try_from(doc.port?.value.0).ok()?,
        secret,
    })
}
