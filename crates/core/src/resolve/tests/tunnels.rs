//! Sizes and parents of tunnels.

use super::build::Case;
use crate::model::{Auto, Network, NetworkDetails, NetworkMode, Subnet4};
use crate::sample::{name, network};

fn vxlan(remote: &str, parent: Option<&str>, mtu: Option<u16>) -> Network {
    let address = remote.parse::<std::net::IpAddr>().unwrap();
    let group = Some(address).filter(std::net::IpAddr::is_multicast);
    Network {
        mode: NetworkMode::Vxlan,
        // The same on every host.
        subnet: Auto::Value(Subnet4::containing([10, 64, 30, 0].into(), 24)),
        details: NetworkDetails::Vxlan {
            vni: Auto::Value(70),
            remotes: group.is_none().then_some(address).into_iter().collect(),
            group,
            parent: parent.map(str::to_owned),
            mtu,
        },
        ..network("wide")
    }
}

/// The size of `wide` above a WireGuard network `office`, or the rule that refuses it.
fn resolved(wide: Network, below: Option<u16>) -> Result<u16, String> {
    let mut case = Case::with(&[]);
    case.registration.allow.networks = [NetworkMode::Wireguard, NetworkMode::Vxlan].into();
    case.policy.pools.trunks = vec!["eno1".into()];
    let office = Network {
        mode: NetworkMode::Wireguard,
        details: NetworkDetails::Wireguard {
            listen_port: Auto::Auto,
            peers: Vec::new(),
            mtu: below,
        },
        ..network("office")
    };
    case.tenant.topology.networks = vec![wide, office];
    let checked = case.resolve();
    if let Some(finding) = checked.findings.first() {
        assert_eq!(finding.origin.to_string(), "network/topology.yaml:2:1");
        assert!(finding.help.is_some(), "{finding:?}");
        return Err(finding.rule.clone());
    }
    let networks = checked.value.unwrap().networks;
    let wide = networks.iter().find(|network| network.name == name("wide"));
    match wide.unwrap().details {
        NetworkDetails::Vxlan { mtu, .. } => Ok(mtu.unwrap()),
        _ => unreachable!("it is a VXLAN"),
    }
}

#[test]
fn sizes_follow_from_what_is_below() {
    let cases = [
        ("192.0.2.1", None, None, None, 1450),
        ("2001:db8::1", None, None, None, 1430),
        ("239.1.1.1", Some("eno1"), None, None, 1450),
        ("10.64.20.1", Some("office"), None, None, 1370),
        ("fd00::1", Some("office"), None, Some(1500), 1430),
        ("10.64.20.1", Some("office"), Some(1300), None, 1300),
        // The operator knows what the network outside carries.
        ("192.0.2.1", None, Some(8950), None, 8950),
    ];
    for (remote, parent, mtu, below, size) in cases {
        assert_eq!(
            resolved(vxlan(remote, parent, mtu), below),
            Ok(size),
            "{remote} {parent:?}"
        );
    }
}

#[test]
fn what_cannot_be_below_is_a_finding() {
    let cases = [
        ("192.0.2.1", Some("eth0"), None, None, "unknown-parent"),
        ("192.0.2.1", Some("wide"), None, None, "unknown-parent"),
        ("239.1.1.1", None, None, None, "vxlan-ends"),
        ("239.1.1.1", Some("office"), None, None, "vxlan-ends"),
        (
            "10.64.20.1",
            Some("office"),
            Some(1400),
            None,
            "mtu-too-large",
        ),
    ];
    for (remote, parent, mtu, below, rule) in cases {
        let found = resolved(vxlan(remote, parent, mtu), below);
        assert_eq!(found, Err(rule.to_owned()), "{remote} {parent:?}");
    }
    let with_ipv6 = Network {
        ipv6: Some(Auto::Auto),
        ..vxlan("10.64.20.1", Some("office"), None)
    };
    assert_eq!(
        resolved(with_ipv6, Some(1300)),
        Err("mtu-too-small".to_owned())
    );
}
