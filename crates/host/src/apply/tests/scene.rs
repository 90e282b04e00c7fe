//! Tenants, rendered for real, and worlds to deploy them in.

use super::index;
use super::plans::{plan, removal};
use crate::apply::{Apply, LayerSource, Outcome, Work};
use crate::disk;
use crate::generations;
use crate::host::{Host, HostError};
use crate::paths::HostRoot;
use crate::sim::SimHost;
use bitbuilder_core::allocate::{
    InterfaceAllocation, MachineAllocation, NetworkAllocation, TenantAllocation,
};
use bitbuilder_core::artefact::{Artefacts, Manifest, Provenance, manifest};
use bitbuilder_core::desired::{
    DesiredTenant, DesiredWorkload, Layer, ResolvedImage, WorkloadClass,
};
use bitbuilder_core::finding::Origin;
use bitbuilder_core::model::*;
use bitbuilder_core::plan::Plan;
use bitbuilder_core::render::render;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::Path;
use std::{fs, io};

pub(super) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// What a test varies of a tenant.
#[derive(Debug, Clone)]
pub(super) struct Shop {
    pub(super) id: &'static str,
    /// Number of its allocation.
    pub(super) number: u8,
    /// Environment of `web`.
    pub(super) env: &'static str,
    /// Key of the layer of `web`.
    pub(super) layer: &'static str,
    /// Whether there is a second network.
    pub(super) back: bool,
    /// Memory of `web`, MiB.
    pub(super) memory: u64,
    /// Whether there is a third workload, `job`.
    pub(super) job: bool,
}

impl Shop {
    pub(super) fn new(id: &'static str, number: u8) -> Self {
        Self {
            id,
            number,
            env: "GREETING=hello",
            layer: "aaaa",
            back: false,
            memory: 256,
            job: false,
        }
    }

    /// The generation with this number.
    pub(super) fn compile(&self, number: u64) -> Target {
        let desired = self.desired();
        let artefacts = render(&desired, &self.allocation(&desired)).unwrap();
        let provenance = Provenance {
            tenant: desired.id,
            number,
            parent: number.checked_sub(1).filter(|parent| *parent > 0),
            commit: format!("{number:040}"),
            reference: "refs/heads/main".into(),
            repository: "file:///shop.git".into(),
            system: "5".repeat(40),
            signer: None,
            inputs: String::new(),
            created: 1,
        };
        let manifest = manifest(provenance, &artefacts);
        Target {
            manifest,
            artefacts,
            owner: self.owner(),
        }
    }

    fn owner(&self) -> u32 {
        0x1000_0000 + u32::from(self.number) * 65536
    }

