//! Values for the tests of several stages.

use crate::desired::{DesiredTenant, DesiredWorkload, ResolvedImage, WorkloadClass};
use crate::finding::Origin;
use crate::model::{
    Attachment, Auto, Init, Limits, Name, Network, NetworkDetails, NetworkMode, Pools, Resources,
    Restart,
};
use std::collections::BTreeMap;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn at(file: &str, line: u32) -> Origin {
    Origin {
        file: file.into(),
        line,
        column: 1,
    }
}

pub(crate) fn pools() -> Pools {
    Pools {
        ipv4: ("10.64.0.0".parse().unwrap(), 12),
        ipv6: ("fd00:bb::".parse().unwrap(), 48),
        vni: (1, 100),
        vlan: (1, 100),
        wireguard: (51820, 51920),
        trunks: Vec::new(),
    }
}

pub(crate) fn network(text: &str) -> Network {
    Network {
        origin: at("network/topology.yaml", 2),
        name: name(text),
        mode: NetworkMode::IsolatedBridge,
        subnet: Auto::Auto,
        ipv6: None,
        dhcp: true,
        dns: true,
        nat: false,
        bridge: None,
        details: NetworkDetails::Plain,
    }
}

pub(crate) fn attachment(network: &str) -> Attachment {
    Attachment {
        origin: at("containers/web/config.yaml", 5),
        network: name(network),
        address: None,
        mac: None,
        bandwidth: None,
    }
}

pub(crate) fn workload(text: &str) -> DesiredWorkload {
    DesiredWorkload {
        origin: at(&format!("containers/{text}/config.yaml"), 1),
        name: name(text),
        class: WorkloadClass::Container {
            capabilities: Vec::new(),
            system_calls: Vec::new(),
            read_only: false,
            overlay: None,
        },
        image: ResolvedImage {
            name: "tenant-container".into(),
            digest: "00".repeat(32),
            root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".into(),
        },
        init: Init::Boot,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        resources: Resources::default(),
        attachments: vec![attachment("default")],
        volumes: Vec::new(),
        credentials: BTreeMap::new(),
        depends_on: Vec::new(),
        restart: Restart::Always,
        autostart: true,
        health: None,
        health_script: None,
    }
}

pub(crate) fn tenant(id: &str, workloads: &[&str]) -> DesiredTenant {
    DesiredTenant {
        id: name(id),
        name: id.into(),
        enabled: true,
        limits: Resources::default(),
        ceilings: Limits::default(),
        networks: vec![network("default")],
        workloads: workloads.iter().map(|text| workload(text)).collect(),
        publish: Vec::new(),
        peering: Vec::new(),
        partners: Vec::new(),
        firewall: Vec::new(),
        scripts: BTreeMap::new(),
    }
}
