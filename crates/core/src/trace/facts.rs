//! What is known of a packet at a place of its way.

use super::{Place, Transport};
use serde_json::{Value, json};
use std::net::IpAddr;

/// Port that a client is taken to send from: of those that the kernel gives.
const CLIENT: u16 = 49_152;

/// A packet at a place of its way.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Link that it came in by; `None` when the host made it.
    pub(super) iif: Option<Link>,
    /// Link that it goes out by; `None` when the host gets it.
    pub(super) oif: Option<Link>,
    pub(super) mac: Option<String>,
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) transport: Transport,
    pub(super) port: Option<u16>,
    /// Whether the destination is an address of the host.
    pub(super) to_host: bool,
    /// Whether the source is.
    pub(super) from_host: bool,
    /// Port of the host that it was sent to, when that led on to another address.
    pub(super) published: Option<u16>,
}

/// A link of the host.
#[derive(Debug, Clone)]
pub(super) struct Link {
    pub(super) name: String,
    /// Group of tenants' bridges, or 0.
    pub(super) group: u32,
}

impl Link {
    /// A port of a bridge.
    pub(super) fn port(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: 0,
        }
    }

    /// The link behind which `place` is; the outside is behind one of no name.
    pub(super) fn of(place: &Place) -> Option<Self> {
        match place {
            Place::Host { .. } => None,
            Place::Outside { .. } => Some(Self {
                name: String::new(),
                group: 0,
            }),
            Place::Machine(_) | Place::Far(_) => place.links().map(|(bridge, _)| Self {
                name: bridge.to_owned(),
                group: crate::render::TENANT_LINK_GROUP,
            }),
        }
    }
}

impl Facts {
    /// What an expression is for this packet: `Err` when nobody knows, `Ok(None)` when the packet has nothing of it, so
    /// that a comparison with it fails.
    pub(super) fn value(&self, expression: &Value) -> Result<Option<Value>, ()> {
        if let Some(key) = expression["meta"]["key"].as_str() {
            return self.meta(key);
        }
        if let Some(protocol) = expression["payload"]["protocol"].as_str() {
            let field = expression["payload"]["field"].as_str().ok_or(())?;
            return self.payload(protocol, field);
        }
        // What it carries is nobody's header: it is no packet of a segment.
        if expression["payload"]["base"].is_string() {
            return Ok(None);
        }
        if let Some(key) = expression["ct"]["key"].as_str() {
            return self.connection(key);
        }
        if let Some(flag) = expression["fib"]["flags"][0].as_str() {
            let local = match flag {
                "daddr" => self.to_host,
                "saddr" => self.from_host,
                _ => return Err(()),
            };
            return Ok(Some(json!(if local { "local" } else { "unicast" })));
        }
        if let Some(parts) = expression["concat"].as_array() {
            let values: Result<Option<Vec<Value>>, ()> =
                parts.iter().map(|part| self.value(part)).collect();
            return Ok(values?.map(|values| json!({ "concat": values })));
        }
        // The flags of the first packet of a connection, whatever they are masked with.
        let masked = &expression["&"][0]["payload"];
        if masked["protocol"] == "tcp" && masked["field"] == "flags" {
            return Ok((self.transport == Transport::Tcp).then(|| json!("syn")));
        }
        Err(())
    }

    fn meta(&self, key: &str) -> Result<Option<Value>, ()> {
        let name = |link: &Option<Link>| link.as_ref().map(|link| json!(link.name));
        let group = |link: &Option<Link>| link.as_ref().map(|link| json!(link.group));
        Ok(match key {
            "iifname" => name(&self.iif),
            "oifname" => name(&self.oif),
            "iifgroup" => group(&self.iif),
            "oifgroup" => group(&self.oif),
            "nfproto" => Some(json!(if self.source.is_ipv4() {
                "ipv4"
            } else {
                "ipv6"
            })),
            "protocol" => Some(json!(self.network())),
            "l4proto" => Some(json!(self.transport())),
            _ => return Err(()),
        })
    }

    fn network(&self) -> &'static str {
        if self.source.is_ipv4() { "ip" } else { "ip6" }
    }

    fn transport(&self) -> &'static str {
        match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
            Transport::Icmp if self.source.is_ipv4() => "icmp",
            Transport::Icmp => "ipv6-icmp",
        }
    }

    fn payload(&self, protocol: &str, field: &str) -> Result<Option<Value>, ()> {
        let value = match (protocol, field) {
            ("arp", _) => return Ok(None),
            ("ether", "saddr") => return Ok(self.mac.as_ref().map(|mac| json!(mac))),
            ("ether", "type") => json!(self.network()),
            ("ip" | "ip6", "saddr") => json!(self.source),
            ("ip" | "ip6", "daddr") => json!(self.destination),
            ("ip6", "hoplimit") => json!(64),
            ("icmpv6", "type") => json!("echo-request"),
            ("icmpv6", "taddr") => return Ok(None),
            ("tcp" | "udp" | "th", "dport") => json!(self.port),
            ("tcp" | "udp" | "th", "sport") => json!(CLIENT),
            _ => return Err(()),
        };
        let has = match protocol {
            "ip" | "ip6" => protocol == self.network(),
            "tcp" | "udp" => protocol == self.transport(),
            "icmpv6" => self.transport() == "ipv6-icmp",
            "th" => self.transport != Transport::Icmp,
            _ => true,
        };
        Ok((has && !value.is_null()).then_some(value))
    }

    /// Of the connection that this packet begins.
    fn connection(&self, key: &str) -> Result<Option<Value>, ()> {
        let answers = self.published.map(|_| self.destination);
        Ok(match key {
            "state" => Some(json!(["new"])),
            "mark" => Some(json!(0)),
            "status" => Some(match self.published {
                Some(_) => json!(["dnat"]),
                None => json!([]),
            }),
            "protocol" => Some(json!(self.transport())),
            "proto-dst" => self.published.or(self.port).map(|port| json!(port)),
            "proto-src" => self.port.map(|port| json!(port)),
            "ip saddr" => answers.filter(IpAddr::is_ipv4).map(|one| json!(one)),
            "ip6 saddr" => answers.filter(IpAddr::is_ipv6).map(|one| json!(one)),
            _ => return Err(()),
        })
    }
}
