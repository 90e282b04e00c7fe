//! Addresses, networks, ports and keys of networks.

use super::{Port, Scalar, Wrong};
use crate::document::decode::{Cx, Written, words};
use crate::document::node::{Kind, Node};
use crate::model::{Auto, NetworkMode, PortRange, Protocol, Subnet4};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

words!(NetworkMode {
    "isolated-bridge" => NetworkMode::IsolatedBridge,
    "private" => NetworkMode::Private,
    "wireguard" => NetworkMode::Wireguard,
    "vxlan" => NetworkMode::Vxlan,
    "vlan" => NetworkMode::Vlan,
    "vrf" => NetworkMode::Vrf,
    "netns" => NetworkMode::Netns,
    "none" => NetworkMode::None,
});

words!(Protocol { "tcp" => Protocol::Tcp, "udp" => Protocol::Udp });

/// Splits `address/prefix`; the prefix is a plain decimal of at most `most`.
fn split_prefix(text: &str, most: u8) -> Option<(&str, u8)> {
    let (address, prefix) = text.split_once('/')?;
    let plain = (1..=3).contains(&prefix.len()) && prefix.bytes().all(|b| b.is_ascii_digit());
    let prefix: u8 = plain.then(|| prefix.parse().ok()).flatten()?;
    (prefix <= most).then_some((address, prefix))
}

impl Scalar for Subnet4 {
    const EXPECTED: &'static str = "an IPv4 network such as `10.1.2.0/24`";
    const RULE: &'static str = "subnet";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const EXAMPLE: &str = "write an address and a prefix length, as in `10.1.2.0/24`";
        let parsed = split_prefix(text, 32)
            .and_then(|(address, prefix)| Some((address.parse::<Ipv4Addr>().ok()?, prefix)));
        let Some((address, prefix)) = parsed else {
            return Err(Wrong::new(format!("`{text}` is not an IPv4 network")).help(EXAMPLE));
        };
        let subnet = Self::containing(address, prefix);
        if subnet.address != address {
            return Err(Wrong::new(format!("`{text}` is an address, not a network"))
                .help(format!("write `{subnet}`")));
        }
        Ok(subnet)
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9.]{7,15}/[0-9]{1,2}$" })
    }
}

/// An IPv6 network: address and prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Subnet6(pub(crate) Ipv6Addr, pub(crate) u8);

impl Scalar for Subnet6 {
    const EXPECTED: &'static str = "an IPv6 network such as `fd00:1::/64`";
    const RULE: &'static str = "subnet";

    fn parse(text: &str) -> Result<Self, Wrong> {
        const EXAMPLE: &str = "write an address and a prefix length, as in `fd00:1::/64`";
        let parsed = split_prefix(text, 128)
            .and_then(|(address, prefix)| Some((address.parse::<Ipv6Addr>().ok()?, prefix)));
        let Some((address, prefix)) = parsed else {
            return Err(Wrong::new(format!("`{text}` is not an IPv6 network")).help(EXAMPLE));
        };
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        let network = Ipv6Addr::from(u128::from(address) & mask);
        if network != address {
            return Err(Wrong::new(format!("`{text}` is an address, not a network"))
                .help(format!("write `{network}/{prefix}`")));
        }
        Ok(Self(address, prefix))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F:.]{2,45}/[0-9]{1,3}$" })
    }
}

/// An IP address of either family.
impl Scalar for IpAddr {
    const EXPECTED: &'static str = "an IP address";
    const RULE: &'static str = "address";

    fn parse(text: &str) -> Result<Self, Wrong> {
        text.parse().map_err(|_| {
            Wrong::new(format!("`{text}` is not an IP address"))
                .help("write an address without a prefix length, as in `192.0.2.7`")
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F:.]{2,45}$" })
    }
}

/// `IP/prefix` of either family, as in a peer's allowed addresses; host bits are cleared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AnySubnet(pub(crate) String);

impl Scalar for AnySubnet {
    const EXPECTED: &'static str = "a network such as `10.1.2.0/24` or `fd00:1::/64`";
    const RULE: &'static str = "subnet";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text.contains(':') {
            Subnet6::parse(text).map(|Subnet6(address, prefix)| Self(format!("{address}/{prefix}")))
        } else {
            Subnet4::parse(text).map(|subnet| Self(subnet.to_string()))
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9a-fA-F:.]{2,45}/[0-9]{1,3}$" })
    }
}

/// The address of a workload: `dhcp` or an IPv4 address, with or without its network's prefix length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Address(pub(crate) Option<(Ipv4Addr, Option<u8>)>);

impl Scalar for Address {
    const EXPECTED: &'static str = "`dhcp` or an address such as `10.1.2.10/24`";
    const RULE: &'static str = "address";

