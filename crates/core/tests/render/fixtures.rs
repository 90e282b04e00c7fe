//! Tenants as `resolve` and `allocate` hand them on.

use bitbuilder_core::allocate::{
    Allocations, InterfaceAllocation, MachineAllocation, NetworkAllocation, TenantAllocation,
    Uplink, assign,
};
use bitbuilder_core::desired::{
    DesiredTenant, DesiredWorkload, DirectBoot, Layer, MachineClass, ResolvedImage, WorkloadClass,
};
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::*;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub(crate) fn at(file: &str, line: u32) -> Origin {
    Origin {
        file: file.into(),
        line,
        column: 3,
    }
}

pub(crate) fn network(text: &str, nat: bool) -> Network {
    Network {
        origin: at("network/topology.yaml", 2),
        name: name(text),
        mode: NetworkMode::IsolatedBridge,
        subnet: Auto::Auto,
        ipv6: Some(Auto::Auto),
        dhcp: true,
        dns: true,
        nat,
        bridge: None,
        details: NetworkDetails::Plain,
    }
}

pub(crate) fn attachment(network: &str) -> Attachment {
    Attachment {
        origin: at("containers/web/config.yaml", 9),
        network: name(network),
        address: None,
        mac: None,
        bandwidth: None,
    }
}

fn capabilities(init: &Init) -> Vec<String> {
    let command = "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT";
    let boot = " NET_ADMIN NET_RAW SYS_ADMIN SYS_BOOT SYS_RESOURCE";
    let all = if *init == Init::Boot {
        format!("{command}{boot}")
    } else {
        command.to_owned()
    };
    all.split(' ').map(|name| format!("CAP_{name}")).collect()
}

pub(crate) fn workload(text: &str, init: Init) -> DesiredWorkload {
    DesiredWorkload {
        origin: at(&format!("containers/{text}/config.yaml"), 1),
        name: name(text),
        class: WorkloadClass::Container {
            capabilities: capabilities(&init),
            system_calls: Vec::new(),
            read_only: false,
            overlay: None,
        },
        image: ResolvedImage {
            name: "tenant-container".into(),
            digest: "0123456789abcdef".repeat(4),
            root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".into(),
        },
        init,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        resources: Resources::default(),
        attachments: vec![attachment("default")],
        volumes: Vec::new(),
        credentials: BTreeMap::new(),
        depends_on: Vec::new(),
        restart: Restart::OnFailure,
        autostart: true,
        health: None,
        health_script: None,
    }
}

pub(crate) fn tenant(
    id: &str,
    networks: Vec<Network>,
    workloads: Vec<DesiredWorkload>,
) -> DesiredTenant {
    DesiredTenant {
        id: name(id),
        name: id.to_uppercase(),
        enabled: true,
        limits: Resources::default(),
        ceilings: Limits::default(),
        networks,
        workloads,
        publish: Vec::new(),
        peering: Vec::new(),
        partners: Vec::new(),
        firewall: Vec::new(),
        scripts: BTreeMap::new(),
    }
}

fn uplink(network: &Network, index: u8) -> Option<Uplink> {
    match network.details {
        NetworkDetails::Wireguard { .. } => Some(Uplink::Wireguard {
            link: format!("wg-{}", network.name),
            port: 51820 + u16::from(index),
        }),
        NetworkDetails::Vxlan { .. } => Some(Uplink::Vxlan {
            link: format!("vx-{}", network.name),
            vni: 7000 + u32::from(index),
        }),
        _ => None,
    }
}

fn peer(text: &str, key: &str, allowed: &[&str]) -> WireguardPeer {
    WireguardPeer {
        origin: at("network/topology.yaml", 6),
        name: name(text),
        public_key: key.into(),
        endpoint: None,
        allowed_ips: allowed
            .iter()
            .map(|network| (*network).to_owned())
            .collect(),
        keepalive: None,
        preshared_key: None,
    }
}

