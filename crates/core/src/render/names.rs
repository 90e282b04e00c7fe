//! Paths and unit names of a tenant.

use crate::model::Name;
use crate::unitfile::{escape_path, escape_unit_name};

/// Link group of every tenant's bridge: rules tell "another tenant" by it without a list of tenants.
pub(crate) const TENANT_LINK_GROUP: u32 = 48059;

/// `/var/lib/tenants/<id>`.
pub(super) fn home(tenant: &Name) -> String {
    format!("/var/lib/tenants/{tenant}")
}

/// A file of the current generation.
pub(super) fn current(tenant: &Name, path: &str) -> String {
    format!("{}/current/{path}", home(tenant))
}

/// The slice that holds every process of the tenant. A plain `-` would make another level, systemd.slice(5).
pub(super) fn slice(tenant: &Name) -> String {
    format!("tenant-{}.slice", escape_unit_name(tenant.as_str()))
}

/// `tenant@<id>.service`; instances are names, not paths, and stay unescaped.
pub(super) fn tenant(tenant: &Name) -> String {
    format!("tenant@{tenant}.service")
}

/// `tenant-network@<id>.service`.
pub(super) fn network(tenant: &Name) -> String {
    format!("tenant-network@{tenant}.service")
}

/// `netns-tenant@<id>.service`.
pub(super) fn namespace_unit(tenant: &Name) -> String {
    format!("netns-tenant@{tenant}.service")
}

/// The network namespace that workloads of the tenant share, in `/run/netns/`.
pub(super) fn namespace(tenant: &Name) -> String {
    format!("tenant-{tenant}")
}

/// The network namespace of one command: never called as one of [`namespace`].
pub(super) fn own_namespace(machine: &str) -> String {
    format!("machine-{machine}")
}

/// The unit that runs a container.
pub(super) fn container(machine: &str) -> String {
    format!("systemd-nspawn@{machine}.service")
}

/// The unit that runs a virtual machine.
pub(super) fn machine(machine: &str) -> String {
    format!("systemd-vmspawn@{machine}.service")
}

/// The timer of a machine's health check.
pub(super) fn health_timer(machine: &str) -> String {
    format!("tenant-health@{machine}.timer")
}

/// The service of a machine's health check.
pub(super) fn health_service(machine: &str) -> String {
    format!("tenant-health@{machine}.service")
}

/// The mount unit of `path`.
pub(super) fn mount(path: &str) -> String {
    format!("{}.mount", escape_path(path))
}

/// A read-only layer, idmapped to the tenant: key is an image's digest or a tree's object id.
pub(super) fn layer(tenant: &Name, key: &str) -> String {
    format!("{}/layers/{key}", home(tenant))
}

/// Directory of a container; below it are `rootfs`, `upper` and `work`.
pub(super) fn container_home(tenant: &Name, workload: &Name) -> String {
    format!("{}/containers/{workload}", home(tenant))
}

/// Directory of a virtual machine: its disk, and what boots it.
pub(super) fn machine_home(tenant: &Name, workload: &Name) -> String {
    format!("{}/machines/{workload}", home(tenant))
}
