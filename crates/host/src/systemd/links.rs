//! Network interfaces, through ip(8) and networkctl(1).

use super::link::IP;
use super::networkd::NETWORKCTL;
use crate::host::HostError;
use bitbuilder_core::drift::Link;
use bitbuilder_core::plan::LinkFix;
use rustix::io::Errno;
use rustix::net::netdevice::name_to_index;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// One link of `ip -json address show`.
#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default)]
    ifname: String,
    #[serde(default)]
    flags: Vec<String>,
    master: Option<String>,
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(Debug, Deserialize)]
struct Address {
    local: Option<String>,
    #[serde(default)]
    prefixlen: u8,
    #[serde(default)]
    scope: String,
}

/// Whether there is one of this name: `SIOCGIFINDEX` of netdevice(7), which any socket answers.
pub(super) fn exists(link: &str) -> Result<bool, HostError> {
    let failed = |error: Errno| HostError::Tool {
        command: format!("SIOCGIFINDEX {link}"),
        message: error.to_string(),
    };
    let socket = socket_with(
        AddressFamily::UNIX,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    match name_to_index(socket.map_err(failed)?, link) {
        Ok(_) => Ok(true),
        Err(Errno::NODEV) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

/// All of them.
pub(super) fn read() -> Result<BTreeMap<String, Link>, HostError> {
    let arguments = ["-json", "address", "show"];
    let answer = IP.check(&arguments)?;
    parse(&answer).map_err(|error| HostError::Tool {
        command: IP.line(&arguments),
        message: format!("its answer is not understood: {error}"),
    })
}

fn parse(answer: &[u8]) -> serde_json::Result<BTreeMap<String, Link>> {
    let listed: Vec<Listed> = serde_json::from_slice(answer)?;
    let link = |listed: Listed| {
        let addresses = listed.addr_info.into_iter();
        let link = Link {
            up: listed.flags.iter().any(|flag| flag == "UP"),
            master: listed.master,
            addresses: addresses
                .filter(|address| address.scope != "link")
                .filter_map(|address| {
                    // In our own spelling.
                    let local: IpAddr = address.local?.parse().ok()?;
                    Some(format!("{local}/{}", address.prefixlen))
                })
                .collect(),
        };
        (listed.ifname, link)
    };
    Ok(listed.into_iter().map(link).collect())
}

/// See [`crate::host::Watch::fix_links`].
pub(super) fn fix(fixes: &[LinkFix]) -> Result<(), HostError> {
    let mut waiting = Vec::new();
    for fix in fixes {
        match fix {
            LinkFix::Detach { link } => {
                IP.check(&["link", "set", "dev", link, "nomaster"])?;
            }
            LinkFix::Attach { link, bridge } => {
                IP.check(&["link", "set", "dev", link, "master", bridge, "up"])?;
            }
            LinkFix::Reconfigure { link } => {
                IP.check(&["link", "set", "dev", link, "up"])?;
                NETWORKCTL.check(&["--no-ask-password", "reconfigure", link])?;
                waiting.push(link.clone());
            }
        }
    }
    super::networkd::settle(&waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_there_or_not() {
        assert!(exists("lo").unwrap());
        assert!(!exists("bb-none").unwrap());
    }

    #[test]
    fn reads_links_with_their_addresses() {
        let answer = br#"[{"ifindex":3,"ifname":"br-shop","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,
            "address":"02:00:00:00:00:01","addr_info":[
            {"family":"inet","local":"10.64.0.1","prefixlen":24,"scope":"global"},
            {"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"}]},
            {"ifindex":4,"link_index":2,"ifname":"v1-web-0","flags":["BROADCAST"],"master":"br-shop","addr_info":[]},{}]"#;
        let links = parse(answer).unwrap();
        let bridge = &links["br-shop"];
        assert!(bridge.up);
        assert_eq!(bridge.addresses, ["10.64.0.1/24".to_owned()].into());
        assert_eq!(links["v1-web-0"].master.as_deref(), Some("br-shop"));
        assert!(!links["v1-web-0"].up);
    }
}
