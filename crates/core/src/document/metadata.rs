//! `metadata.json`: what a tenant is and wants.

use super::decode::{At, Cx, words, written};
use super::scalar::{Capability, Count, IfName, Line, Prose, SystemCall};
use super::value;
use crate::finding::Origin;
use crate::model::{
    Bytes, Interface, Isolation, Metadata, MilliCores, Name, NetworkMode, Resources, Security,
    TenantKind,
};
use std::collections::BTreeSet;

words!(TenantKind {
    "vm" => TenantKind::Vm,
    "container" => TenantKind::Container,
    "mixed" => TenantKind::Mixed,
});

words!(Isolation {
    "namespace" => Isolation::Namespace,
    "vm" => Isolation::Vm,
});

/// `network.interfaces[].type`; there is one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BridgeInterface;

words!(BridgeInterface { "bridge" => BridgeInterface });

written! {
    /// `metadata.json` of a tenant repository: what the tenant is and wants.
    struct MetadataDoc {
        /// The tenant.
        required "tenant" tenant: TenantDoc,
        /// What the tenant wants; the registry's limits win.
        optional "resources" resources: ResourcesDoc,
        /// The default network.
        optional "network" network: NetworkDoc,
        /// System-wide or own extensions to merge.
        optional "extensions" extensions: Vec<At<Name>>,
        /// Portable services to attach.
        optional "services" services: Vec<At<Name>>,
        /// Security wishes.
        optional "security" security: SecurityDoc,
    }
}

written! {
    /// The tenant.
    struct TenantDoc {
        /// Its id, as the registry has it.
        required "id" id: Name,
        /// Name for people; the id by default.
        optional "name" name: Line,
        /// What `main` is when the repository declares no workload; container by default.
        optional "type" kind: TenantKind,
        /// Whether it wants to run; true by default.
        optional "enabled" enabled: bool,
        /// Free text.
        optional "description" description: Prose,
    }
}

written! {
    /// Resources; what is not written is only limited from outside.
    struct ResourcesDoc {
        /// Processor cores, fractions allowed.
        optional "cpu" cpu: MilliCores,
        /// Memory, as `512M`.
        optional "memory" memory: Bytes,
        /// Disk space, as `50G`.
        optional "storage" storage: Bytes,
        /// Processes and threads.
        optional "tasks" tasks: Count,
    }
}

written! {
    /// The default network.
    struct NetworkDoc {
        /// How it carries packets; isolated-bridge by default.
        optional "mode" mode: NetworkMode,
        /// Interfaces of `main`.
        optional "interfaces" interfaces: Vec<InterfaceDoc>,
    }
}

written! {
    /// An interface.
    struct InterfaceDoc {
        /// Name inside the machine, at most 15 bytes.
        required "name" name: IfName,
        /// Kind; bridge by default.
        optional "type" kind: BridgeInterface,
        /// Wanted name of the bridge, `br-...`, at most 15 bytes.
        optional "bridge" bridge: IfName,
    }
}

written! {
    /// Security wishes.
    struct SecurityDoc {
        /// Kernel namespaces, or every workload in a virtual machine; namespace by default.
        optional "isolation" isolation: Isolation,
        /// Capabilities that containers keep; the default set when it is not written.
        optional "capabilities" capabilities: Vec<At<Capability>>,
        /// System calls or groups that containers get beyond the default filter.
        optional "systemCalls" system_calls: Vec<At<SystemCall>>,
        /// Whether tenant data is to be encrypted; false by default.
        optional "encryptStorage" encrypt_storage: bool,
    }
}

/// The resources that a map says.
pub(crate) fn resources(doc: Option<At<ResourcesDoc>>) -> Resources {
    doc.map_or_else(Resources::default, |doc| Resources {
        cpu: doc.value.cpu.map(|n| n.value),
        memory: doc.value.memory.map(|n| n.value),
        storage: doc.value.storage.map(|n| n.value),
        tasks: doc.value.tasks.map(|n| n.value.0),
    })
}

/// Names of a list with their places; a name twice is a finding.
pub(crate) fn names(list: Option<At<Vec<At<Name>>>>, cx: &mut Cx<'_>) -> Vec<(Name, Origin)> {
    let mut seen = BTreeSet::new();
    let mut names = Vec::new();
    for name in list.into_iter().flat_map(|list| list.value) {
        if seen.insert(name.value.clone()) {
            let origin = cx.origin(name.span);
            names.push((name.value, origin));
        } else {
            let message = format!("`{}` is listed twice", name.value);
            cx.error_help(
                name.span,
                "duplicate",
                message,
                "keep one of the two".to_owned(),
            );
        }
    }
    names
}