    fn parse(text: &str) -> Result<Self, Wrong> {
        if text == "dhcp" {
            return Ok(Self(None));
        }
        let (address, prefix) = match text.contains('/') {
            true => split_prefix(text, 32).map_or((text, None), |(a, p)| (a, Some(p))),
            false => (text, None),
        };
        match address.parse() {
            Ok(address) => Ok(Self(Some((address, prefix)))),
            Err(_) => Err(Wrong::new(format!("`{text}` is not an IPv4 address"))
                .help("write `dhcp`, or an address and the prefix length of its network, as in `10.1.2.10/24`")),
        }
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(dhcp|[0-9.]{7,15}(/[0-9]{1,2})?)$", "examples": ["dhcp", "10.1.2.10/24"] })
    }
}

impl<T: Written> Written for Auto<T> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "auto" => Some(Self::Auto),
            _ => T::read(node, cx).map(Self::Value),
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "const": "auto" }, T::schema()] })
    }
}

/// A value that can be `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrOff<T> {
    /// Not there.
    Off,
    /// As written.
    Value(T),
}

impl<T: Written> Written for OrOff<T> {
    fn read(node: &Node, cx: &mut Cx<'_>) -> Option<Self> {
        match &node.kind {
            Kind::Text(text) if text == "off" => Some(Self::Off),
            _ => T::read(node, cx).map(Self::Value),
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [{ "const": "off" }, T::schema()] })
    }
}

/// `8000-8099` or `80`.
fn port_range(text: &str) -> Option<(u16, u16)> {
    let port = |text: &str| {
        let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        plain
            .then(|| text.parse::<u16>().ok())
            .flatten()
            .filter(|port| *port > 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = (port(first)?, port(last)?);
    (range.0 <= range.1).then_some(range)
}

/// Ports of a firewall rule: `80` or `8000-8099`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ports(pub(crate) u16, pub(crate) u16);

impl Scalar for Ports {
    const EXPECTED: &'static str = "a port or a range such as `8000-8099`";
    const RULE: &'static str = "port-range";
    const NUMBER: bool = true;

    fn parse(text: &str) -> Result<Self, Wrong> {
        match port_range(text) {
            Some((first, last)) => Ok(Self(first, last)),
            None => Err(
                Wrong::new(format!("`{text}` is not a port or a range of ports"))
                    .help("write a port from 1 to 65535, or first and last, as in `8000-8099`"),
            ),
        }
    }

    fn schema() -> Value {
        json!({ "anyOf": [Port::schema(), { "type": "string", "pattern": "^[0-9]{1,5}(-[0-9]{1,5})?$" }] })
    }
}

impl Scalar for PortRange {
    const EXPECTED: &'static str = "a protocol and ports such as `tcp/8000-8099`";
    const RULE: &'static str = "port-range";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let parsed = text.split_once('/').and_then(|(protocol, ports)| {
            let protocol = match protocol {
                "tcp" => Protocol::Tcp,
                "udp" => Protocol::Udp,
                _ => return None,
            };
            let (first, last) = port_range(ports)?;
            Some(Self {
                protocol,
                first,
                last,
            })
        });
        parsed.ok_or_else(|| {
            Wrong::new(format!("`{text}` is not a range of ports"))
                .help("write protocol, first and last port, as in `tcp/8000-8099` or `udp/53`")
        })
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^(tcp|udp)/[0-9]{1,5}(-[0-9]{1,5})?$" })
    }

    fn number_help(number: &str) -> String {
        format!("write the protocol too: \"tcp/{number}\"")
    }
}

/// A MAC address of a single station, lower-case with colons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mac(pub(crate) String);

impl Scalar for Mac {
    const EXPECTED: &'static str = "a MAC address such as `02:00:00:00:00:01`";
    const RULE: &'static str = "mac-address";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let lower = text
            .get(..32)
            .unwrap_or(text)
            .to_ascii_lowercase()
            .replace('-', ":");
        let parts: Vec<&str> = lower.split(':').collect();
        let hex = |part: &&str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
        if text.len() != 17 || parts.len() != 6 || !parts.iter().all(hex) {
            return Err(Wrong::new(format!("`{text}` is not a MAC address"))
                .help("write six bytes in hex, as in `02:00:00:00:00:01`"));
        }
        let first = u8::from_str_radix(parts[0], 16).unwrap_or(1);
        if first & 1 == 1 || lower == "00:00:00:00:00:00" {
            return Err(
                Wrong::new(format!("`{text}` is not the address of one station"))
                    .help("the first byte is even, as in `02:00:00:00:00:01`"),
            );
        }
        Ok(Self(lower))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$" })
    }
}

