//! `tenants/registry.json`: the tenants of the host and what they may use.

use super::access::{AccessDoc, access, secret};
use super::decode::{At, Cx, written};
use super::facts::Facts;
use super::policy::{VerifyDoc, verify};
use super::scalar::{Count, GitRef, GitUrl, Int, Line};
use super::value;
use super::workload::CredentialDoc;
use crate::model::{
    Access, Allow, Bytes, Limits, MilliCores, Name, NetworkMode, PortRange, Registration,
};
use std::collections::BTreeMap;

written! {
    /// `tenants/registry.json` of the system repository: the tenants of the host.
    struct RegistryDoc {
        /// The tenants.
        required "tenants" tenants: Vec<RegistrationDoc>,
    }
}

written! {
    /// A tenant.
    struct RegistrationDoc {
        /// Its id; it names units, directories and the repository.
        required "id" id: Name,
        /// Name for people; the id by default.
        optional "name" name: Line,
        /// Git URL of its repository: https, ssh or file.
        required "repository" repository: GitUrl,
        /// Branch, tag or commit; `main` by default.
        optional "ref" reference: GitRef,
        /// Whether it runs; true by default.
        optional "enabled" enabled: bool,
        /// Ceilings; they win over what the tenant asks for.
        optional "limits" limits: LimitsDoc,
        /// What it may use.
        optional "allow" allow: AllowDoc,
        /// How its commits are verified; as the policy says by default.
        optional "verify" verify: VerifyDoc,
        /// Machine tags of the hosts that may run it, as `zone=eu*`; every host by default.
        optional "placement" placement: Vec<At<Line>>,
        /// What opens its repository.
        optional "access" access: AccessDoc,
        /// What deliveries of its forge are signed with, in ciphertext; the policy's secret by default.
        optional "webhook" webhook: CredentialDoc,
    }
}

written! {
    /// Ceilings of a tenant; what is not written is not limited.
    struct LimitsDoc {
        /// Processor cores.
        optional "cpu" cpu: MilliCores,
        /// Memory.
        optional "memory" memory: Bytes,
        /// Disk space.
        optional "storage" storage: Bytes,
        /// Processes and threads.
        optional "tasks" tasks: Count,
        /// Virtual machines.
        optional "machines" machines: Int<0, 10_000>,
        /// Containers.
        optional "containers" containers: Int<0, 10_000>,
        /// Networks.
        optional "networks" networks: Int<0, 10_000>,
        /// Interfaces of workloads in networks, each with its address.
        optional "addresses" addresses: Int<0, 100_000>,
        /// New connections a second, out of its networks and into them, each way.
        optional "connections" connections: Int<1, 1_000_000>,
        /// Megabits a second, out of its networks and into them, each way.
        optional "bandwidth" bandwidth: Int<1, 100_000>,
    }
}

written! {
    /// What a tenant may use.
    struct AllowDoc {
        /// Virtual machines; true by default.
        optional "machines" machines: bool,
        /// Containers; true by default.
        optional "containers" containers: bool,
        /// Portable services; false by default.
        optional "portable" portable: bool,
        /// Users; false by default.
        optional "users" users: bool,
        /// Lifecycle scripts; false by default.
        optional "hooks" hooks: bool,
        /// Ports of the host that it may publish, as `tcp/8000-8099`; none by default.
        optional "publish" publish: Vec<At<PortRange>>,
        /// Modes of its networks; isolated-bridge, private and none by default.
        optional "networks" networks: Vec<At<NetworkMode>>,
    }
}

/// What a tenant may use whose registration says nothing: everything that stays inside its own slice,
/// nothing that opens a port of the host or runs code outside a machine.
pub fn default_allow() -> Allow {
    Allow {
        machines: true,
        containers: true,
        portable: false,
        users: false,
        hooks: false,
        publish: Vec::new(),
        networks: vec![
            NetworkMode::IsolatedBridge,
            NetworkMode::Private,
            NetworkMode::None,
        ],
    }
}