/// A WireGuard network, a segment over it, one between hosts and one on a trunk.
pub(crate) fn tunnels() -> DesiredTenant {
    let vxlan =
        |group: Option<&str>, remotes: &[&str], parent: Option<&str>, mtu| NetworkDetails::Vxlan {
            vni: Auto::Auto,
            group: group.map(|group| group.parse().unwrap()),
            remotes: remotes
                .iter()
                .map(|remote| remote.parse().unwrap())
                .collect(),
            parent: parent.map(str::to_owned),
            mtu: Some(mtu),
        };
    let of = |text: &str, mode, details| Network {
        mode,
        details,
        ..network(text, false)
    };
    let laptop = WireguardPeer {
        endpoint: Some("vpn.example:51820".into()),
        keepalive: Some(Millis(25_000)),
        preshared_key: Some("AAECAwQFBgcICQoLDA0ODw".into()),
        ..peer(
            "laptop",
            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=",
            &["10.99.0.2/32", "fd00:99::2/128"],
        )
    };
    let branch = peer(
        "branch",
        "gN65BkIKy1eCE9pP1wdc8ROUtkHLF2PfAqYdyYBz6EA=",
        &["10.98.0.0/16"],
    );
    let office = NetworkDetails::Wireguard {
        listen_port: Auto::Auto,
        peers: vec![laptop, branch],
        mtu: Some(1420),
    };
    let networks = vec![
        of("office", NetworkMode::Wireguard, office),
        of(
            "over",
            NetworkMode::Vxlan,
            vxlan(None, &["10.98.0.1", "10.98.1.1"], Some("office"), 1370),
        ),
        of(
            "wide",
            NetworkMode::Vxlan,
            vxlan(None, &["2001:db8::2"], None, 1430),
        ),
        of(
            "cast",
            NetworkMode::Vxlan,
            vxlan(Some("239.1.1.1"), &[], Some("eno1"), 1450),
        ),
    ];
    let mut web = workload("web", Init::Command(vec!["/bin/serve".into()]));
    web.attachments = ["wide", "office"].map(attachment).to_vec();
    let mut db = workload("db", Init::Boot);
    db.attachments = ["over", "office"].map(attachment).to_vec();
    tenant("shop", networks, vec![web, db])
}

/// Numbers as `allocate` would choose them for the `number`th tenant.
pub(crate) fn allocation(tenant: &DesiredTenant, number: u8) -> TenantAllocation {
    let networks = tenant.networks.iter().zip(0u8..).map(|(network, index)| {
        let suffix = if index == 0 {
            String::new()
        } else {
            format!("-{index}")
        };
        let subnet = Subnet4 {
            address: Ipv4Addr::new(172, 20, number * 16 + index, 0),
            prefix: 24,
        };
        let ipv6 = network.ipv6.is_some();
        let ipv6 = ipv6.then(|| format!("fdbb:0:0:{number:x}{index:02x}::").parse().unwrap());
        let link = format!("br-{}{suffix}", tenant.id);
        (
            network.name.clone(),
            NetworkAllocation {
                link,
                subnet,
                ipv6,
                private: false,
                namespace: None,
                uplink: uplink(network, index),
                vrf: None,
            },
        )
    });
    let networks: BTreeMap<_, _> = networks.collect();
    let machines = tenant.workloads.iter().zip(2u8..).map(|(workload, host)| {
        let interfaces =
            workload
                .attachments
                .iter()
                .zip(0u8..)
                .filter_map(|(attachment, index)| {
                    let subnet = networks.get(&attachment.network)?.subnet;
                    let interface = InterfaceAllocation {
                        link: format!("v{number}-{}-{index}", workload.name),
                        address: subnet.nth(u32::from(host)).unwrap(),
                        mac: format!("02:bb:00:{number:02x}:{index:02x}:{host:02x}"),
                    };
                    Some((attachment.network.clone(), interface))
                });
        let machine = MachineAllocation {
            machine: format!("{}-{}", tenant.id, workload.name),
            interfaces: interfaces.collect(),
        };
        (workload.name.clone(), machine)
    });
    TenantAllocation {
        number: number.into(),
        uid_base: 0x1000_0000 + u32::from(number) * 65536,
        machines: machines.collect(),
        networks,
        ports: BTreeSet::new(),
        peerings: Default::default(),
        released: None,
        kept: 0,
    }
}

fn volume(text: &str, mount: &str, read_only: bool) -> Volume {
    Volume {
        origin: at("containers/db/config.yaml", 5),
        name: name(text),
        mount: mount.into(),
        size: None,
        read_only,
    }
}

fn health(check: Check) -> Health {
    Health {
        check,
        interval: Millis(5000),
        timeout: Millis(2000),
        retries: 3,
        start_period: Millis(10_000),
    }
}

fn rule(
    line: u32,
    from: Endpoint,
    to: Endpoint,
    protocol: Option<Protocol>,
    action: FirewallAction,
) -> FirewallRule {
    FirewallRule {
        origin: at("network/firewall/10-base.yaml", line),
        from,
        to,
        protocol,
        ports: Vec::new(),
        action,
        log: false,
    }
}