/// A WireGuard key: base64 of 32 bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WireguardKey(pub(crate) String);

impl Scalar for WireguardKey {
    const EXPECTED: &'static str = "a WireGuard public key";
    const RULE: &'static str = "wireguard-key";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let bytes = text.as_bytes();
        let alphabet = |b: &u8| b.is_ascii_alphanumeric() || *b == b'+' || *b == b'/';
        // 32 bytes are 43 characters and one `=`; the last character carries four bits of them.
        let fits = bytes.len() == 44
            && bytes[43] == b'='
            && bytes[..43].iter().all(alphabet)
            && b"AEIMQUYcgkosw048".contains(&bytes[42]);
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Wrong::new("not a WireGuard key: 44 characters of base64, ending in `=`")
                .help("write what `wg pubkey < private-key` prints"),
        )
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$" })
    }
}

/// `host:port` of a WireGuard peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort(pub(crate) String);

impl Scalar for HostPort {
    const EXPECTED: &'static str = "a host and port such as `vpn.example:51820`";
    const RULE: &'static str = "endpoint";

    fn parse(text: &str) -> Result<Self, Wrong> {
        let fits = text.rsplit_once(':').is_some_and(|(host, port)| {
            let v6 = host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'));
            let host_fits = match v6 {
                Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
                None => is_host(host),
            };
            host_fits
                && port_range(port)
                    .is_some_and(|(first, last)| first == last && !port.contains('-'))
        });
        if fits {
            return Ok(Self(text.to_owned()));
        }
        Err(Wrong::new(format!("`{text}` is not a host and port"))
            .help("write `vpn.example:51820`, `192.0.2.1:51820` or `[2001:db8::1]:51820`"))
    }

    fn schema() -> Value {
        json!({ "type": "string", "pattern": "^.+:[0-9]{1,5}$" })
    }
}

fn is_host(text: &str) -> bool {
    (1..=253).contains(&text.len())
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn networks() {
        assert!(Subnet4::parse("10.1.2.0/24").is_ok());
        assert_eq!(
            Subnet4::parse("10.1.2.5/24").unwrap_err().help.as_deref(),
            Some("write `10.1.2.0/24`")
        );
        for text in [
            "10.1.2.0",
            "10.1.2.0/33",
            "10.1.2.0/+8",
            "x/8",
            "10.1.2/24",
            "",
        ] {
            assert!(Subnet4::parse(text).is_err(), "{text}");
        }
        assert!(Subnet6::parse("fd00::/64").is_ok());
        assert_eq!(
            Subnet6::parse("fd00::1/64").unwrap_err().help.as_deref(),
            Some("write `fd00::/64`")
        );
        assert_eq!(
            Subnet6::parse("::/0"),
            Ok(Subnet6(Ipv6Addr::UNSPECIFIED, 0))
        );
    }

    #[test]
    fn addresses_and_ports() {
        assert_eq!(Address::parse("dhcp"), Ok(Address(None)));
        assert_eq!(
            Address::parse("10.1.2.3/24"),
            Ok(Address(Some((Ipv4Addr::new(10, 1, 2, 3), Some(24)))))
        );
        assert!(Address::parse("10.1.2.3/99").is_err());
        assert_eq!(port_range("80"), Some((80, 80)));
        for text in ["0", "80-79", "65536", "-", "80-", "a", "+80"] {
            assert_eq!(port_range(text), None, "{text}");
        }
        assert!(PortRange::parse("tcp/8000-8099").is_ok());
        assert!(PortRange::parse("sctp/1").is_err());
    }

    #[test]
    fn keys_and_stations() {
        assert_eq!(
            Mac::parse("02-AB-00-00-00-01"),
            Ok(Mac("02:ab:00:00:00:01".into()))
        );
        for text in [
            "01:00:00:00:00:01",
            "00:00:00:00:00:00",
            "02:00:00:00:00",
            "02:00:00:00:00:0g",
        ] {
            assert!(Mac::parse(text).is_err(), "{text}");
        }
        assert!(WireguardKey::parse("xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=").is_ok());
        assert!(WireguardKey::parse("short=").is_err());
        assert!(HostPort::parse("[2001:db8::1]:51820").is_ok());
        for text in ["host", "host:0", "host:1-2", "-h:1", ":1", "a b:1"] {
            assert!(HostPort::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[0-9a-f:./,-]{0,40}") {
            let _ = (Subnet4::parse(&text), Subnet6::parse(&text), Mac::parse(&text));
            let _ = (Address::parse(&text), Ports::parse(&text), HostPort::parse(&text));
        }
    }
}
