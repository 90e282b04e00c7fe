//! The workload of a repository that declares none: `main`, described by `metadata.json` alone.

use crate::model::{
    Check, Container, Health, Image, ImageSource, Init, Machine, Millis, Name, Resources, Restart,
    Tenant, TenantKind, Workload,
};
use std::collections::BTreeMap;

/// Name of the workload.
pub(super) const NAME: &str = "main";
/// The script of the repository that becomes its health check.
pub(super) const HEALTH_SCRIPT: &str = "scripts/health-check.sh";

/// Whether the repository declares no workload at all.
pub(super) fn is_implied(tenant: &Tenant) -> bool {
    tenant.containers.is_empty() && tenant.machines.is_empty()
}

/// `main` as a container, when the repository declares no workload and its type is not `vm`.
pub(super) fn container(tenant: &Tenant) -> Option<Container> {
    if !is_implied(tenant) || tenant.metadata.kind == TenantKind::Vm {
        return None;
    }
    Some(Container {
        workload: workload(tenant, "tenant-container", health(tenant))?,
        capabilities: Vec::new(),
        read_only: false,
        overlay: None,
    })
}

/// The same as a virtual machine, when its type is `vm`.
pub(super) fn machine(tenant: &Tenant) -> Option<Machine> {
    if !is_implied(tenant) || tenant.metadata.kind != TenantKind::Vm {
        return None;
    }
    Some(Machine {
        // A script of the repository is for the inside of a container.
        workload: workload(tenant, "tenant-machine", None)?,
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
    })
}

/// It has no limits of its own: the tenant's hold for its slice, and it is alone in there.
fn workload(tenant: &Tenant, template: &str, health: Option<Health>) -> Option<Workload> {
    let origin = &tenant.metadata.kind_origin;
    Some(Workload {
        origin: origin.clone(),
        name: Name::new(NAME).ok()?,
        image: Image {
            origin: origin.clone(),
            source: ImageSource::Template(Name::new(template).ok()?),
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
        health,
    })
}

fn health(tenant: &Tenant) -> Option<Health> {
    let script = tenant.scripts.iter().find(|path| *path == HEALTH_SCRIPT)?;
    Some(Health {
        check: Check::Script(script.clone()),
        interval: Millis(30_000),
        timeout: Millis(5_000),
        retries: 3,
        start_period: Millis(30_000),
    })
}