/// The metadata that `doc` says; `expected` is the id of the registry.
pub(crate) fn metadata(
    doc: MetadataDoc,
    expected: Option<&Name>,
    cx: &mut Cx<'_>,
) -> Option<Metadata> {
    let At {
        value: tenant,
        span,
    } = doc.tenant?;
    let kind_span = tenant.kind.as_ref().map_or(span, |kind| kind.span);
    if let (Some(id), Some(expected)) = (&tenant.id, expected) {
        same_id(id, expected, cx);
    }
    let (network_mode, network_origin, interfaces) = network(doc.network, cx);
    let security = security(doc.security, cx);
    let extensions = names(doc.extensions, cx);
    let services = names(doc.services, cx);
    let id = tenant.id?;
    Some(Metadata {
        origin: cx.origin(id.span),
        name: tenant
            .name
            .map_or_else(|| id.value.to_string(), |name| name.value.0),
        id: id.value,
        kind: value(tenant.kind, TenantKind::Container),
        kind_origin: cx.origin(kind_span),
        enabled: value(tenant.enabled, true),
        description: tenant
            .description
            .map_or_else(String::new, |text| text.value.0),
        resources: resources(doc.resources),
        network_mode,
        network_origin,
        interfaces,
        extensions,
        services,
        security,
    })
}

fn same_id(id: &At<Name>, expected: &Name, cx: &mut Cx<'_>) {
    if &id.value != expected {
        cx.error_help(
            id.span,
            "tenant-id",
            format!(
                "this repository is registered as `{expected}`, not as `{}`",
                id.value
            ),
            format!("write \"{expected}\""),
        );
    }
}

fn network(doc: Option<At<NetworkDoc>>, cx: &mut Cx<'_>) -> (NetworkMode, Origin, Vec<Interface>) {
    let Some(At { value: doc, .. }) = doc else {
        return (
            NetworkMode::IsolatedBridge,
            Origin::file(cx.file()),
            Vec::new(),
        );
    };
    let span = doc.mode.as_ref().map_or(doc.span, |mode| mode.span);
    let mut seen = BTreeSet::new();
    let mut interfaces = Vec::new();
    for doc in doc.interfaces.into_iter().flat_map(|list| list.value) {
        if let Some(bridge) = &doc.bridge {
            bridge_name(bridge, cx);
        }
        let Some(name) = doc.name else { continue };
        if !seen.insert(name.value.0.clone()) {
            let message = format!("interface `{}` is declared twice", name.value.0);
            cx.error_help(
                name.span,
                "duplicate",
                message,
                "give it another name".to_owned(),
            );
        }
        interfaces.push(Interface {
            name: name.value.0,
            kind: "bridge".into(),
            bridge: doc.bridge.map(|bridge| bridge.value.0),
        });
    }
    (
        value(doc.mode, NetworkMode::IsolatedBridge),
        cx.origin(span),
        interfaces,
    )
}

/// Whether the host gives a bridge the name that a tenant wants.
fn bridge_name(bridge: &At<IfName>, cx: &mut Cx<'_>) {
    let text = bridge.value.0.as_str();
    let own = text.strip_prefix("br-").is_some_and(|rest| {
        !rest.is_empty()
            && rest
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    });
    if !own {
        cx.warning(
            bridge.span,
            "bridge-name",
            format!("the host will not use the name `{text}`, it chooses one"),
            "write `br-` and up to 12 of a-z, 0-9 and `-`".to_owned(),
        );
    }
}

fn security(doc: Option<At<SecurityDoc>>, cx: &mut Cx<'_>) -> Security {
    let Some(At { value: doc, .. }) = doc else {
        return Security {
            isolation: Isolation::Namespace,
            capabilities: None,
            system_calls: Vec::new(),
            encrypt_storage: false,
            origin: Origin::file(cx.file()),
        };
    };
    Security {
        isolation: value(doc.isolation, Isolation::Namespace),
        capabilities: doc.capabilities.map(|list| {
            list.value
                .into_iter()
                .map(|capability| capability.value.0)
                .collect()
        }),
        system_calls: doc
            .system_calls
            .into_iter()
            .flat_map(|list| list.value)
            .map(|call| call.value.0)
            .collect(),
        encrypt_storage: value(doc.encrypt_storage, false),
        origin: cx.origin(doc.span),
    }
}