/// A booted web server and a database command: everything that documents can say about containers.
pub(crate) fn shop() -> DesiredTenant {
    let mut web = workload("web", Init::Boot);
    web.env = [("GREETING".to_owned(), "100% \"yours\" for $5".to_owned())].into();
    web.class = WorkloadClass::Container {
        capabilities: [capabilities(&Init::Boot), vec!["CAP_IPC_LOCK".into()]].concat(),
        system_calls: vec!["@aio".into(), "@memlock".into()],
        read_only: false,
        overlay: Some(Layer {
            key: "fedc".repeat(10),
            path: "containers/web/rootfs-overlay".into(),
        }),
    };
    web.resources = Resources {
        cpu: Some(MilliCores(500)),
        memory: Some(Bytes(512 << 20)),
        ..Resources::default()
    };
    web.attachments = vec![attachment("default"), attachment("back")];
    web.depends_on = vec![name("db")];
    web.health = Some(health(Check::Tcp(80)));

    let mut db = workload(
        "db",
        Init::Command(vec![
            "/usr/bin/busybox".into(),
            "httpd".into(),
            "-f".into(),
            "-p".into(),
            "80".into(),
        ]),
    );
    db.env = [("DATA".to_owned(), "/data".to_owned())].into();
    db.workdir = Some("/data".into());
    db.attachments = vec![attachment("back")];
    db.volumes = vec![
        volume("data", "/data", false),
        volume("seed", "/srv/with: colon", true),
    ];
    db.restart = Restart::Always;
    db.health = Some(health(Check::Script("scripts/health-check.sh".into())));
    db.health_script = Some(b"#!/bin/sh\nexec true\n".as_slice().into());
    db.resources.tasks = Some(64);

    let mut shop = tenant(
        "shop",
        vec![network("default", true), network("back", false)],
        vec![db, web],
    );
    shop.limits = Resources {
        cpu: Some(MilliCores(2000)),
        memory: Some(Bytes(2 << 30)),
        storage: Some(Bytes(10 << 30)),
        tasks: Some(1024),
    };
    shop.publish = vec![Publish {
        origin: at("network/topology.yaml", 8),
        port: 8080,
        protocol: Protocol::Tcp,
        to: name("web"),
        to_port: 80,
    }];
    let accept = FirewallRule {
        ports: vec![(80, 80), (5432, 5439)],
        ..rule(
            2,
            Endpoint::Workload(name("web")),
            Endpoint::Workload(name("db")),
            Some(Protocol::Tcp),
            FirewallAction::Accept,
        )
    };
    let reject = FirewallRule {
        log: true,
        ..rule(
            7,
            Endpoint::Any,
            Endpoint::Workload(name("db")),
            None,
            FirewallAction::Reject,
        )
    };
    shop.firewall = vec![accept, reject];
    shop.scripts = [(
        "scripts/pre-provision.sh".to_owned(),
        b"#!/bin/sh\n".as_slice().into(),
    )]
    .into();
    shop
}

/// The smallest tenant, with a dash in its id.
pub(crate) fn quick() -> DesiredTenant {
    tenant(
        "tenant-001",
        vec![network("default", true)],
        vec![workload("main", Init::Boot)],
    )
}

/// A tenant with a network of `mode`, and as it is allocated on a host of its own.
pub(crate) fn of_mode(
    mode: NetworkMode,
    details: NetworkDetails,
) -> (DesiredTenant, TenantAllocation) {
    let shell = ["/bin/sh", "-c", "exec busybox httpd -f -p 80"].map(str::to_owned);
    let mut legacy = network("legacy", true);
    legacy.mode = mode;
    legacy.details = details;
    let mut web = workload("web", Init::Boot);
    let mut db = workload("db", Init::Command(shell.into()));
    web.attachments = vec![attachment("legacy")];
    db.attachments = vec![attachment("legacy")];
    let tenant = tenant("shop", vec![legacy], vec![web, db]);
    let allocation = assign(&Allocations::default(), &tenant, &pools()).unwrap();
    (tenant, allocation)
}

/// VLAN 1100 of `eno2`, whose router has the first address when it is not the host.
pub(crate) fn vlan(routed: bool) -> (DesiredTenant, TenantAllocation) {
    let subnet: Ipv4Addr = "10.64.7.0".parse().unwrap();
    let details = NetworkDetails::Vlan {
        id: 1100,
        parent: "eno2".into(),
        router: routed.then(|| "10.64.7.1".parse().unwrap()),
    };
    let (mut tenant, _) = of_mode(NetworkMode::Vlan, details);
    tenant.networks[0].subnet = Auto::Value(Subnet4::containing(subnet, 24));
    let allocation = assign(&Allocations::default(), &tenant, &pools()).unwrap();
    (tenant, allocation)
}

