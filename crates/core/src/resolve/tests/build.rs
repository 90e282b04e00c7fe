//! Everything that `resolve` takes, plain.

use crate::desired::{DesiredTenant, DirectBoot, ResolvedImage, Template, Templates};
use crate::finding::Checked;
use crate::model::*;
use crate::resolve::{HostFacts, resolve};
use crate::sample::{at, name, pools};
use crate::tree::{Blob, Entry, Tree};
use std::collections::BTreeMap;

pub(super) struct Case {
    pub(super) tenant: Tenant,
    pub(super) tree: Tree,
    pub(super) registration: Registration,
    pub(super) policy: Policy,
    pub(super) templates: Templates,
    pub(super) host: HostFacts,
}

impl Case {
    pub(super) fn with(containers: &[&str]) -> Self {
        Self {
            tenant: tenant(containers),
            tree: Tree::default(),
            registration: registration(),
            policy: policy(),
            templates: templates(),
            host: HostFacts {
                systemd: 262,
                features: [HostFacts::RESOURCE_CONTROL.to_owned()].into(),
                tags: ["zone=eu-1".to_owned()].into(),
            },
        }
    }

    pub(super) fn resolve(&self) -> Checked<DesiredTenant> {
        resolve(
            &self.tenant,
            &self.tree,
            &self.registration,
            &self.policy,
            &self.templates,
            &self.host,
        )
    }

    pub(super) fn publish(&mut self, port: u16, to: &str) {
        self.tenant.topology.publish.push(Publish {
            origin: at("network/topology.yaml", 7),
            port,
            protocol: Protocol::Tcp,
            to: name(to),
            to_port: 80,
        });
    }
}

pub(super) fn file(content: &str) -> Entry {
    Entry::File(Blob {
        size: content.len() as u64,
        executable: false,
        oid: String::new(),
        content: Some(content.as_bytes().into()),
    })
}

pub(super) fn container(text: &str) -> Container {
    Container {
        workload: workload("containers", text),
        capabilities: Vec::new(),
        read_only: false,
        overlay: None,
    }
}

pub(super) fn machine(text: &str) -> Machine {
    Machine {
        workload: workload("machines", text),
        firmware: None,
        secure_boot: false,
        tpm: false,
        kvm: None,
        kernel: None,
        initrd: None,
        cmdline: None,
        disk: None,
        ephemeral: false,
        cloud_init: Vec::new(),
    }
}

fn workload(directory: &str, text: &str) -> Workload {
    let file = format!("{directory}/{text}/config.yaml");
    Workload {
        origin: at(&file, 1),
        name: name(text),
        image: Image {
            origin: at(&file, 2),
            source: ImageSource::Template(name("tenant-container")),
            verify: None,
        },
        init: Init::Boot,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        resources: Resources::default(),
        networks: None,
        volumes: Vec::new(),
        credentials: Vec::new(),
        extensions: Vec::new(),
        depends_on: Vec::new(),
        restart: Restart::Always,
        autostart: true,
        health: None,
    }
}

fn tenant(containers: &[&str]) -> Tenant {
    Tenant {
        metadata: Metadata {
            origin: at("metadata.json", 3),
            id: name("shop"),
            name: "Shop".into(),
            kind: TenantKind::Container,
            kind_origin: at("metadata.json", 5),
            enabled: true,
            description: String::new(),
            resources: Resources::default(),
            network_mode: NetworkMode::IsolatedBridge,
            network_origin: at("metadata.json", 7),
            interfaces: Vec::new(),
            extensions: Vec::new(),
            services: Vec::new(),
            security: Security {
                isolation: Isolation::Namespace,
                capabilities: None,
                system_calls: Vec::new(),
                encrypt_storage: false,
                origin: at("metadata.json", 9),
            },
        },
        containers: containers.iter().map(|text| container(text)).collect(),
        machines: Vec::new(),
        topology: Topology::default(),
        firewall: Vec::new(),
        infrastructure: None,
        ceilings: Vec::new(),
        users: Vec::new(),
        extension_images: Vec::new(),
        portable_images: Vec::new(),
        scripts: Vec::new(),
    }
}

fn registration() -> Registration {
    Registration {
        origin: at("tenants/registry.json", 4),
        id: name("shop"),
        name: "Shop".into(),
        repository: "file:///srv/shop.git".into(),
        reference: "main".into(),
        enabled: true,
        limits: Limits::default(),
        allow: Allow {
            machines: true,
            containers: true,
            portable: false,
            users: false,
            hooks: false,
            publish: vec![PortRange {
                protocol: Protocol::Tcp,
                first: 8000,
                last: 8099,
            }],
            networks: vec![NetworkMode::IsolatedBridge, NetworkMode::Netns],
        },
        verify: None,
        placement: Vec::new(),
        access: Access::default(),
        webhook: None,
    }
}

fn policy() -> Policy {
    Policy {
        sync: Sync {
            interval: Millis(300_000),
            jitter: Millis(0),
            timeout: Millis(60_000),
        },
        verify: Verify::off(),
        verify_system: Verify::off(),
        pools: pools(),
        storage: Storage {
            quota: Quota::None,
            encrypt: false,
        },
        retention: Retention {
            generations: 10,
            removed_tenants: Millis(0),
        },
        notifications: Vec::new(),
        templates: Vec::new(),
        hook_timeout: Millis(60_000),
        health: HealthPolicy::default(),
        drift: Drift {
            policy: DriftPolicy::Report,
        },
        webhooks: None,
    }
}

fn templates() -> Templates {
    let template = Template {
        image: ResolvedImage {
            name: "tenant-container".into(),
            digest: "d1".into(),
            root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".into(),
        },
        defaults: Resources::default(),
        boot: None,
    };
    let directory = "/usr/lib/bitbuilder/templates/tenant-machine";
    let machine = Template {
        image: ResolvedImage {
            name: "tenant-machine".into(),
            digest: "d2".into(),
            root: format!("{directory}/disk.raw"),
        },
        defaults: Resources {
            storage: Some(Bytes(10 << 30)),
            ..Resources::default()
        },
        boot: Some(DirectBoot {
            kernel: format!("{directory}/kernel"),
            initrd: format!("{directory}/initrd"),
        }),
    };
    [
        (name("tenant-container"), template),
        (name("tenant-machine"), machine),
    ]
    .into()
}