/// The tenants that `doc` registers.
pub(crate) fn registry(
    doc: RegistryDoc,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Vec<Registration> {
    let mut seen = BTreeMap::new();
    let mut tenants = Vec::new();
    for doc in doc.tenants.into_iter().flat_map(|list| list.value) {
        if let Some(id) = &doc.id {
            unique(id, &mut seen, cx);
        }
        tenants.extend(registration(doc, facts, cx));
    }
    tenants
}

fn unique(id: &At<Name>, seen: &mut BTreeMap<Name, u32>, cx: &mut Cx<'_>) {
    let line = cx.origin(id.span).line;
    if id.value.as_str() == "system" {
        let help = "choose another id".to_owned();
        cx.error_help(
            id.span,
            "reserved-name",
            "`system` is the host's own repository",
            help,
        );
    }
    if let Some(first) = seen.get(&id.value) {
        let message = format!(
            "tenant `{}` is registered twice, first in line {first}",
            id.value
        );
        cx.error_help(
            id.span,
            "duplicate-tenant",
            message,
            "choose another id".to_owned(),
        );
        return;
    }
    seen.insert(id.value.clone(), line);
}

fn registration(
    doc: RegistrationDoc,
    facts: &mut Facts<'_>,
    cx: &mut Cx<'_>,
) -> Option<Registration> {
    let access = doc.access.map_or_else(Access::default, |access_doc| {
        access(access_doc, doc.repository.as_ref(), facts, cx)
    });
    let webhook = secret(doc.webhook, facts, cx);
    let verify = doc.verify.map(|doc| verify(doc.value, cx));
    let placement = doc.placement.into_iter().flat_map(|list| list.value);
    let placement = placement.filter_map(|tag| machine_tag(tag, cx)).collect();
    let limits = doc
        .limits
        .map_or_else(Limits::default, |doc| limits(doc.value));
    let allow = doc.allow.map_or_else(default_allow, |doc| allow(doc.value));
    let id = doc.id?;
    Some(Registration {
        origin: cx.origin(id.span),
        name: doc
            .name
            .map_or_else(|| id.value.to_string(), |name| name.value.0),
        id: id.value,
        repository: doc.repository?.value.0,
        reference: doc
            .reference
            .map_or_else(|| "main".into(), |text| text.value.0),
        enabled: value(doc.enabled, true),
        limits,
        allow,
        verify,
        placement,
        access,
        webhook,
    })
}

fn machine_tag(tag: At<Line>, cx: &mut Cx<'_>) -> Option<String> {
    let text = tag.value.0;
    let fits = text.split_once('=').is_some_and(|(key, pattern)| {
        !key.is_empty()
            && !pattern.is_empty()
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"=*?._-/".contains(&b))
    });
    if fits {
        return Some(text);
    }
    let message = format!("`{text}` is not a machine tag");
    cx.error_help(
        tag.span,
        "placement",
        message,
        "write `key=pattern`, as in `zone=eu*`".to_owned(),
    );
    None
}

fn limits(doc: LimitsDoc) -> Limits {
    Limits {
        cpu: doc.cpu.map(|n| n.value),
        memory: doc.memory.map(|n| n.value),
        storage: doc.storage.map(|n| n.value),
        tasks: doc.tasks.map(|n| n.value.0),
        machines: doc.machines.map(|n| n.value.0),
        containers: doc.containers.map(|n| n.value.0),
        networks: doc.networks.map(|n| n.value.0),
        addresses: doc.addresses.map(|n| n.value.0),
        connections: doc.connections.map(|n| n.value.0),
        bandwidth: doc.bandwidth.map(|n| n.value.0),
    }
}

fn allow(doc: AllowDoc) -> Allow {
    let default = default_allow();
    Allow {
        machines: value(doc.machines, default.machines),
        containers: value(doc.containers, default.containers),
        portable: value(doc.portable, default.portable),
        users: value(doc.users, default.users),
        hooks: value(doc.hooks, default.hooks),
        publish: doc
            .publish
            .into_iter()
            .flat_map(|l| l.value)
            .map(|p| p.value)
            .collect(),
        networks: doc.networks.map_or(default.networks, |list| {
            list.value.into_iter().map(|mode| mode.value).collect()
        }),
    }
}
