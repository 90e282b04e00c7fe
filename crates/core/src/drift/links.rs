//! Bridges and their ports.

use super::{How, Item, Remedy, What};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A network interface of the host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Link {
    /// Whether it is administratively up.
    pub up: bool,
    /// The bridge that it is a port of.
    pub master: Option<String>,
    /// Addresses with prefix lengths, without link-local ones.
    pub addresses: BTreeSet<String>,
}

/// The network interfaces of a host.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interfaces {
    links: BTreeMap<String, Link>,
    /// Ports by bridge.
    ports: BTreeMap<String, Vec<String>>,
}

impl Interfaces {
    /// These, by name.
    pub fn new(links: BTreeMap<String, Link>) -> Self {
        let mut ports: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, link) in &links {
            if let Some(bridge) = &link.master {
                ports.entry(bridge.clone()).or_default().push(name.clone());
            }
        }
        Self { links, ports }
    }

    /// The one with this name.
    pub fn get(&self, name: &str) -> Option<&Link> {
        self.links.get(name)
    }
}

/// What links a tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ExpectedLinks {
    /// Its bridges, their uplinks and routing domains.
    pub bridges: Vec<Bridge>,
    /// Ports of workloads that run.
    pub ports: Vec<Port>,
    /// Links that may be ports of its bridges: those of all its workloads, also of ones that do not run.
    pub known: BTreeSet<String>,
}

/// A link that networkd sets up: a bridge, the uplink of one, a routing domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bridge {
    /// Its name.
    pub link: String,
    /// The host's addresses on it.
    pub addresses: BTreeSet<String>,
    /// The bridge or routing domain that it is part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
}

/// The host end of a workload's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its name.
    pub link: String,
    /// The bridge that it belongs to; `None` when the host routes to it.
    pub bridge: Option<String>,
    /// The unit that makes it.
    pub unit: String,
}

/// Links that are not as they shall be.
pub fn links(expected: &ExpectedLinks, found: &Interfaces) -> Vec<Item> {
    let mut items: Vec<Item> = expected
        .bridges
        .iter()
        .filter_map(|wanted| bridge(wanted, found.get(&wanted.link)))
        .collect();
    items.extend(
        expected
            .ports
            .iter()
            .filter_map(|wanted| port(wanted, found.get(&wanted.link))),
    );
    let ports = expected.bridges.iter().filter_map(|bridge| {
        let ports = found.ports.get(&bridge.link)?;
        Some(ports.iter().map(|name| (name, &bridge.link)))
    });
    let strangers = ports
        .flatten()
        .filter(|(name, _)| !expected.known.contains(*name))
        .map(|(name, bridge)| {
            let seen = format!("port of {bridge}");
            item(name, How::Foreign, "no port", &seen, Remedy::Detach)
        });
    items.extend(strangers);
    items
}

fn bridge(wanted: &Bridge, found: Option<&Link>) -> Option<Item> {
    let name = &wanted.link;
    let Some(found) = found else {
        return Some(item(
            name,
            How::Missing,
            "a link",
            "nothing",
            Remedy::Network,
        ));
    };
    if !found.up {
        return Some(item(name, How::Down, "up", "down", Remedy::Reconfigure));
    }
    if wanted.master != found.master {
        let of = |master: &Option<String>| match master {
            Some(master) => format!("part of {master}"),
            None => "part of nothing".to_owned(),
        };
        let (expected, seen) = (of(&wanted.master), of(&found.master));
        return Some(item(
            name,
            How::Changed,
            &expected,
            &seen,
            Remedy::Reconfigure,
        ));
    }
    let list = |addresses: &BTreeSet<String>| match addresses.len() {
        0 => "no address".to_owned(),
        _ => addresses.iter().cloned().collect::<Vec<_>>().join(" "),
    };
    (wanted.addresses != found.addresses).then(|| {
        let (expected, seen) = (list(&wanted.addresses), list(&found.addresses));
        item(name, How::Changed, &expected, &seen, Remedy::Reconfigure)
    })
}

fn port(wanted: &Port, found: Option<&Link>) -> Option<Item> {
    let name = &wanted.link;
    let part = |bridge: &Option<String>| match bridge {
        Some(bridge) => format!("port of {bridge}"),
        None => "no port".to_owned(),
    };
    let expected = part(&wanted.bridge);
    let Some(found) = found else {
        // The other end went with it, and only the unit makes both.
        let unit = wanted.unit.clone();
        return Some(item(
            name,
            How::Missing,
            &expected,
            "nothing",
            Remedy::Restart { unit },
        ));
    };
    // Routes of one that was down are gone, and only the unit makes them.
    let remedy = || match wanted.bridge.clone() {
        Some(bridge) => Remedy::Attach { bridge },
        None => Remedy::Restart {
            unit: wanted.unit.clone(),
        },
    };
    if found.master != wanted.bridge {
        let seen = part(&found.master);
        return Some(item(name, How::Changed, &expected, &seen, remedy()));
    }
    (!found.up).then(|| item(name, How::Down, "up", "down", remedy()))
}

fn item(name: &str, how: How, expected: &str, seen: &str, remedy: Remedy) -> Item {
    Item {
        what: What::Link,
        how,
        subject: name.to_owned(),
        expected: expected.to_owned(),
        seen: seen.to_owned(),
        since: None,
        by: None,
        remedy,
    }
}