/// A routing domain of its own, with a published port and a check over the network.
pub(crate) fn vrf() -> (DesiredTenant, TenantAllocation) {
    let (mut tenant, _) = of_mode(NetworkMode::Vrf, NetworkDetails::Plain);
    tenant.workloads[1].health = Some(health(Check::Tcp(80)));
    tenant.publish.push(Publish {
        origin: at("network/topology.yaml", 7),
        port: 8080,
        protocol: Protocol::Tcp,
        to: name("db"),
        to_port: 80,
    });
    let allocation = assign(&Allocations::default(), &tenant, &pools()).unwrap();
    (tenant, allocation)
}

/// A link of its own for each machine.
pub(crate) fn private() -> (DesiredTenant, TenantAllocation) {
    of_mode(NetworkMode::Private, NetworkDetails::Plain)
}

/// One network namespace for both, with a published port.
pub(crate) fn netns() -> (DesiredTenant, TenantAllocation) {
    let (mut tenant, _) = of_mode(NetworkMode::Netns, NetworkDetails::Plain);
    tenant.publish.push(Publish {
        origin: at("network/topology.yaml", 7),
        port: 8080,
        protocol: Protocol::Tcp,
        to: name("db"),
        to_port: 80,
    });
    let allocation = assign(&Allocations::default(), &tenant, &pools()).unwrap();
    (tenant, allocation)
}

pub(crate) fn pools() -> Pools {
    Pools {
        ipv4: ("10.64.0.0".parse().unwrap(), 12),
        ipv6: ("fd00:bb::".parse().unwrap(), 48),
        vni: (1, 100),
        vlan: (1000, 1999),
        wireguard: (51820, 51920),
        trunks: vec!["eno2".into()],
    }
}

/// The image of machines, and what boots it.
pub(crate) fn machine_image() -> (ResolvedImage, DirectBoot) {
    let directory = "/usr/lib/bitbuilder/templates/tenant-machine";
    let image = ResolvedImage {
        name: "tenant-machine".into(),
        digest: "fedcba9876543210".repeat(4),
        root: format!("{directory}/disk.raw"),
    };
    let boot = DirectBoot {
        kernel: format!("{directory}/kernel"),
        initrd: format!("{directory}/initrd"),
    };
    (image, boot)
}

/// A tenant with a virtual machine, a container that needs it, and a port of the machine that is published.
pub(crate) fn vm() -> DesiredTenant {
    let (image, boot) = machine_image();
    let mut main = workload("main", Init::Boot);
    main.origin = at("machines/main/config.yaml", 1);
    main.image = image;
    main.class = WorkloadClass::Machine(MachineClass {
        cpus: 2,
        ram: 1 << 30,
        kvm: false,
        disk: Some(Bytes(10 << 30)),
        ephemeral: false,
        boot,
        cmdline: Some("quiet loglevel=3".into()),
    });
    main.env = [("MODE".to_owned(), "50% new".to_owned())].into();
    main.credentials = [("token".to_owned(), b"ciphertext".as_slice().into())].into();
    main.attachments.push(attachment("back"));
    main.health = Some(health(Check::Answers));
    let mut web = workload("web", Init::Command(vec!["/usr/bin/web".into()]));
    web.depends_on = vec![name("main")];
    let networks = vec![network("default", true), network("back", false)];
    let mut vm = tenant("vms", networks, vec![main, web]);
    vm.publish.push(Publish {
        origin: at("network/topology.yaml", 7),
        port: 8022,
        protocol: Protocol::Tcp,
        to: name("main"),
        to_port: 22,
    });
    vm
}

/// A tenant that does not run, without a network, with credentials for an unprivileged command.
pub(crate) fn quiet() -> DesiredTenant {
    let mut job = workload(
        "job",
        Init::Command(vec![
            "/usr/bin/job".into(),
            "two\nlines; $HOME %h".into(),
            String::new(),
        ]),
    );
    job.attachments = Vec::new();
    job.user = Some("worker".into());
    job.credentials = [("token".to_owned(), b"ciphertext".as_slice().into())].into();
    job.restart = Restart::No;
    job.class = WorkloadClass::Container {
        capabilities: Vec::new(),
        system_calls: Vec::new(),
        read_only: true,
        overlay: None,
    };
    let mut quiet = tenant("quiet", Vec::new(), vec![job]);
    quiet.enabled = false;
    quiet
}