    fn desired(&self) -> DesiredTenant {
        let mut networks = vec![network("default")];
        if self.back {
            networks.push(network("back"));
        }
        let mut web = workload("web");
        let (variable, value) = self.env.split_once('=').unwrap();
        web.env = [(variable.to_owned(), value.to_owned())].into();
        web.class = container(Some(Layer {
            key: self.layer.repeat(10),
            path: "containers/web/rootfs-overlay".into(),
        }));
        web.resources.memory = Some(Bytes(self.memory << 20));
        web.depends_on = vec![name("db")];
        let mut workloads = vec![workload("db"), web];
        workloads.extend(self.job.then(|| workload("job")));
        DesiredTenant {
            id: name(self.id),
            name: self.id.into(),
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

    fn allocation(&self, desired: &DesiredTenant) -> TenantAllocation {
        let number = self.number;
        let subnet = |index| Subnet4 {
            address: Ipv4Addr::new(10, number, index, 0),
            prefix: 24,
        };
        let networks = desired.networks.iter().zip(0u8..).map(|(network, index)| {
            let allocation = NetworkAllocation {
                link: format!("br-{}-{index}", self.id),
                subnet: subnet(index),
                ipv6: None,
                private: false,
                namespace: None,
                uplink: None,
                vrf: None,
            };
            (network.name.clone(), allocation)
        });
        let machines = desired.workloads.iter().zip(2u8..).map(|(workload, host)| {
            let interface = InterfaceAllocation {
                link: format!("v{number}-{}", workload.name),
                address: subnet(0).nth(host.into()).unwrap(),
                mac: format!("02:bb:00:00:{number:02x}:{host:02x}"),
            };
            let allocation = MachineAllocation {
                machine: format!("{}-{}", self.id, workload.name),
                interfaces: [(name("default"), interface)].into(),
            };
            (workload.name.clone(), allocation)
        });
        TenantAllocation {
            number: number.into(),
            uid_base: self.owner(),
            networks: networks.collect(),
            machines: machines.collect(),
            ports: BTreeSet::new(),
            peerings: Default::default(),
            released: None,
            kept: 0,
        }
    }
}

fn at(file: &str) -> Origin {
    Origin {
        file: file.into(),
        line: 1,
        column: 1,
    }
}

fn network(text: &str) -> Network {
    Network {
        origin: at("network/topology.yaml"),
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

fn container(overlay: Option<Layer>) -> WorkloadClass {
    WorkloadClass::Container {
        capabilities: Vec::new(),
        system_calls: Vec::new(),
        read_only: false,
        overlay,
    }
}

fn workload(text: &str) -> DesiredWorkload {
    let file = format!("containers/{text}/config.yaml");
    let attachment = Attachment {
        origin: at(&file),
        network: name("default"),
        address: None,
        mac: None,
        bandwidth: None,
    };
    DesiredWorkload {
        origin: at(&file),
        name: name(text),
        class: container(None),
        image: ResolvedImage {
            name: "tenant-container".into(),
            digest: "0123456789abcdef".repeat(4),
            root: "/usr/lib/bitbuilder/templates/tenant-container/rootfs".into(),
        },
        init: Init::Boot,
        env: BTreeMap::new(),
        user: None,
        workdir: None,
        resources: Resources::default(),
        attachments: vec![attachment],
        volumes: Vec::new(),
        credentials: BTreeMap::new(),
        depends_on: Vec::new(),
        restart: Restart::Always,
        autostart: true,
        health: Some(Health {
            check: Check::Tcp(80),
            interval: Millis(5000),
            timeout: Millis(2000),
            retries: 3,
            start_period: Millis(10_000),
        }),
        health_script: None,
    }
}

/// What a plan leads to.
pub(super) struct Target {
    pub(super) manifest: Manifest,
    pub(super) artefacts: Artefacts,
    pub(super) owner: u32,
}

/// Exports one file as a layer.
pub(super) struct Files;

impl LayerSource for Files {
    fn export_layer(&self, _: &Name, layer: &Layer, into: &Path) -> Result<(), HostError> {
        disk::create_directory(into)?;
        disk::create(&into.join("index.html"), layer.key.as_bytes(), 0o644)
    }
}

/// A directory with a host in it, in memory where there is such a place.
pub(super) struct World {
    dir: tempfile::TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        let memory = Path::new("/dev/shm");
        let dir = if memory.is_dir() {
            tempfile::tempdir_in(memory)
        } else {
            tempfile::tempdir()
        };
        Self { dir: dir.unwrap() }
    }

    /// The same, somewhere else; a copied index would be of another registry.
    pub(super) fn copy(&self) -> Self {
        let other = Self::new();
        copy(self.path(), other.path()).unwrap();
        if index::counts(self) {
            generations::index(&HostRoot::new(other.path())).unwrap();
        }
        other
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// The host, as a new process would open it.
    pub(super) fn host(&self) -> SimHost {
        SimHost::open(self.path()).unwrap()
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            fs::create_dir(&target)?;
            copy(&source, &target)?;
            fs::set_permissions(&target, fs::metadata(&source)?.permissions())?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else {
            fs::copy(&source, &target)?;
        }
    }
    Ok(())
}

/// The effective registry with these tenants.
pub(super) fn registry(ids: &[&str]) -> Vec<u8> {
    let tenants: Vec<_> = ids
        .iter()
        .map(|id| serde_json::json!({"id": id, "enabled": true}))
        .collect();
    serde_json::json!({"format": 1, "tenants": tenants})
        .to_string()
        .into_bytes()
}

/// Executes plans to `targets`; `ids` are registered.
pub(super) fn deploy(
    host: &dyn Host,
    ids: &[&str],
    targets: &[&Target],
) -> BTreeMap<String, Outcome> {
    let plans: Vec<Plan> = targets.iter().map(|target| plan(host, target)).collect();
    let work: Vec<Work<'_>> = plans
        .iter()
        .zip(targets)
        .map(|(plan, target)| Work {
            plan,
            target: Some((&target.manifest, &target.artefacts)),
            owner: target.owner,
        })
        .collect();
    let registry = registry(ids);
    let apply = Apply {
        host,
        layers: &Files,
        registry: Some(&registry),
    };
    by_id(apply.run(&work, &mut |_| {}))
}

/// Executes the removal of `id`.
pub(super) fn remove(host: &dyn Host, ids: &[&str], id: &str) -> BTreeMap<String, Outcome> {
    let plan = removal(host, id);
    let registry = registry(ids);
    let apply = Apply {
        host,
        layers: &Files,
        registry: Some(&registry),
    };
    let work = Work {
        plan: &plan,
        target: None,
        owner: 0,
    };
    by_id(apply.run(&[work], &mut |_| {}))
}

fn by_id(outcomes: BTreeMap<Name, Outcome>) -> BTreeMap<String, Outcome> {
    let outcomes = outcomes.into_iter();
    outcomes
        .map(|(id, outcome)| (id.to_string(), outcome))
        .collect()
}
