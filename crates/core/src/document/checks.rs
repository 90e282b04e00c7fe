//! What several documents ask of a value, beside its shape.

use super::decode::{At, Cx};
use super::scalar::Line;
use super::source::Span;
use crate::model::{Millis, Subnet4};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Reports a duration that is too short to be meant.
pub(crate) fn at_least(duration: &At<Millis>, least: u64, text: &str, cx: &mut Cx<'_>) {
    if duration.value.0 < least {
        let message = format!("a duration of at least {text} is expected here");
        cx.error_help(
            duration.span,
            "duration",
            message,
            format!("write `{text}` or more"),
        );
    }
}

/// Reports an IPv4 network that is not private: machines of the Internet would become unreachable.
pub(crate) fn private4(subnet: Subnet4, span: Span, cx: &mut Cx<'_>) {
    let private = [
        ([10, 0, 0, 0], 8),
        ([172, 16, 0, 0], 12),
        ([192, 168, 0, 0], 16),
        ([100, 64, 0, 0], 10),
    ];
    let fits = private.iter().any(|(address, prefix)| {
        subnet.prefix >= *prefix
            && Subnet4::containing(Ipv4Addr::from(*address), *prefix).contains(subnet.address)
    });
    if !fits {
        cx.error_help(
            span,
            "public-subnet",
            format!("`{subnet}` is not a private network"),
            "take it from 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10".to_owned(),
        );
    }
}

/// Reports an IPv6 network that is not unique local, RFC 4193.
pub(crate) fn unique_local(address: Ipv6Addr, span: Span, cx: &mut Cx<'_>) {
    if address.segments()[0] & 0xfe00 != 0xfc00 {
        cx.error_help(
            span,
            "public-subnet",
            format!("`{address}` is not in a unique local network"),
            "take it from fd00::/8".to_owned(),
        );
    }
}

/// Reports a URL that is not https with a host.
pub(crate) fn https(url: &At<Line>, rule: &str, cx: &mut Cx<'_>) -> Option<()> {
    let text = url.value.0.as_str();
    let host = text
        .strip_prefix("https://")
        .and_then(|rest| rest.split('/').next());
    let plain = !text.contains(|c: char| c.is_whitespace() || c == '"' || c == '\\');
    if plain && host.is_some_and(|host| !host.is_empty() && !host.contains('@')) {
        return Some(());
    }
    let help = "write `https://host/path`, without a user name or password".to_owned();
    cx.error_help(
        url.span,
        rule,
        format!("`{text}` is not a usable URL"),
        help,
    );
    None
}

/// Whether another host can have `address`.
pub(super) fn is_station(address: IpAddr) -> bool {
    let address = address.to_canonical();
    !(address.is_multicast() || address.is_unspecified() || address.is_loopback())
}
